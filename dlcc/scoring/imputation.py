"""Imputation of a term that nobody measured: the low end of what past runs had.

Past runs that are near in the measured terms are weighed most. The imputed term has its median at
the 10 % quantile of theirs, and the whole of their range, so that leaving evidence out does not
pay.
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
"""Quantile of past runs at which an imputed term has its median."""
FEWEST_ROWS = 50.0
"""Least number of effective past runs, (Σw)²/Σw², behind a distribution. With fewer past runs that
have the measured terms, likeness in these is not looked at."""
_POWER = math.log(LOW_END) / math.log(0.5)  # u**_POWER is LOW_END where u is ½
_WIDER = 1.25  # by which the kernel grows until enough past runs lie under it


@dataclass(frozen=True)
class Imputed:
    """Term that nobody measured, with the source of its distribution."""

    estimate: Estimate
    """Distribution that stands in for the term."""
    runs: int
    """Number of past runs behind the estimate; 0 where no library knows the term."""
    given: tuple[str, ...]
    """Measured terms by whose likeness past runs were weighed."""
    usual: float = 0.5
    """Weighted median of the term in these past runs."""

    @property
    def words(self) -> str:
        """Note for the report."""
        if not self.runs:
            return "not measured: anything is possible, its low end assumed"
        like = f", nearest in {', '.join(self.given)}" if self.given else ""
        return f"not measured: low end of {self.runs:,} past runs{like}"


def impute(term: str, present: Mapping[str, Estimate], library: Library | None) -> Imputed:
    """Impute a term that nobody measured from past runs.

    Only true records with the term measured count. For `logic` doctored records count too, with
    their usual share: who leaves it out may have a record that is not true.

    Args:
        term: Name of the term.
        present: Term -> estimate of the terms that were measured.
        library: Past runs without the run itself; None where there are none.

    Returns:
        The distribution with its source. Without past runs that have the term it is
        `Estimate.ignorance()`: everything in [0, 1] is possible, the median is .1.

    >>> from dlcc.estimate import Estimate
    >>> from dlcc.scoring import impute
    >>> guess = impute("novelty", {"logic": Estimate.obligations(134, 0)}, None)
    >>> round(float(guess.estimate.quantile(0.5)), 2), guess.words
    (0.1, 'not measured: anything is possible, its low end assumed')
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
    """Gaussian weights [n] of rows [n, d] around a point [d], each column in units of its sd.

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
    """Rescale weights [n] so that doctored rows have the share `DOCTORED`.

    Weights stay as they are where all rows are of one kind.
    """
    share = float(weights[~true].sum() / weights.sum())
    if not 0 < share < 1:
        return weights
    return np.where(true, weights * (1 - DOCTORED) / (1 - share), weights * DOCTORED / share)


def low_end(values: Floats, weights: Floats) -> Estimate:
    """Distribution at the low end of `values` [n] under `weights` [n].

    It has the draws Q(u^k) of their quantile function Q, u uniform. With k = ln .1 / ln ½ the
    median is Q(.1), and the range that of the values.
    """
    u = (np.arange(DRAWS) + 0.5) / DRAWS
    return Estimate.draws(quantiles(values, weights, u**_POWER))


def quantiles(values: Floats, weights: Floats, at: Floats) -> Floats:
    """Quantiles [m] of `values` [n] under `weights` [n] at the probabilities `at` [m].

    Between the values they are interpolated linearly.
    """
    order = np.argsort(values, kind="stable")
    mass = weights[order] / weights.sum()
    return np.interp(at, np.cumsum(mass) - mass / 2, np.clip(values[order], 0, 1))
