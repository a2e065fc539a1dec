"""P(healthy) of a health vector, calibrated on the library of past runs.

Bayesian logistic regression of *healthy* on a few figures of the vector; its posterior gives the
credible interval. Which figures: those with samples where there are any, else those of the series.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dlcc.estimate import DRAWS
from dlcc.library.logistic import LogisticPosterior, fit_logistic
from dlcc.library.outcomes import LABELS, Outcomes, outcomes, row

Floats = NDArray[np.float64]

SIGHTED = ("rule_healthy", "rule_diverged", "good_quarter", "good_last", "swing", "coverage_last")
BLIND = (
    "diverged", "good_quarter", "good_last", "good_best", "good_swing", "margin_last",
    "margin_swing", "generator_grad_last", "discriminator_grad_last", "generator_loss_swing",
    "discriminator_loss_swing", "discriminator_loss_last",
)  # fmt: skip


def p_healthy(vector: Mapping[str, float]) -> Floats:
    """Posterior draws [DRAWS] of the probability that the run of this health vector is healthy."""
    blind = "coverage_last" not in vector
    fit = _fit_shipped(blind)
    seed = zlib.crc32(b"p_healthy")
    normals = np.random.default_rng(seed).standard_normal((DRAWS, 2))
    return fit.draws(row(features(blind=blind), vector), normals)[:, 1]


def features(*, blind: bool) -> tuple[str, ...]:
    """The figures of the vector that P(healthy) is made of, without samples or with."""
    return BLIND if blind else SIGHTED


def calibrate(library: Outcomes, *, blind: bool) -> LogisticPosterior:
    """The fit on the rows of a library."""
    healthy = (library.labels == LABELS.index("healthy")).astype(np.int64)
    return fit_logistic(library.columns(features(blind=blind), blind=blind), healthy, 2)


@cache
def _fit_shipped(blind: bool) -> LogisticPosterior:
    return calibrate(outcomes(), blind=blind)
