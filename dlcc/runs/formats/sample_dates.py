"""Dates of sample files on the axis of a record: by their names, their times or their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dlcc.runs.axis import StepAxis
from dlcc.runs.axis.step_axis import what_counts
from dlcc.runs.formats.sample_names import SampleName
from dlcc.runs.raw_table import RawTable
from dlcc.typing import Floats, Ints

_SPARE = 1.05  # share of the last step that a plain number may reach to be a step
_REACHES = 0.3  # share of the last step that it must reach
_WITHIN = 0.8  # share of the files that must have been written while the record was


@dataclass(frozen=True)
class Timeline:
    """Course of a record that files beside it are dated on."""

    unit: str
    """Unit of a step, as `StepAxis.unit`."""
    last: int
    """Last step."""
    first: int = 0
    per_epoch: int | None = None
    """Steps of an epoch, where known."""
    counts: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)
    """Counts [n], ascending, and the steps [n] at which each was first reached, by what is
    counted."""
    clock: tuple[Floats, Floats] = field(default_factory=lambda: (np.zeros(0), np.zeros(0)))
    """Steps [n] and Unix times [n] in seconds."""

    @classmethod
    def of(
        cls, table: RawTable, axis: StepAxis, rows: slice, clock: tuple[Floats, Floats]
    ) -> Timeline:
        """Take the course of a session.

        Args:
            table: Raw table.
            axis: Its axis.
            rows: Rows of the session.
            clock: Steps [n] and Unix times [n] of the rows that have a time.

        Returns:
            Course.
        """
        steps = axis.steps[rows].astype(np.float64)
        counts = {}
        for name in sorted(axis.columns):
            what = what_counts(name)
            if what is None or name not in table.columns:
                continue
            values = table.dense(name)[rows]
            there = np.isfinite(values)
            reached, at = np.unique(values[there], return_index=True)
            if len(reached) > 1:
                counts[what] = (reached, np.maximum.accumulate(steps[there][at]))
        first, last = (int(steps.min()), int(steps.max())) if len(steps) else (0, 0)
        return cls(axis.unit, last, first, axis.per_epoch, counts, clock)

    def steps_of(self, numbers: Floats, unit: str) -> Floats | None:
        """Convert counts of a unit to steps.

        Args:
            numbers: Counts [n].
            unit: What they count: `step`, `epoch`, `kimg` or `tick`.

        Returns:
            Steps [n]; None where the record does not tell.
        """
        if unit == self.unit or (unit == "step" and self.unit == "iteration"):
            return numbers
        if unit == "kimg" and self.unit == "image":
            return numbers * 1_000
        if unit == "epoch" and self.per_epoch is not None:
            return numbers * self.per_epoch
        if unit in self.counts:
            reached, steps = self.counts[unit]
            if numbers.max() <= _SPARE * reached[-1] + 1:
                return np.asarray(np.interp(numbers, reached, steps))
        return None

    @property
    def epochs(self) -> float | None:
        """Number of epochs up to the last step; None where the record does not tell."""
        if self.per_epoch is not None:
            return self.last / self.per_epoch
        return float(self.counts["epoch"][0][-1]) if "epoch" in self.counts else None


def date(
    names: Sequence[SampleName], times: Sequence[float], timeline: Timeline
) -> tuple[list[int], str]:
    """Date the files of one family.

    Args:
        names: Files, sorted by their numbers.
        times: Unix time in seconds at which each was written.
        timeline: Course of the record.

    Returns:
        Step of each file, and how it was told, in words.

    >>> names = [SampleName.of(f"fake_epoch_{epoch:03d}.png") for epoch in (1, 2, 3)]
    >>> date(names, [0.0, 0.0, 0.0], Timeline("iteration", 1_500, per_epoch=500))
    ([500, 1000, 1500], 'the epoch in their names')
    """
    found = _by_name(names, timeline) or _by_time(names, times, timeline)
    steps, said = found or _by_order(names, times, timeline)
    near = _SPARE * timeline.last + (timeline.per_epoch or 1)
    ended = np.where(steps <= near, np.minimum(steps, timeline.last + 1), steps)
    return [max(0, round(float(step))) for step in ended], said


def _by_name(names: Sequence[SampleName], timeline: Timeline) -> tuple[Floats, str] | None:
    units = names[0].units
    numbers = _numbers(names)
    if numbers is None:
        return None
    epochs = None
    if "epoch" in units:
        epochs = numbers[:, units.index("epoch")]
    for unit in ("kimg", "step", "batch", "tick"):
        if unit not in units:
            continue
        counted = numbers[:, units.index(unit)]
        if epochs is not None and unit != "kimg" and not _goes_on(epochs, counted):
            long = timeline.per_epoch or 0
            share = counted / (long if long >= counted.max() > 0 else counted.max() + 1)
            steps = timeline.steps_of(epochs + share, "epoch")
            return None if steps is None else (steps, f"the epoch and the {unit} in their names")
        if unit != "batch" and (steps := timeline.steps_of(counted, unit)) is not None:
            return steps, f"the {unit} in their names"
    if epochs is not None and (steps := timeline.steps_of(epochs, "epoch")) is not None:
        return steps, "the epoch in their names"
    return _by_plain_number(_varied(numbers), timeline)


def _numbers(names: Sequence[SampleName]) -> Floats | None:
    """Numbers [files, k] of the names; None where there are none, or not as many everywhere."""
    if not names[0].numbers or len({len(name.numbers) for name in names}) > 1:
        return None
    return np.array([name.numbers for name in names], dtype=np.float64)


def _varied(numbers: Floats) -> Floats:
    """First of the numbers that is not the same in all names."""
    varied = np.flatnonzero(np.ptp(numbers, axis=0) > 0)
    return np.asarray(numbers[:, varied[0] if len(varied) else 0])


def _goes_on(epochs: Floats, counted: Floats) -> bool:
    """Whether a count rises from epoch to epoch, rather than begin anew in each."""
    order = np.lexsort((counted, epochs))
    rises, anew = np.diff(counted[order]), np.diff(epochs[order]) > 0
    return bool((rises >= 0).all() and (rises[anew] > 0).all())


def _by_plain_number(numbers: Floats, timeline: Timeline) -> tuple[Floats, str] | None:
    """Steps by a number without a unit: epochs where it fits those, else steps."""
    most, last, epochs = numbers.max(), timeline.last, timeline.epochs
    if epochs is not None and timeline.unit != "epoch" and most <= _SPARE * epochs + 1 < last:
        steps = timeline.steps_of(numbers, "epoch")
        if steps is not None:
            return steps, "the numbers in their names, taken for epochs"
    if _REACHES * last <= most <= _SPARE * last + 1:
        return numbers, f"the numbers in their names, taken for {timeline.unit}s"
    return None


def _by_time(
    names: Sequence[SampleName], times: Sequence[float], timeline: Timeline
) -> tuple[Floats, str] | None:
    """Steps by when files were written; None where that was not while the record was."""
    steps, clock = timeline.clock
    if len(clock) < 2 or np.ptp(clock) <= 0 or (np.diff(clock) < 0).any():
        return None
    written = np.array(times, dtype=np.float64)
    span = float(np.ptp(clock))
    during = (written >= clock[0] - 0.02 * span) & (written <= clock[-1] + 0.1 * span)
    if during.mean() < _WITHIN or np.ptp(written) < _REACHES * span:
        return None
    return np.interp(written, clock, steps), "the times at which they were written"


def _by_order(
    names: Sequence[SampleName], times: Sequence[float], timeline: Timeline
) -> tuple[Floats, str]:
    """Steps spread evenly, in the order of the numbers, or of the times where there are none."""
    numbers = _numbers(names)
    keys = np.array(times, dtype=np.float64) if numbers is None else _varied(numbers)
    _, place = np.unique(keys, return_inverse=True)
    share = (place + 1) / (place.max() + 1)
    what = "times" if numbers is None else "numbers in their names"
    return (
        timeline.first + share * (timeline.last - timeline.first),
        f"their order alone, evenly over the record: the {what} fit none of its counts",
    )


def thinned(steps: Sequence[int], most: int) -> Ints:
    """Choose at most so many of the distinct steps, evenly.

    Args:
        steps: Steps.
        most: Number to keep.

    Returns:
        Steps, ascending.
    """
    distinct = np.unique(np.array(steps, dtype=np.int64))
    if len(distinct) <= most:
        return distinct
    return distinct[np.linspace(0, len(distinct) - 1, most).round().astype(np.int64)]
