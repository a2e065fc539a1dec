"""P(healthy and the record true): calibrated on past runs, as draws.

P(healthy | features) · P(true | logic). The first is a Bayesian logistic regression on the health
vector where the record reaches its configured end, and the forecast where it does not; the second
one on whether obligations are refuted, fitted on records that were put to the test, some of them
doctored, and corrected to how rare these are elsewhere (King and Zeng 2001, section 4.1).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from dlcc.estimate import DRAWS, Estimate
from dlcc.health.logistic import LogisticPosterior, fit_logistic
from dlcc.past_runs.in_use import library
from dlcc.past_runs.store import Library, row
from dlcc.scoring.imputation import DOCTORED
from dlcc.typing import Floats

WITH_SAMPLES = (
    "rule_healthy",
    "rule_diverged",
    "good_quarter",
    "good_last",
    "swing",
    "coverage_last",
)
SERIES_ONLY = (
    "diverged",
    "good_quarter",
    "good_last",
    "good_best",
    "good_swing",
    "margin_last",
    "margin_swing",
    "generator_grad_last",
    "discriminator_grad_last",
    "generator_loss_swing",
    "discriminator_loss_swing",
    "discriminator_loss_last",
)
DOCTORED_WORTH = 40.0
"""Records that this opinion counts for: 90 % of it lies between 1 % and 12 %."""
COMPLETE = 0.95
"""Share of the configured length from which on a record counts as complete."""
BASE_RATE_WORTH = 2.0
"""Runs that the base rate counts for where the future of a run is not seen."""
_FEWEST_OF_A_KIND = 8  # true and doctored records
_HEALTHY = 0  # index of the label
_FLOOR = 1e-3
_UNDECIDED = 2.0  # deviations that undecided obligations alone fall short by, at most
_REFUTED = 4.5  # and with one refuted obligation, at least


@dataclass(frozen=True)
class Probability:
    """P(healthy and true), and its two factors, as draws [DRAWS]."""

    healthy: Floats
    """P(healthy | features), were the record true."""
    true: Floats
    """P(true | logic)."""
    by: str
    """What the first one comes from: the record, the forecast, or the record and the base rate."""

    @property
    def both(self) -> Floats:
        """P(healthy and true)."""
        return self.healthy * self.true


def healthy_and_true(
    vector: Mapping[str, float],
    seen: float,
    *,
    forecast: Estimate | None = None,
    logic: Estimate | None = None,
    past: Library | None = None,
) -> Probability:
    """The probability of a run that shows the share `seen` of its configured length.

    Args:
        vector: its feature vector.
        seen: at most 1.
        forecast: P(healthy) at the end, by past runs that looked like it.
        logic: the term; None where no stage fed it.
        past: the library without the run; default all of it.
    """
    known = library() if past is None else past
    true = p_true(logic, known)
    if seen >= COMPLETE:
        return Probability(p_healthy(vector, known), true, "the record")
    if forecast is not None:
        return Probability(forecast.sample("p_healthy"), true, "the forecast")
    base = base_rate(known).sample("base rate")
    healthy = seen * p_healthy(vector, known) + (1 - seen) * base
    return Probability(healthy, true, "the record and the base rate")


# --- P(healthy | features) -----------------------------------------------------------------------


def p_healthy(vector: Mapping[str, float], past: Library | None = None) -> Floats:
    """Posterior draws [DRAWS] of P(healthy) of a complete run with this health vector."""
    series_only = "coverage_last" not in vector
    fit = _fit_of_all(series_only) if past is None else calibrate(past, series_only=series_only)
    return fit.draws(row(features(series_only=series_only), vector), _normals("p_healthy"))[:, 1]


def features(*, series_only: bool) -> tuple[str, ...]:
    """The figures of the vector that P(healthy) is made of, without samples or with."""
    return SERIES_ONLY if series_only else WITH_SAMPLES


def calibrate(past: Library, *, series_only: bool) -> LogisticPosterior:
    """The fit on the honest rows of a library that have the figures: some have no samples."""
    untampered = past.untampered
    figures = untampered.columns(features(series_only=series_only), series_only=series_only)
    known = np.isfinite(figures).all(axis=1)
    healthy = (untampered.labels == _HEALTHY).astype(np.int64)
    return fit_logistic(figures[known], healthy[known], 2)


def base_rate(past: Library) -> Estimate:
    """P(healthy) of a run of which nothing is known."""
    healthy = past.labels[past.true_record] == _HEALTHY
    share = (float(healthy.sum()) + 0.5) / (len(healthy) + 1)
    return Estimate.beta(BASE_RATE_WORTH * share, BASE_RATE_WORTH * (1 - share))


@cache
def _fit_of_all(series_only: bool) -> LogisticPosterior:
    return calibrate(library(), series_only=series_only)


# --- P(true | logic) ------------------------------------------------------------------------------


def refutation(mean: Floats, sd: Floats) -> Floats:
    """0 where all obligations may hold, 1 where at least one is refuted, [n, 1].

    From how many of its standard deviations a term falls short of 1: that does not depend on how
    many obligations there were. In between, the logarithm counts.
    """
    short = np.log((1 - mean + _FLOOR) / (sd + _FLOOR))
    low, high = np.log(_UNDECIDED), np.log(_REFUTED)
    return np.asarray(np.clip((short - low) / (high - low), 0, 1))[:, None]


@dataclass(frozen=True)
class RecordFit:
    """ln P(logic | true) - ln P(logic | doctored), fitted on the records put to the test."""

    fit: LogisticPosterior
    share: float
    """Of true records among those."""
    usual_sd: float
    """Of the logic term of the true ones."""

    @classmethod
    def of(cls, past: Library) -> RecordFit | None:
        """None where too few records were put to the test."""
        mean, sd = past.term("logic").T
        tested = np.isfinite(mean) & np.isfinite(sd)
        true = past.true_record[tested].astype(np.int64)
        if min(true.sum(), len(true) - true.sum()) < _FEWEST_OF_A_KIND:
            return None
        fit = fit_logistic(refutation(mean[tested], sd[tested]), true, 2)
        usual = float(np.median(sd[tested][true == 1]))
        return cls(fit, float(true.mean()), usual)

    def log_ratio(self, logic: Estimate) -> Floats:
        """Draws [DRAWS] of the log likelihood ratio.

        What speaks for the record counts in proportion to what was checked: the fit is of records
        checked throughout, and three obligations that hold are less than a hundred.
        """
        values = logic.sample("logic")
        mean, sd = float(values.mean()), float(values.std())
        p = self.fit.draws(refutation(np.array([mean]), np.array([sd]))[0], _normals("p_true"))[
            :, 1
        ]
        ratio = _logit(p) - _logit(self.share)
        checked = min(1.0, (self.usual_sd + _FLOOR) / (sd + _FLOOR))
        return np.where(ratio > 0, checked * ratio, ratio)


def p_true(logic: Estimate | None, past: Library) -> Floats:
    """Draws [DRAWS] of the probability that the record is true.

    Without obligations, 1 less the share of doctored records; the same draws of that share go into
    both, so that leaving out obligations that hold does not pay.
    """
    prior = Estimate.beta(DOCTORED_WORTH * (1 - DOCTORED), DOCTORED_WORTH * DOCTORED)
    before = prior.sample("record")
    if logic is None:
        return before
    fit = RecordFit.of(past)
    if fit is None:
        return before * _untested(logic)
    return np.asarray(1 / (1 + np.exp(-(_logit(before) + fit.log_ratio(logic)))))


def _untested(logic: Estimate) -> float:
    """By which P(true) falls where no library says how doctored records look: the term itself."""
    draws = logic.sample("logic")
    mean, sd = float(draws.mean()), float(draws.std())
    in_doubt = refutation(np.array([mean]), np.array([sd])).item() > 0.5
    return mean if in_doubt else 1.0


def _logit(p: Floats | float) -> Floats:
    kept = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(kept / (1 - kept)))


def _normals(name: str) -> Floats:
    seed = zlib.crc32(name.encode())
    return np.random.default_rng(seed).standard_normal((DRAWS, 2))
