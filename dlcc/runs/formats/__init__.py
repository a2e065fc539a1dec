"""Formats in which a run can be read: our own, and folders that other tools left.

A further format is one module: a class that follows `Format`, named by the entry point group
`dlcc.formats`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

from dlcc.entry_points import loaded
from dlcc.errors import DlccError, PluginError, RunError
from dlcc.runs.formats.format import Contents, Format
from dlcc.runs.formats.native import Native

__all__ = ["Contents", "Format", "as_format", "formats", "open_folder"]

GROUP = "dlcc.formats"


@cache
def formats() -> tuple[Format, ...]:
    """Formats in the order in which they are asked; the first that recognises a folder reads it.

    Our own comes first: a folder with run.json is always one of ours. Formats that others installed
    come before the rest of this package's, for they know their folders better.

    Returns:
        An instance of each format.

    Raises:
        PluginError: An installed format cannot be used.

    >>> formats()[0].looks_for, "metrics.csv" in [each.looks_for for each in formats()]
    ('run.json', True)
    """
    found = {name: as_format(kind, f"entry point {name!r}") for name, kind in loaded(GROUP).items()}
    ranked = sorted(found.values(), key=lambda f: type(f).__module__.startswith("dlcc."))
    return (Native(), *(f for f in ranked if not isinstance(f, Native)))


def as_format(kind: Any, origin: str) -> Format:
    """Make an instance of a class that follows `Format`.

    Args:
        kind: Class of the format.
        origin: Place that the class comes from, for the message.

    Returns:
        The instance.

    Raises:
        PluginError: The class does not follow `Format`.

    >>> as_format(Native, "this package").looks_for
    'run.json'
    """
    if not isinstance(kind, type):
        raise PluginError(f"{origin}: expected a class that follows Format, found {kind!r}")
    try:
        instance = kind()
    except TypeError as error:
        raise PluginError(f"{origin}: {kind.__name__}() cannot be called ({error})") from error
    lacking = [n for n in ("looks_for", "recognises", "open") if not hasattr(instance, n)]
    if lacking:
        raise PluginError(f"{origin}: {kind.__name__} has no {lacking[0]}; see dlcc.runs.formats")
    return cast(Format, instance)


@contextmanager
def _its_fault(format_: Format) -> Iterator[None]:
    """Turn an exception inside the block, our own errors excepted, into a fault of the format's
    author."""
    try:
        yield
    except DlccError:
        raise
    except Exception as error:
        kind = type(format_)
        raise PluginError(
            f"format {kind.__name__} of {kind.__module__} raised {type(error).__name__}: {error}; "
            "mend or uninstall the package that brings it"
        ) from error


def open_folder(path: Path, mapping: Mapping[str, str]) -> Contents:
    """Open a folder with the first format that recognises it.

    Args:
        path: Folder of the run; nothing in it is written.
        mapping: `player/quantity`, or `step`, to the name that the folder has for it; empty where
            its names are known.

    Returns:
        Content of the folder, whose parts are read when they are asked for.

    Raises:
        RunError: No format recognises the folder, or what it reads first is damaged.
        OptionError: The format has no use for the mapping.
        PluginError: An installed format cannot be used, or raised an error of another class.

    >>> open_folder(Path("runs/digits-collapsed"), {}).manifest.objective
    {'kind': 'gan', 'loss': 'mm'}
    """
    for format_ in formats():
        with _its_fault(format_):
            if format_.recognises(path):
                return format_.open(path, mapping)
    if not any(path.iterdir()):
        raise RunError(f"{path}: the folder is empty; record a run into it or name another")
    native, *others = formats()
    raise RunError(
        f"{path / native.looks_for}: not found, so this is not a run folder, and there is no "
        f"{' or '.join(f.looks_for for f in others)} of another tool either; "
        "record a run with dlcc.Recorder or name the folder that holds one of these files"
    )
