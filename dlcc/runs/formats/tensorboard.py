"""TensorBoard event files: every scalar of a run, from all the files that it left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.formats.event_records import HEADER, EventRecords, stated_length
from dlcc.runs.formats.event_scalars import MOST_TAGS, EventScalars, Scalars, tags_in
from dlcc.runs.formats.quoting import one_line
from dlcc.runs.formats.raw_table import RawColumn, RawTable, Scalar
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.typing import Floats, Ints

_TIME = re.compile(r"\.tfevents\.(\d{9,11})\.")
_WALL_TIME_KEY = 0x09
_VALIDATION = frozenset(("validation", "valid", "val", "eval", "test", "dev"))
_MOST_NUMBERS = 50_000_000


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
        parts: list[_Lane] = []
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
        return _table(record, parts, list(names), config, tuple(notes))


def _is_one(file: FoundFile) -> bool:
    """Whether a file begins with the record of an event: those of examples begin otherwise."""
    head = file.head
    return len(head) > HEADER and head[HEADER] == _WALL_TIME_KEY and bool(stated_length(head[:12]))


def _begun(file: FoundFile) -> tuple[float, float]:
    """When a file was begun: by its name, then by its first record."""
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


@dataclass(frozen=True)
class _Lane:
    """Scalars of one folder in the order of writing."""

    scalars: Scalars
    """Scalars [n] whose tags are numbers of columns, the same for all folders of a run."""
    generation: Ints
    """Number [n] of the times that steps went back before."""
    occurrence: Ints
    """Number [n] of the times that the column was at the step before, since then."""
    begun: tuple[int, ...]
    """Generations that the files say to be recordings begun anew."""


def _lane(
    folder: Path,
    main: Path,
    paths: Sequence[Path],
    names: dict[str, int],
    notes: list[str],
    config: dict[str, Scalar],
) -> _Lane | None:
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
    kept = joined.tag < MOST_TAGS
    if not kept.all():
        notes.append(f"{folder}: more than {MOST_TAGS:,} tags; the others are left out")
        begun = np.cumsum(np.append(0, kept))[begun].tolist()
        joined = joined.at(kept)
    return _in_generations(joined, [at for at in begun if 0 < at < len(joined)])


def _number_of(name: str, names: dict[str, int]) -> int:
    return (
        names.setdefault(name, len(names)) if len(names) < MOST_TAGS else names.get(name, MOST_TAGS)
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


def _in_generations(scalars: Scalars, begun: Sequence[int]) -> _Lane:
    """Tell where steps went back: what a tag has from there on are further rows."""
    count = len(scalars)
    by_tag = np.argsort(scalars.tag.astype(np.uint16), kind="stable")
    tags, steps = scalars.tag[by_tag], scalars.step[by_tag]
    same = tags[1:] == tags[:-1]
    fell = np.flatnonzero(same & (steps[1:] < steps[:-1])) + 1
    falls = sorted(
        [*zip(by_tag[fell].tolist(), by_tag[fell - 1].tolist(), strict=True),
         *((at, at) for at in begun)]
    )  # fmt: skip
    starts = [0]
    for at, previous in falls:
        if previous >= starts[-1] and at > starts[-1]:
            starts.append(at)
    marks = np.zeros(count, dtype=np.int64)
    marks[starts[1:]] = 1
    generation = np.cumsum(marks)
    again = np.zeros(count, dtype=np.bool_)
    again[1:] = same & (steps[1:] == steps[:-1])
    again[1:] &= generation[by_tag[1:]] == generation[by_tag[:-1]]
    index = np.arange(count)
    first = np.maximum.accumulate(np.where(again, 0, index))
    occurrence = np.zeros(count, dtype=np.int64)
    occurrence[by_tag] = index - first
    said = sorted({starts.index(at) for at in begun if at in starts})
    return _Lane(scalars, generation, occurrence, tuple(said))


def _table(
    record: FoundRecord,
    lanes: Sequence[_Lane],
    names: Sequence[str],
    config: Mapping[str, Scalar],
    notes: tuple[str, ...],
) -> RawTable:
    """Put the scalars into rows: one for each step, and for each time that it comes again."""
    scalars = Scalars.joined([lane.scalars for lane in lanes])
    generation = np.concatenate([lane.generation for lane in lanes])
    occurrence = np.concatenate([lane.occurrence for lane in lanes])
    step, tag = scalars.step, scalars.tag
    ranks = step
    span = int(step.max()) + 1
    times = int(occurrence.max()) + 1
    if (int(generation.max()) + 1) * span * times >= 2**62:
        ranks = np.unique(step, return_inverse=True)[1]
        span = len(step)
    key = (generation * span + ranks) * times + occurrence
    keys, first, row = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(tag.astype(np.uint16), kind="stable")
    bounds = np.searchsorted(tag[order], np.arange(len(names) + 1))
    columns = {}
    for number, name in enumerate(names):
        its = order[bounds[number] : bounds[number + 1]]
        if len(its):
            columns[name] = _column(row[its], scalars.value[its])
    begun = sorted({g for lane in lanes for g in lane.begun})
    return RawTable(
        title=TensorBoard.title,
        files=record.files,
        columns=columns,
        rows=len(keys),
        steps=step[first],
        clock=scalars.wall[first],
        sessions=tuple(int(at) for at in np.searchsorted(generation[first], begun) if at > 0),
        config=config,
        notes=notes,
    )


def _column(rows: Ints, values: Floats) -> RawColumn:
    """Column of numbers in any order; of two at one place, which two folders wrote, the last."""
    if np.any(np.diff(rows) <= 0):
        order = np.argsort(rows, kind="stable")
        rows, values = rows[order], values[order]
        last = np.append(np.diff(rows) > 0, True)
        rows, values = rows[last], values[last]
    return RawColumn(rows.astype(np.int64), values)
