"""Past runs in use, by group of kinds: those that ship with a kind, and the user's own."""

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
    """Groups of kinds that share their past runs."""
    return tuple(dict.fromkeys(kind.past_runs.group for kind in kinds().values()))


def user_library_path(group: str = JUDGES) -> Path:
    """Find where the user's own past runs are kept, whether or not there are any.

    It is `$DLCC_LIBRARY`, else `$XDG_DATA_HOME/dlcc/library.npz`, else
    `~/.local/share/dlcc/library.npz`. Those of other groups than "gan" stand beside it, such as
    `library-single.npz`.

    Args:
        group: Group of kinds that share their past runs.

    Returns:
        Path of the file.

    Raises:
        LibraryError: $DLCC_LIBRARY names no file.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, DLCC_LIBRARY="own/library.npz"):
    ...     user_library_path().name, user_library_path("single").name
    ('library.npz', 'library-single.npz')
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
    """Hash the user's own libraries, each to an empty text where there is none.

    The shipped ones need no hash: they belong to the packages.

    Raises:
        LibraryError: one cannot be read.
    """
    return ":".join(_digest(user_library_path(group)) for group in groups())


def _digest(own: Path) -> str:
    """Hash one library's file."""
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
    """Find the file of past runs that ships with the kinds of a group; None where none does.

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
    """Read the past runs that ship for a group of kinds.

    Args:
        group: Group of kinds that share their past runs.

    Returns:
        The library; one without runs where none ship for the group.

    Raises:
        PluginError: a kind names a file that its package does not have.
        LibraryError: the file is damaged.

    >>> past = shipped_library()
    >>> past.group, past.label_names
    ('gan', ('healthy', 'weak', 'oscillating', 'collapsed', 'diverged'))
    """
    return _shipped(group)


@cache
def _shipped(group: str) -> Library:
    """Read the shipped past runs once."""
    path = shipped_path(group)
    if path is not None:
        return read_library(path)
    return replace(shipped_library(JUDGES).select(np.zeros(0, dtype=np.int64)), group=group)


def library(group: str = JUDGES) -> Library:
    """Read the past runs in use: those of a group that ship, joined by the user's own.

    Args:
        group: Group of kinds that share their past runs.

    Returns:
        The library; of shipped runs alone where the user has none.

    Raises:
        LibraryError: the user's library cannot be used.
        PluginError: an installed kind of training cannot be used.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, DLCC_LIBRARY="no/such/library.npz"):
    ...     len(library()) == len(shipped_library())
    True
    """
    own = users_library(group)
    shipped = shipped_library(group)
    return shipped if own is None else shipped.joined(own)


def forecast_runs(kind: TrainingKind) -> Library:
    """Read the past runs that forecasts of a kind are made from.

    Raises:
        LibraryError: the user's library cannot be used.
        PluginError: an installed kind of training cannot be used.
    """
    first, *others = kind.past_runs.forecast
    found = library(first)
    for group in others:
        found = found.joined(library(group))
    return found


def users_library(group: str = JUDGES) -> Library | None:
    """Read the user's own runs of a group of kinds; None without any.

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
