"""Points of MLflow metrics, of its files and of its database alike."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.formats.quoting import one_line
from dlcc.runs.formats.scalar_rows import MOST_NAMES, Scalars, in_generations, rows_of
from dlcc.runs.raw_table import RawTable, Scalar
from dlcc.typing import Floats, Ints

MOST_POINTS = 20_000_000


@dataclass
class Points:
    """Points of one metric in the order of writing."""

    times: array[float] = field(default_factory=lambda: array("d"))
    """Unix times in milliseconds."""
    values: array[float] = field(default_factory=lambda: array("d"))
    steps: array[int] = field(default_factory=lambda: array("q"))

    def add(self, time: float, value: float, step: int) -> None:
        """Add a point.

        Raises:
            ValueError: The step is negative, or no run has so many.
        """
        if not 0 <= step < 2**53:
            raise ValueError("no step")
        self.times.append(time)
        self.values.append(value)
        self.steps.append(step)


def table_of(
    title: str,
    files: tuple[Path, ...],
    points: Mapping[str, Points],
    config: Mapping[str, Scalar],
    notes: tuple[str, ...],
) -> RawTable:
    """Put the metrics of a run together.

    Args:
        title: Format in words.
        files: Files that were read.
        points: Points by the metric's own name.
        config: Parameters of the run.
        notes: Sentences on what was left out.

    Returns:
        Table with a row for each step. Metrics without steps count by their order where none has
        steps, and stand at the step that the others had reached where some have.

    Raises:
        RunError: There is no point.
    """
    there = {name: p for name, p in list(points.items())[:MOST_NAMES] if len(p.values)}
    if not there:
        said = f" ({notes[0]})" if notes else ""
        raise RunError(f"{files[0]}: no value of any metric{said}; log losses with log_metric")
    if len(points) > MOST_NAMES:
        notes = (*notes, f"{files[0]}: more than {MOST_NAMES:,} metrics; the others are left out")
    times = [_rising(np.array(p.times)) for p in there.values()]
    steps = _steps([np.array(p.steps, dtype=np.int64) for p in there.values()], times)
    order = np.argsort(np.concatenate(times), kind="stable")
    scalars = Scalars(
        np.repeat(np.arange(len(there)), [len(t) for t in times]),
        np.concatenate(steps),
        np.concatenate(times) / 1e3,
        np.concatenate([np.array(p.values) for p in there.values()]),
    ).at(order)
    lane = in_generations(scalars, ())
    names = _unique([one_line(name) for name in there])
    made = rows_of(title, files, [lane], names, config, notes)
    if any(step.any() for step in steps):
        return made
    return RawTable(**{**vars(made), "steps": None})


def _unique(names: list[str]) -> list[str]:
    """Names of which each comes once."""
    return [f"{n} ({i})" if names.index(n) != i else n for i, n in enumerate(names)]


def _rising(times: Floats) -> Floats:
    """Times of one metric in the order of writing, which clocks may contradict."""
    rising: Floats = np.maximum.accumulate(np.nan_to_num(times))
    return rising


def _steps(steps: list[Ints], times: list[Floats]) -> list[Ints]:
    """Steps of each metric; of one without any, those that the others had reached by then."""
    stepped = [at for at, own in enumerate(steps) if own.any() or len(own) == 1]
    if not any(steps[at].any() for at in stepped):
        return steps
    when = np.concatenate([times[at] for at in stepped])
    order = np.argsort(when, kind="stable")
    when, reached = when[order], np.concatenate([steps[at] for at in stepped])[order]
    found = []
    for at, own in enumerate(steps):
        if at not in stepped:
            last = np.searchsorted(when, times[at], side="right") - 1
            own = np.where(last < 0, 0, reached[np.maximum(last, 0)])
        found.append(own)
    return found
