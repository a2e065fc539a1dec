"""Rows of scalars that were logged one by one, each with a name, a step and a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcc.runs.raw_table import RawColumn, RawTable, Scalar
from dlcc.runs.series_format import MAX_COLUMNS
from dlcc.typing import Bools, Floats, Ints

MOST_NAMES = MAX_COLUMNS


@dataclass(frozen=True)
class Scalars:
    """Scalars, each in its place of the same arrays [n]."""

    tag: Ints
    """Number of its name."""
    step: Ints
    wall: Floats
    """Unix time in seconds; NaN where unknown."""
    value: Floats

    def __len__(self) -> int:
        return len(self.tag)

    def at(self, which: Ints | Bools) -> Scalars:
        """Choose some, in the order of `which`."""
        return Scalars(self.tag[which], self.step[which], self.wall[which], self.value[which])

    @classmethod
    def joined(cls, parts: Sequence[Scalars]) -> Scalars:
        """Join those of several stretches."""
        return cls(
            np.concatenate([p.tag for p in parts]),
            np.concatenate([p.step for p in parts]),
            np.concatenate([p.wall for p in parts]),
            np.concatenate([p.value for p in parts]),
        )


@dataclass(frozen=True)
class Lane:
    """Scalars of one source in the order of writing."""

    scalars: Scalars
    """Scalars [n] whose tags are numbers of columns, the same for all folders of a run."""
    generation: Ints
    """Number [n] of the times that steps went back before."""
    occurrence: Ints
    """Number [n] of the times that the column was at the step before, since then."""
    begun: tuple[int, ...]
    """Generations that the files say to be recordings begun anew."""


def in_generations(scalars: Scalars, begun: Sequence[int]) -> Lane:
    """Tell where steps went back: what a name has from there on are further rows.

    Args:
        scalars: Scalars in the order of writing.
        begun: Places in them at which the format says that a recording began anew.

    Returns:
        Scalars with the generation of each.
    """
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
    return Lane(scalars, generation, occurrence, tuple(said))


def rows_of(
    title: str,
    files: tuple[Path, ...],
    lanes: Sequence[Lane],
    names: Sequence[str],
    config: Mapping[str, Scalar],
    notes: tuple[str, ...],
) -> RawTable:
    """Put scalars into rows: one for each step, and for each time that it comes again.

    Args:
        title: Format in words.
        files: Files that were read.
        lanes: Scalars of each source that was written in an order of its own.
        names: Names of columns by number.
        config: Configuration that the record states.
        notes: Sentences on what was left out.

    Returns:
        Table in the order of generations, then of steps.
    """
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
        title=title,
        files=files,
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
