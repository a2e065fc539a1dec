"""Discovery of the runs in a folder that other tools left, and an answer where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from dlcc.entry_points import loaded
from dlcc.errors import PluginError, RunError
from dlcc.runs.formats.quoting import listed
from dlcc.runs.formats.reader import FoundRecord, Listing, Reader

GROUP = "dlcc.readers"
_OF_TEXT = 80
"""Rank from which a reader takes any text: its records give way to those of other readers."""


@dataclass(frozen=True)
class FoundRuns:
    """Runs that a folder holds, and what else was seen there."""

    records: tuple[FoundRecord, ...]
    names: tuple[str, ...]
    """Name of each run, as `--run` takes it."""
    notes: tuple[str, ...] = ()
    """Sentences on files that were seen and not taken."""

    def choose(self, name: str) -> FoundRecord:
        """Find a run by its name.

        Args:
            name: Name of the run.

        Returns:
            Record of that run.

        Raises:
            RunError: There is none of that name.
        """
        for record, own in zip(self.records, self.names, strict=True):
            if own == name:
                return record
        raise RunError(f"--run {name}: not found; there is {listed('run', self.names)}")


@cache
def readers() -> tuple[Reader, ...]:
    """Readers in the order in which they are asked.

    Raises:
        PluginError: An installed reader cannot be used.
    """
    found = []
    for name, kind in loaded(GROUP).items():
        if not (isinstance(kind, type) and issubclass(kind, Reader)):
            raise PluginError(f"entry point {name!r}: expected a class of Reader, found {kind!r}")
        found.append(kind())
    return tuple(sorted(found, key=lambda reader: reader.rank))


def find_runs(path: Path) -> FoundRuns:
    """Find all runs in a folder, or the one in a file.

    Args:
        path: Folder or file.

    Returns:
        Runs in the order of their paths; none where nothing was recognised.
    """
    listing = Listing.of(path)
    notes = list(listing.left_out)
    records: list[FoundRecord] = []
    for reader in readers():
        taken: set[Path] = set()
        for record in reader.find(listing):
            records.append(record)
            notes += record.said
            taken |= {*record.files, *record.beside}
        listing = listing.without(taken)
    records, given_up = _without_doubles(records)
    notes += given_up
    records.sort(key=lambda record: (record.folder, record.files, record.part))
    return FoundRuns(tuple(records), _names(path, records), tuple(notes))


def _without_doubles(records: Sequence[FoundRecord]) -> tuple[list[FoundRecord], list[str]]:
    """Leave out logs beside a record with columns: they print the same training."""
    with_columns = {r.folder: r for r in records if r.reader.rank < _OF_TEXT}
    kept: list[FoundRecord] = []
    notes: list[str] = []
    for record in records:
        other = with_columns.get(record.folder)
        if record.reader.rank >= _OF_TEXT and other is not None:
            notes.append(
                f"{record.files[0]}: not read, {other.files[0].name} beside it holds the training; "
                f"name the file itself to read it"
            )
            kept = [_with_beside(r, record) if r is other else r for r in kept]
        else:
            kept.append(record)
    return kept, notes


def _with_beside(record: FoundRecord, log: FoundRecord) -> FoundRecord:
    return replace(record, beside=(*record.beside, *log.beside))


def _names(path: Path, records: Sequence[FoundRecord]) -> tuple[str, ...]:
    """Names of runs: the folder below the one that was named, and the file where it has several."""
    folders = [record.folder for record in records]
    names = []
    for record in records:
        inside = record.folder.relative_to(path) if path.is_dir() else Path()
        alone = folders.count(record.folder) == 1
        name = inside.as_posix() if inside.parts else ""
        if not alone and not record.part:
            name = f"{name}/{record.files[0].name}" if name else record.files[0].name
        if record.part:
            name = f"{name}/{record.part}" if name else record.part
        names.append(name or (path.resolve().name if path.is_dir() else record.files[0].name))
    return tuple(f"{n} ({i})" if names.index(n) != i else n for i, n in enumerate(names))


def nothing_found(path: Path) -> RunError:
    """Make the error for a folder in which no reader recognised anything.

    Args:
        path: Folder or file that was named.

    Returns:
        Error that says what is there, why it cannot be read and what would work.
    """
    if not path.is_dir():
        return RunError(
            f"{path}: expected rows with named numbers, such as 'epoch 3 d_loss 0.51 g_loss 1.2', "
            "a CSV with a header or a logger's file; found none, name the file that the training "
            "wrote its losses to"
        )
    listing = Listing.of(path)
    if not listing.files:
        inner = sorted(p.name for p in path.iterdir())[:6]
        what = f"holds {listed('entry', inner)}" if inner else "is empty"
        return RunError(
            f"{path}: {what}, and no file that could be a record of a training; name the folder "
            "that the training wrote its log to"
        )
    texts = [file for file in listing.files if file.is_text]
    nearest = [str(file.path.relative_to(path)) for file in (texts or listing.files)[:4]]
    likely = texts[0].path if texts else None
    hint = (
        f"if {likely.name} holds the losses, name it itself: dlcc inspect {likely}"
        if likely is not None
        else "name the file that the training wrote its losses to"
    )
    return RunError(
        f"{path}: no record of a training was recognised among {len(listing.files):,} files "
        f"({', '.join(nearest)}{', ...' if len(listing.files) > 4 else ''}): none has rows with "
        f"named numbers; {hint}"
    )
