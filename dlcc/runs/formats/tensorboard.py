"""TensorBoard event files: every scalar of a run, from all the files that it left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.formats.event_records import HEADER, EventRecords, stated_length
from dlcc.runs.formats.event_scalars import EventScalars, tags_in
from dlcc.runs.formats.quoting import one_line
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.runs.formats.scalar_rows import MOST_NAMES, Lane, Scalars, in_generations, rows_of
from dlcc.runs.raw_table import RawTable, Scalar

_TIME = re.compile(r"\.tfevents\.(\d{9,11})\.")
_WALL_TIME_KEY = 0x09
_VALIDATION = frozenset(("validation", "valid", "val", "eval", "test", "dev"))
_MOST_NUMBERS = 20_000_000


class TensorBoard(Reader):
    """Reader of event files, of the first and the second version of summaries."""

    title: ClassVar = "TensorBoard event files"
    rank: ClassVar = 10

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        folders: dict[Path, list[FoundFile]] = {}
        for file in listing.files:
            if _is_one(file):
                folders.setdefault(file.path.parent, []).append(file)
        belongs = {folder: _run_of(folder, files, folders) for folder, files in folders.items()}
        for run in sorted({*belongs.values()}):
            shards = [
                f for folder, files in folders.items() if belongs[folder] == run for f in files
            ]
            shards.sort(key=lambda f: (f.path.parent != run, _begun(f), f.path))
            alone = run.name == "train" and any(f.path.parent.parent == run.parent for f in shards)
            several = any(f.path.parent != run for f in shards)
            folder = run.parent if alone and several and run not in (listing.root,) else run
            yield FoundRecord(self, folder, tuple(f.path for f in shards))

    def read(self, record: FoundRecord) -> RawTable:
        main = record.files[0].parent
        lanes: dict[Path, list[Path]] = {}
        for path in record.files:
            lanes.setdefault(path.parent, []).append(path)
        names: dict[str, int] = {}
        notes: list[str] = []
        config: dict[str, Scalar] = {}
        parts: list[Lane] = []
        for folder, paths in lanes.items():
            lane = _lane(folder, main, paths, names, notes, config)
            if lane is not None:
                parts.append(lane)
        if not parts:
            said = f" ({notes[0]})" if notes else ""
            raise RunError(
                f"{record.files[0]}: no scalar in {len(record.files)} event files{said}; log "
                "losses with add_scalar, or name another folder"
            )
        return rows_of(self.title, record.files, parts, list(names), config, tuple(notes))


def _is_one(file: FoundFile) -> bool:
    """Whether a file begins with the record of an event: those of examples begin otherwise."""
    head = file.head
    return len(head) > HEADER and head[HEADER] == _WALL_TIME_KEY and bool(stated_length(head[:12]))


def _begun(file: FoundFile) -> tuple[float, float]:
    """Time at which a file was begun: by its name, then by its first record."""
    match = _TIME.search(file.name)
    wall = np.frombuffer(file.head, dtype="<f8", count=1, offset=HEADER + 1)[0]
    wall = float(wall) if np.isfinite(wall) else 0.0
    return (float(match[1]) if match else wall, wall)


def _run_of(folder: Path, files: Sequence[FoundFile], folders: Mapping[Path, object]) -> Path:
    """Folder of the run that event files belong to: their own, but for parts of the run above."""
    above = next((p for p in folder.parents if p in folders), None)
    if folder.name.lower() in _VALIDATION:
        if folder.parent / "train" in folders:
            return folder.parent / "train"
        if above == folder.parent:
            return above
    if above is None:
        return folder
    tags, hparams = tags_in(files[0].head)
    inner = folder.relative_to(above).as_posix()
    if hparams and re.fullmatch(r"\d+(\.\d+)?", inner):  # as add_hparams makes it
        return above
    if len(tags) == 1 and _key_of(inner, next(iter(tags))) is not None:
        return above
    return folder


def _key_of(inner: str, tag: str) -> str | None:
    """Key of `add_scalars` that a folder below a run is for; None where it is none."""
    start = tag.replace("/", "_") + "_"
    return inner.removeprefix(start) if inner.startswith(start) and inner != start else None


def _lane(
    folder: Path,
    main: Path,
    paths: Sequence[Path],
    names: dict[str, int],
    notes: list[str],
    config: dict[str, Scalar],
) -> Lane | None:
    """Read the files of one folder.

    Raises:
        RunError: One of them cannot be read.
    """
    found: list[Scalars] = []
    begun: list[int] = []
    for path in paths:
        file = EventScalars()
        file.take(EventRecords(path))
        notes += file.notes
        config |= file.hparams
        if not file.numbers:
            continue
        before = sum(map(len, found))
        if before + file.numbers > _MOST_NUMBERS:
            raise RunError(
                f"{path}: more than {_MOST_NUMBERS:,} scalars in its folder; name one of its files"
            )
        scalars, starts = file.in_order()
        numbers = [_number_of(_column_name(folder, main, tag), names) for tag in file.tags]
        scalars = replace(scalars, tag=np.array(numbers)[scalars.tag])
        if found and _goes_back(found, scalars):
            begun.append(before)
        begun += [before + at for at in starts]
        found.append(scalars)
    if not found:
        return None
    joined = Scalars.joined(found)
    kept = joined.tag < MOST_NAMES
    if not kept.all():
        notes.append(f"{folder}: more than {MOST_NAMES:,} tags; the others are left out")
        begun = np.cumsum(np.append(0, kept))[begun].tolist()
        joined = joined.at(kept)
    return in_generations(joined, [at for at in begun if 0 < at < len(joined)])


def _number_of(name: str, names: dict[str, int]) -> int:
    return (
        names.setdefault(name, len(names))
        if len(names) < MOST_NAMES
        else names.get(name, MOST_NAMES)
    )


def _column_name(folder: Path, main: Path, tag: bytes) -> str:
    name = one_line(tag.decode("utf-8", errors="replace"))
    if folder == main:
        return name
    inner = folder.relative_to(main).as_posix() if main in folder.parents else folder.name
    key = _key_of(inner, tag.decode("utf-8", errors="replace"))
    if key is not None:
        return one_line(f"{name}/{key}")
    return f"{inner}/{name}" if inner.lower() in _VALIDATION else name


def _goes_back(found: Sequence[Scalars], scalars: Scalars) -> bool:
    """Whether a file begins after those before it, and a tag of it no later than it had got to."""
    latest = max(float(np.nanmax(f.wall, initial=-np.inf)) for f in found)
    if float(np.nanmin(scalars.wall, initial=np.inf)) < latest:  # two writers at a time
        return False
    tags, first = np.unique(scalars.tag, return_index=True)
    for tag, step in zip(tags.tolist(), scalars.step[first].tolist(), strict=True):
        reached = next((f.step[f.tag == tag] for f in reversed(found) if tag in f.tag), None)
        if reached is not None and step <= int(reached.max()):
            return True
    return False
