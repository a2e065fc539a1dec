"""The past runs in use, by group of kinds: those that ship with a kind, and the user's own."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import xxhash

from dlcc.errors import LibraryError, PluginError
from dlcc.kinds import TrainingKind, kinds
from dlcc.past_runs.store import Library, read_library

JUDGES = "gan"
"""Group whose past runs verdicts of all kinds are learnt from."""
_OLD_SUFFIX = {"single": "alone"}  # of the user's file, before 0.2


def groups() -> tuple[str, ...]:
    """Every group of kinds that share their past runs."""
    return tuple(dict.fromkeys(kind.past_runs.group for kind in kinds().values()))


def user_library_path(group: str = JUDGES) -> Path:
    """`$DLCC_LIBRARY`, else `$XDG_DATA_HOME/dlcc/library.npz`, else `~/.local/share/…`; those of
    other groups stand beside it, `…-single.npz`.

    Raises:
        LibraryError: $DLCC_LIBRARY names no file.
    """
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    chosen = os.environ.get("DLCC_LIBRARY")
    path = Path(chosen) if chosen else Path(home) / "dlcc" / "library.npz"
    if not path.name:
        raise LibraryError(f"DLCC_LIBRARY is {chosen!r}: expected a file, such as ~/library.npz")
    if group == JUDGES:
        return path
    of_group, before = (
        path.with_name(f"{path.stem}-{suffix}{path.suffix}")
        for suffix in (group, _OLD_SUFFIX.get(group, group))
    )
    return before if before.exists() and not of_group.exists() else of_group


def library_digest() -> str:
    """Hashes of the user's own libraries, each empty where there is none (the shipped ones are the
    packages').

    Raises:
        LibraryError: one cannot be read.
    """
    return ":".join(_digest(user_library_path(group)) for group in groups())


def _digest(own: Path) -> str:
    try:
        return xxhash.xxh3_128_hexdigest(own.read_bytes())
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise LibraryError(
            f"{own}: cannot be read ({error.strerror}); move it away or set DLCC_LIBRARY to "
            "another file"
        ) from error


def shipped_path(group: str) -> Path | None:
    """The file of past runs that ships with the kinds of a group; None where none does.

    Raises:
        PluginError: a kind names a file that its package does not have.
    """
    for kind in kinds().values():
        if kind.past_runs.group == group and kind.past_runs.shipped is not None:
            package, _, name = kind.past_runs.shipped.partition(":")
            path = Path(str(files(package) / name))
            if not path.is_file():
                raise PluginError(f"kind {kind.name!r} ships past runs as {path}, which is missing")
            return path
    return None


def shipped_library(group: str = JUDGES) -> Library:
    """The past runs that ship for a group of kinds; none where none do."""
    return _shipped(group)


@cache
def _shipped(group: str) -> Library:
    path = shipped_path(group)
    if path is not None:
        return read_library(path)
    return replace(shipped_library(JUDGES).select(np.zeros(0, dtype=np.int64)), group=group)


def library(group: str = JUDGES) -> Library:
    """The past runs of a group that ship, and the user's own where there are any.

    Raises:
        LibraryError: the user's library cannot be used.
    """
    own = users_library(group)
    shipped = shipped_library(group)
    return shipped if own is None else shipped.joined(own)


def forecast_runs(kind: TrainingKind) -> Library:
    """The past runs that forecasts of a kind are made from.

    Raises:
        LibraryError: the user's library cannot be used.
    """
    first, *others = kind.past_runs.forecast
    found = library(first)
    for group in others:
        found = found.joined(library(group))
    return found


def users_library(group: str = JUDGES) -> Library | None:
    """The user's own runs of a group of kinds; None without any.

    Raises:
        LibraryError: the file cannot be read, or is of another group.
    """
    path = user_library_path(group)
    if not path.exists():
        return None
    own = read_library(path)
    if own.group != group:
        raise LibraryError(
            f"{path}: past runs of the group {own.group!r} where those of {group!r} should be; "
            "move it away or set DLCC_LIBRARY to another file"
        )
    return own
