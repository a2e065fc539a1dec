"""The libraries in use: `library.npz`, of GANs, and `alone.npz`, of networks alone, which ship with
the package, and beside each the user's own runs.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import xxhash

from dlcc.errors import LibraryError
from dlcc.library.store import Library, read_library

SHIPPED = Path(__file__).with_name("library.npz")
SHIPPED_ALONE = SHIPPED.with_name("alone.npz")


def user_library_path(*, alone: bool = False) -> Path:
    """`$DLCC_LIBRARY`, else `$XDG_DATA_HOME/dlcc/library.npz`, else `~/.local/share/…`; that of
    networks alone stands beside it, `…-alone.npz`.

    Raises:
        LibraryError: $DLCC_LIBRARY names no file.
    """
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    chosen = os.environ.get("DLCC_LIBRARY")
    path = Path(chosen) if chosen else Path(home) / "dlcc" / "library.npz"
    if not path.name:
        raise LibraryError(f"DLCC_LIBRARY is {chosen!r}: expected a file, such as ~/library.npz")
    return path.with_name(f"{path.stem}-alone{path.suffix}") if alone else path


def library_digest() -> str:
    """Hashes of the user's own libraries, each empty where there is none (the shipped ones are the
    package's).

    Raises:
        LibraryError: one cannot be read.
    """
    return ":".join(_digest(user_library_path(alone=alone)) for alone in (False, True))


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


def shipped_library(*, alone: bool = False) -> Library:
    """The library that ships with the package, of GANs or of networks alone."""
    return _read_once(SHIPPED_ALONE if alone else SHIPPED)


_read_once = cache(read_library)


def library(*, alone: bool = False) -> Library:
    """The library that ships with the package, and the user's own runs where there are any; of
    GANs, or of networks alone.

    Raises:
        LibraryError: the user's library cannot be used.
    """
    own = users_library(alone=alone)
    shipped = shipped_library(alone=alone)
    return shipped if own is None else shipped.joined(own)


def outcomes(*, alone: bool = False) -> Library:
    """The past runs that forecasts are made from: for networks alone GANs as well, for without them
    less carries over to data that no past run had (benchmarks/alone.py).

    Raises:
        LibraryError: the user's library cannot be used.
    """
    return library().joined(library(alone=True)) if alone else library()


def users_library(*, alone: bool = False) -> Library | None:
    """The user's own runs, of GANs or of networks alone; None without any.

    Raises:
        LibraryError: the file cannot be read, or is of the other kind.
    """
    path = user_library_path(alone=alone)
    if not path.exists():
        return None
    own = read_library(path)
    if own.alone != alone:
        kinds = ("GANs", "networks alone")
        raise LibraryError(
            f"{path}: a library of {kinds[own.alone]} where one of {kinds[alone]} should be; move "
            "it away or set DLCC_LIBRARY to another file"
        )
    return own
