"""Evidence in series: whether their order in time says anything at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcc.detect.training_record import TrainingRecord, common, finite
from dlcc.typing import Floats

_LEVEL = 0.05
_SHUFFLES = 199
_BLOCKS = (0, 50, 20)  # means over so many blocks of rows; 0: the rows themselves
_FEWEST = 12
_MOST_ROWS = 2_000


@dataclass(frozen=True)
class Evidence:
    """Outcome of tests whether the order of the rows matters."""

    says_something: bool
    p_order: float
    """Least p of tests against shuffled orders, corrected for their number."""
    p_coupling: float | None
    """p of the coupling of both players' innovations; None for no game."""
    why: str
    """Reason in words."""


def evidence_of(record: TrainingRecord, seed: int = 0) -> Evidence:
    """Test whether the series of a training say anything.

    Rows whose order does not matter, and players that do not feel each other, say nothing about a
    training: noise, constants, too few rows.

    Args:
        record: Record of the training.
        seed: Seed of the shuffles.

    Returns:
        Evidence; it says something where the order of any loss is not that of chance, or the
        players' innovations are coupled.

    >>> from dlcc.runs.series import Series
    >>> noise = np.random.default_rng(0).normal(size=(2, 200))
    >>> series = Series.from_start({"discriminator/loss": noise[0], "generator/loss": noise[1]})
    >>> evidence_of(TrainingRecord(series, "gan")).says_something
    False
    """
    rng = np.random.default_rng(seed)
    columns = [finite(column) for _, column in record.losses()] or [
        finite(column) for column in record.series.columns.values()
    ]
    columns = [c for c in columns if len(c.values) >= _FEWEST and np.ptp(c.values) > 0]
    if not columns:
        most = max((len(c.values) for c in record.series.columns.values()), default=0)
        why = (
            f"{most} rows are too few" if most < _FEWEST else "the losses keep one value throughout"
        )
        return Evidence(False, 1.0, None, why)
    order = min(1.0, min(_order(column.values, rng) for column in columns[:6]) * len(columns[:6]))
    coupling = _coupling(record)
    if order <= _LEVEL:
        return Evidence(True, order, coupling, "the losses change over time by more than chance")
    if coupling is not None and coupling <= _LEVEL / 5:
        return Evidence(True, order, coupling, "the players' losses move together")
    return Evidence(
        False, order, coupling, "the rows could stand in any order: nothing changes beyond noise"
    )


def _order(values: Floats, rng: np.random.Generator) -> float:
    """Least p of trend, lag 1 and early against late, at rows and at block means, corrected."""
    smallest, tests = 1.0, 0
    for blocks in _BLOCKS:
        means = _blocks(values, blocks)
        if means is None:
            continue
        ranks = np.argsort(np.argsort(means)).astype(np.float64)
        ranks -= ranks.mean()
        shuffled = rng.permuted(np.tile(ranks, (_SHUFFLES, 1)), axis=1)
        own, of_chance = _statistics(ranks[None, :])[0], _statistics(shuffled)
        beaten = (of_chance >= own[None, :]).sum(axis=0)
        p = np.where(beaten, (1 + beaten) / (_SHUFFLES + 1), _beyond(own, of_chance))
        smallest, tests = min(smallest, float(p.min())), tests + len(own)
    # the tests share their rows: half of Bonferroni's correction is near what simulation gives
    return min(1.0, smallest * max(1, tests / 2))


def _beyond(own: Floats, of_chance: Floats) -> Floats:
    """p [k] of statistics that no shuffle [n, k] reaches, by their distance from the shuffles'."""
    z = (own - of_chance.mean(axis=0)) / np.maximum(of_chance.std(axis=0), 1e-12)
    p: Floats = np.minimum(np.exp(-(np.minimum(z, 40.0) ** 2) / 2), 1 / (_SHUFFLES + 1))
    return p


def _blocks(values: Floats, blocks: int) -> Floats | None:
    if not blocks:
        step = -(-len(values) // _MOST_ROWS)
        return values[::step]
    if len(values) < 3 * blocks:
        return None
    return np.array([part.mean() for part in np.array_split(values, blocks)])


def _statistics(ranks: Floats) -> Floats:
    """Statistics [k, 4] of rank series [k, n]: trend, lag 1, early against late, their spreads."""
    n = ranks.shape[1]
    time = np.arange(n) - (n - 1) / 2
    size = (ranks * ranks).sum(axis=1)
    third = n // 3
    early, late = ranks[:, :third], ranks[:, -third:]
    return np.stack(
        (
            np.abs(ranks @ time) / np.sqrt(size * (time @ time)),
            (ranks[:, 1:] * ranks[:, :-1]).sum(axis=1) / size,
            np.abs(early.mean(axis=1) - late.mean(axis=1)),
            np.abs(np.log(early.std(axis=1) + 1e-9) - np.log(late.std(axis=1) + 1e-9)),
        ),
        axis=1,
    )


def _coupling(record: TrainingRecord) -> float | None:
    """p of the correlation of both players' innovations at lags of -1, 0 and 1."""
    smallest = None
    for pair in record.pairs if record.is_game else ():
        d, g = record.loss_of(f"discriminator{pair}"), record.loss_of(f"generator{pair}")
        if d is None or g is None:
            continue
        _, a, b = common(d, g)
        if len(a) < 2 * _FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
            continue
        a, b = _innovations(a[-_MOST_ROWS:]), _innovations(b[-_MOST_ROWS:])
        if np.ptp(a) == 0 or np.ptp(b) == 0:
            continue
        p = _p_of_correlation(a, b)
        smallest = p if smallest is None else min(smallest, p)
    return smallest


def _innovations(values: Floats) -> Floats:
    """Values less what the one before says about each."""
    x, y = values[:-1] - values[:-1].mean(), values[1:] - values[1:].mean()
    slope = float(x @ y / (x @ x)) if (x @ x) > 0 else 0.0
    rest: Floats = y - slope * x
    return np.argsort(np.argsort(rest)).astype(np.float64)


def _p_of_correlation(a: Floats, b: Floats) -> float:
    n = len(a)
    found = max(
        abs(
            float(
                np.corrcoef(a[max(0, lag) : n + min(0, lag)], b[max(0, -lag) : n - max(0, lag)])[
                    0, 1
                ]
            )
        )
        for lag in (-1, 0, 1)
    )
    z = np.arctanh(min(found, 1 - 1e-12)) * np.sqrt(n - 4)
    tail = float(np.exp(-z * z / 2) / (1 + z))  # above that of the normal distribution
    return min(1.0, 3 * tail)
