"""Formats in which a run can be read: our own, and folders that other tools left.

A further format of other tools is one module: a class of `Reader`, named by the entry point group
`dlcc.readers`. A class that follows `Format`, of the group `dlcc.formats`, reads a folder whose
series have our names already, with snapshots and samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from dlcc.entry_points import loaded
from dlcc.errors import DlccError, InputError, OptionError, PluginError, RunError
from dlcc.runs.formats.discovery import FoundRuns, find_runs, nothing_found
from dlcc.runs.formats.foreign import ForeignContents, open_record
from dlcc.runs.formats.format import Contents, Format
from dlcc.runs.formats.native import Native
from dlcc.runs.formats.quoting import listed
from dlcc.runs.formats.real_data import reference_files
from dlcc.runs.layout import RunLayout

__all__ = ["Contents", "Format", "as_format", "formats", "open_path"]

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

    >>> formats()[0].looks_for
    'run.json'
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


def open_path(
    path: Path,
    mapping: Mapping[str, str],
    name: str | None = None,
    reference: Path | None = None,
) -> Contents:
    """Open a folder with the first format that recognises it, or what a reader finds there.

    Args:
        path: Folder, or a file of another tool; nothing in it is written.
        mapping: `player/quantity`, or `step`, to the column that the user named for it; empty where
            the names are known.
        name: Name of one of several runs; None for the only one, or the fullest.
        reference: Training data to hold another tool's samples against; None to look for them
            beside the samples.

    Returns:
        Contents of the run, whose parts are read when they are asked for.

    Raises:
        RunError: Nothing recognises what is there, or what is read first is damaged.
        OptionError: The format has no use for the mapping or the training data, or these cannot be
            used.
        PluginError: An installed format cannot be used, or raised an error of another class.

    >>> open_path(Path("runs/digits-collapsed"), {}).manifest.objective
    {'kind': 'gan', 'loss': 'mm'}
    """
    if path.is_dir():
        for format_ in formats():
            with _its_fault(format_):
                if format_.recognises(path):
                    _refuse(path, format_, reference)
                    if name is not None:
                        raise OptionError(f"--run {name}: {path} is one run; leave --run out")
                    return format_.open(path, mapping)
        _refuse_several(path)
    found = find_runs(path)
    if name is not None:
        opened = open_record(found.choose(name), name, mapping, found.notes)
    else:
        opened = _fullest(path, found, mapping)
    if reference is not None:
        reference_files(reference)
    alone = len(found.records) == 1 and path.is_dir()
    return replace(opened, beside=path if alone else None, reference_from=reference)


def _refuse_several(path: Path) -> None:
    """Refuse a folder of recorded runs where one run is asked for: their files are no other
    tool's."""
    inside = [p.name for p in sorted(path.iterdir()) if p.is_dir() and Native().recognises(p)]
    if inside:
        more = ", ..." if len(inside) > 3 else ""
        raise RunError(
            f"{path}: holds {len(inside)} recorded run{'s' if len(inside) > 1 else ''} "
            f"({', '.join(inside[:3])}{more}); name {path / inside[0]} or another, or take all "
            "of them with dlcc report"
        )


def open_each(
    path: Path,
    mapping: Mapping[str, str],
    left_out: Callable[[RunError], None],
    reference: Path | None = None,
) -> Iterator[tuple[Path, str | None, Contents]]:
    """Open every run in a folder, recorded ones and those of other tools.

    Args:
        path: Folder.
        mapping: Series, or `step`, to the column that the user named for it.
        left_out: Called with the error for each run that cannot be read.
        reference: Training data to hold the samples of other tools' runs against.

    Yields:
        Folder to open the run from again, its name there (None for the only one), and contents.

    Raises:
        RunError: There is no run at all.
    """
    if reference is not None:
        reference_files(reference)
    recorded = sorted(manifest.parent for manifest in path.rglob(RunLayout(path).manifest.name))
    found = find_runs(path)
    theirs = [
        (record, name)
        for record, name in zip(found.records, found.names, strict=True)
        if not any(record.folder.is_relative_to(folder) for folder in recorded)
    ]
    if not recorded and not theirs:
        raise nothing_found(path)
    for folder in recorded:
        try:
            yield folder, None, open_path(folder, mapping)
        except RunError as error:
            left_out(error)
    for record, name in theirs:
        try:
            opened = open_record(record, name, mapping, found.notes)
            yield path, name, replace(opened, reference_from=reference)
        except RunError as error:
            left_out(error)


def _refuse(path: Path, format_: Format, reference: Path | None) -> None:
    if reference is not None:
        raise OptionError(
            f"--reference {reference}: {path} holds {format_.looks_for}, and its samples are held "
            "against its own training data; leave --reference out"
        )


def _fullest(path: Path, found: FoundRuns, mapping: Mapping[str, str]) -> ForeignContents:
    """Open the run with most rows; the others are named in its notes.

    Raises:
        RunError: There is none that can be read.
        OptionError: The mapping fits none.
    """
    opened: list[ForeignContents] = []
    wrong: list[InputError] = []
    for record, name in zip(found.records, found.names, strict=True):
        try:
            opened.append(open_record(record, name, mapping, found.notes))
        except InputError as error:
            wrong.append(error)
    if not opened:
        raise wrong[0] if wrong else nothing_found(path)
    best = max(opened, key=lambda contents: contents.table.rows)
    others = [c.manifest.name for c in opened if c is not best]
    notes = [*best.found_notes, *(str(error) for error in wrong[:3])]
    if others:
        notes.append(
            f"{path}: holds {len(opened)} runs; {best.manifest.name} has most rows and is judged, "
            f"{listed('other', others)}: name one with --run NAME, or take each with --all"
        )
    part = best.manifest.name if len(found.records) > 1 else None
    return replace(best, found_notes=tuple(notes), part=part)
