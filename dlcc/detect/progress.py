"""Progress of one loss: still falling, flat, or held back by its learning rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcc.detect.training_record import TrainingRecord, finite, tail, thinned
from dlcc.findings import Finding
from dlcc.runs.series import Column
from dlcc.typing import Floats

_FEWEST = 12
_STILL = 0.03  # of the loss's whole fall, over the last fifth
_DECAYED = 1e-3  # of the largest learning rate


@dataclass(frozen=True)
class Progress:
    """Course of a loss that one network minimises."""

    name: str
    first: float
    last: float
    fallen: bool
    """Whether it has fallen by more than chance makes of values in any order."""
    share_at_the_end: float
    """Share of its whole fall that comes in the last fifth."""


def progress_of(record: TrainingRecord) -> Progress | None:
    """Find how far the loss of a training that is no game has come.

    Args:
        record: Record of the training.

    Returns:
        Course of the loss, or of the reconstruction; None for a game, or without a loss.
    """
    if record.is_game:
        return None
    for name in ("model/loss", "model/reconstruction", "generator/loss"):
        column = record.get(name)
        if column is not None and len(finite(column).values) >= _FEWEST:
            return _course(name, thinned(finite(column), 400))
    return None


def _course(name: str, column: Column) -> Progress:
    values = column.values
    first = float(np.median(values[: max(3, len(values) // 20)]))
    last = float(np.median(tail(column, 0.1, fewest=3)))
    before = float(np.median(values[int(0.75 * len(values)) : max(int(0.85 * len(values)), 1)]))
    fall = first - last
    share = (before - last) / fall if fall > 0 else 0.0
    return Progress(name, first, last, has_fallen(values), share)


def has_fallen(values: Floats) -> bool:
    """Tell whether values fall over time, by the Mann-Whitney test of the thirds on block means.

    Args:
        values: Values [n] in the order of steps.

    Returns:
        True where the last third is below the first by more than 4 standard deviations of the
        statistic under any order.

    >>> has_fallen(np.linspace(3, 1, 60)), has_fallen(np.random.default_rng(0).normal(size=60))
    (True, False)
    """
    blocks = np.array_split(values, min(len(values), 60))
    means = np.array([block.mean() for block in blocks])
    third = len(means) // 3
    if third < 4:
        return False
    first, last = means[:third], means[-third:]
    wins = float((first[:, None] > last[None, :]).mean())
    deviation = np.sqrt((2 * third + 1) / (12 * third * third))
    return bool((wins - 0.5) / deviation > 4 or (third >= 5 and wins == 1.0))


def check_progress(record: TrainingRecord) -> Iterator[Finding]:
    """Find losses that have not come to rest, never moved, or cannot move any more.

    Args:
        record: Record of the training.

    Yields:
        Notes on the loss, and a warning for a learning rate that has decayed to nothing.
    """
    yield from _rates(record)
    course = progress_of(record)
    if course is None:
        return
    column = finite(record.series[course.name])
    evidence = {"first": course.first, "last": course.last, "share": course.share_at_the_end}
    if course.fallen and course.share_at_the_end > _STILL:
        yield Finding(
            "PRG001",
            f"{course.name} is still falling: "
            f"{100 * course.share_at_the_end:.0f} % of its whole fall from "
            f"{course.first:.4g} to {course.last:.4g} came in the last fifth.",
            player=course.name.partition("/")[0],
            last_step=int(column.steps[-1]),
            evidence=evidence,
        )
    elif not course.fallen:
        yield Finding(
            "PRG002",
            f"{course.name} has not fallen: {course.first:.4g} at the start, {course.last:.4g} at "
            "the end, and no trend beyond its noise.",
            player=course.name.partition("/")[0],
            last_step=int(column.steps[-1]),
            evidence=evidence,
        )


def _rates(record: TrainingRecord) -> Iterator[Finding]:
    for name, raw in record.rates.items():
        column = finite(raw)
        if len(column.values) < _FEWEST:
            continue
        top = float(column.values.max())
        small = column.values < _DECAYED * top
        if top <= 0 or not small[-1] or small.mean() < 0.25:
            continue
        first = int(column.steps[np.flatnonzero(~small)[-1]])
        yield Finding(
            "LRN001",
            f"The learning rate ({name}) has decayed to nothing: {column.values[-1]:.2g} of "
            f"{top:.2g}, under a thousandth for {100 * small.mean():.0f} % of the rows.",
            first_step=first,
            last_step=int(column.steps[-1]),
            evidence={"rate": float(column.values[-1]), "largest": top},
        )
