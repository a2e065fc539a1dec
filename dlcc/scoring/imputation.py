"""What stands in for a term that nobody measured: the low end of what past runs had.

Past runs near in the terms that are there are weighed most; the imputed term has its median at the
10 % quantile of theirs and the whole of their range, so that leaving evidence out does not pay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.estimate import DRAWS, Estimate
from dlcc.past_runs.store import TERMS, Library
from dlcc.typing import Floats

DOCTORED = 0.05
"""Share of records that are not true, before any is checked."""
LOW_END = 0.1
"""The quantile of past runs at which an imputed term has its median."""
FEWEST_ROWS = 50.0
"""Effective past runs, (Σw)²/Σw², that a distribution must rest on; also those below which the
terms that are there are not looked at."""
_POWER = math.log(LOW_END) / math.log(0.5)  # u**_POWER is LOW_END where u is ½
_WIDER = 1.25  # by which the kernel grows until enough past runs lie under it


@dataclass(frozen=True)
class Imputed:
    """A term that nobody measured, and where its distribution comes from."""

    estimate: Estimate
    runs: int
    """Past runs that it rests on; 0 where no library knows the term."""
    given: tuple[str, ...]
    """The terms by whose likeness these were weighed."""
    usual: float = 0.5
    """The median of these past runs."""

    @property
    def words(self) -> str:
        """A note for the report."""
        if not self.runs:
            return "not measured: anything is possible, its low end assumed"
        like = f", nearest in {', '.join(self.given)}" if self.given else ""
        return f"not measured: low end of {self.runs:,} past runs{like}"


def impute(term: str, present: Mapping[str, Estimate], library: Library | None) -> Imputed:
    """The distribution that stands in for `term` where the terms `present` were measured.

    Only honest rows with the term measured count; for `logic` the doctored ones too, but for no
    more than their usual share: who leaves it out may have a record that is not true. Without any,
    or without a library, nothing is known and all of [0, 1] possible.
    """
    if library is None or term not in TERMS:
        return Imputed(Estimate.ignorance(), 0, ())
    means = library.terms[:, :, 0]
    known = np.isfinite(means[:, TERMS.index(term)])
    if term != "logic":
        known &= library.true_record
    given = tuple(name for name in TERMS if name in present and name != term)
    rows = known & np.isfinite(means[:, [TERMS.index(name) for name in given]]).all(axis=1)
    if rows.sum() < FEWEST_ROWS:
        given, rows = (), known
    if not rows.any():
        return Imputed(Estimate.ignorance(), 0, ())
    values = means[rows, TERMS.index(term)]
    near = np.ones(len(values))
    if given:
        points = means[rows][:, [TERMS.index(name) for name in given]]
        near = kernel_weights(points, np.array([present[name].mean for name in given]))
    near = as_usual(near, library.true_record[rows])
    usual = float(quantiles(values, near, np.array([0.5]))[0])
    return Imputed(low_end(values, near), len(values), given, usual)


def kernel_weights(points: Floats, at: Floats) -> Floats:
    """Gaussian weights [n] of rows [n, d] around a point [d], each column in its deviations.

    The bandwidth starts at Scott's, n^(-1/(d + 4)) (Scott 1992, section 6.3.1), and grows until
    `FEWEST_ROWS` effective rows are under the kernel, or all of fewer rows.
    """
    n, d = points.shape
    scale = np.maximum(points.std(axis=0), 1e-3)  # a term that hardly varies says little
    squares = (((points - at) / scale) ** 2).sum(axis=1)
    squares -= squares.min()  # far from all rows, the nearest still count
    bandwidth = n ** (-1 / (d + 4))
    while True:
        weights = np.exp(-0.5 * squares / bandwidth**2)
        if weights.sum() ** 2 / (weights**2).sum() >= min(FEWEST_ROWS, 0.99 * n):
            return np.asarray(weights / weights.sum())
        bandwidth *= _WIDER


def as_usual(weights: Floats, true: NDArray[np.bool_]) -> Floats:
    """Weights [n] of which doctored rows have `DOCTORED` where there are both kinds, else all."""
    share = float(weights[~true].sum() / weights.sum())
    if not 0 < share < 1:
        return weights
    return np.where(true, weights * (1 - DOCTORED) / (1 - share), weights * DOCTORED / share)


def low_end(values: Floats, weights: Floats) -> Estimate:
    """Draws Q(u^k) of the quantile function Q of `values` [n] under `weights` [n], u uniform.

    With k = ln .1 / ln ½ the median is Q(.1), and the range that of the values.
    """
    u = (np.arange(DRAWS) + 0.5) / DRAWS
    return Estimate.draws(quantiles(values, weights, u**_POWER))


def quantiles(values: Floats, weights: Floats, at: Floats) -> Floats:
    """Of `values` [n] under `weights` [n], at the probabilities `at` [m]; linear in between."""
    order = np.argsort(values, kind="stable")
    mass = weights[order] / weights.sum()
    return np.interp(at, np.cumsum(mass) - mass / 2, np.clip(values[order], 0, 1))
