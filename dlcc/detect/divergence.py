"""Divergence: a loss or a gradient that grows out of the range of its own beginning."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.objective import game_objective
from dlcc.detect.training_record import TrainingRecord, finite, lasting_from, tail
from dlcc.findings import Finding
from dlcc.runs.series import Column

_TIMES = 10.0  # the last tenth against the 90 % quantile of the first half
_TIMES_GRADIENT = 100.0
_LEAST_BOUNDED = 20.0  # a cross-entropy of that size is more than a discriminator that has won
_TIMES_STEADY = {"discriminator": 10.0, "model": 100.0}
"""Growth since the first tenth of a training. A likelihood's loss may fall below 0 for good."""
_ABSURD = 1e6  # times the size of its first value: no loss is meant to grow so
_STILL_GROWS = 1.25  # the last fifth over the middle of the training
_FEWEST = 8


def check_divergence(record: TrainingRecord) -> Iterator[Finding]:
    """Find losses and gradient norms that leave the range of their first half.

    Args:
        record: Record of the training.

    Yields:
        A finding for each player whose loss, or gradient norm, diverges.
    """
    told = set()
    for name, column in record.series.columns.items():
        player, _, quantity = name.rpartition("/")
        if quantity not in ("loss", "adversarial", "reconstruction", "grad_norm") or player in told:
            continue
        if player in ("validation", "metrics"):
            continue
        times = _TIMES_GRADIENT if quantity == "grad_norm" else _TIMES
        least = _least(record, name, column)
        growth = _growth(finite(column), times, least)
        early = "of the first half"
        steady = _TIMES_STEADY.get(player.partition("_")[0])
        if growth is None and quantity != "grad_norm" and steady is not None:
            growth, early = _steady_growth(finite(column), steady), "of the first tenth"
        if growth is None:
            continue
        told.add(player)
        step, before, after = growth
        code = "GRD002" if quantity == "grad_norm" else "DIV001"
        yield Finding(
            code,
            f"{name} diverges: its size is {after:.3g} over the last tenth, and was below "
            f"{before:.3g} for 90 % {early}.",
            player=player,
            first_step=step,
            last_step=int(column.steps[-1]),
            evidence={
                early.removeprefix("of the ").replace(" ", "_"): before,
                "last_tenth": after,
                "times": after / before,
            },
        )


def _least(record: TrainingRecord, name: str, column: Column) -> float:
    """Size below which growth is no divergence: losses of a game have levels of their own."""
    player, _, quantity = name.rpartition("/")
    if quantity == "grad_norm" or not player.startswith(("generator", "discriminator")):
        return 0.0
    if (column.values[np.isfinite(column.values)] < 0).any():
        return 5.0
    pair = player.removeprefix("generator").removeprefix("discriminator")
    bounded = game_objective(record, pair).name in ("ns", "mm", "hinge", "ls", "relativistic")
    return _LEAST_BOUNDED if bounded else 5.0


def _growth(column: Column, times: float, least: float) -> tuple[int, float, float] | None:
    """Step from which a column is large, with the sizes before and after; None without growth."""
    size = np.abs(column.values)
    if len(size) < _FEWEST:
        return None
    before = float(np.quantile(size[: len(size) // 2], 0.9))
    after = float(np.median(np.abs(tail(column, 0.1, fewest=2))))
    middle = float(np.median(size[len(size) // 2 :][: max(1, len(size) // 10)]))
    scale = max(before, float(np.median(np.abs(np.diff(column.values[: len(size) // 2])))), 1e-12)
    if after <= max(times * scale, least) or after < middle / 2:
        return None
    start = lasting_from(size > max(times * scale, least), allowed=0.3)
    start = len(size) - 1 if start is None else start
    return int(column.steps[start]), before, after


def _steady_growth(column: Column, times: float) -> tuple[int, float, float] | None:
    """The same of a loss that grows from the start on, so that no half is calm.

    Whatever the objective, a discriminator's loss is of the order of 1 or shrinks with a distance:
    one that has grown tenfold since the first tenth of the training, is above 20 and grows still,
    diverges. So does any that is a million times the size of its first value.
    """
    size = np.abs(column.values)
    n = len(size)
    if n < 2 * _FEWEST:
        return None
    before = float(np.quantile(size[: max(3, n // 10)], 0.9))
    after = float(np.median(size[-max(3, n // 5) :]))
    middle = float(np.median(size[int(0.4 * n) : int(0.6 * n)]))
    absurd = _ABSURD * max(1.0, float(np.median(size[:3])))
    mark = min(max(times * before, _LEAST_BOUNDED), absurd)
    if after <= mark or (after <= _STILL_GROWS * middle and after <= absurd):
        return None
    start = lasting_from(size > mark, allowed=0.2)
    return None if start is None else (int(column.steps[start]), before, after)
