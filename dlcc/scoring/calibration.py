"""Probability that a run is healthy and its record true, calibrated on past runs, as draws.

It is P(healthy | features) · P(true | logic). The first factor is a Bayesian logistic regression on
the health vector where the record reaches its configured end, and the forecast where it does not.
The second is one on whether obligations are refuted, fitted on records that were put to the test,
some of them doctored, and corrected to how rare these are elsewhere (King and Zeng 2001, section
4.1).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from dlcc.estimate import DRAWS, Estimate
from dlcc.health.good import as_varied
from dlcc.health.logistic import LogisticPosterior, fit_logistic
from dlcc.metrics.features import UNTRAINED
from dlcc.past_runs.in_use import library
from dlcc.past_runs.store import COMPLETE, Library, comparable, row
from dlcc.scoring.imputation import DOCTORED
from dlcc.scoring.shapley import FEWEST_OF_A_KIND
from dlcc.typing import Floats

WITH_SAMPLES = (
    "rule_healthy",
    "rule_diverged",
    "good_quarter",
    "good_last",
    "swing",
    "coverage_last",
)
DISTANCE = ("space_frechet_last",)
"""Figure that tells most of a run whose images were compared in the space of past runs', and
carries over best to data and architectures that none had (benchmarks/verdicts_on_images.py)."""
RELATIVE = ("rule_healthy", "good_quarter")
"""Figures that mean the same in every space of features, for those that no past run was in."""
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
"""Number of records that the prior share of doctored records counts for: 90 % of the prior lies
between 1 % and 12 %."""
BASE_RATE_WORTH = 2.0
"""Number of runs that the base rate counts for where the future of a run is not seen."""
_HEALTHY = 0  # index of the label
_PROBABLY_NOT, _SURELY_NOT = 0.2, 0.05  # by the distance, and by the definitions of good
_FLOOR = 1e-3
_UNDECIDED = 2.0  # deviations that undecided obligations alone fall short by, at most
_REFUTED = 4.5  # and with one refuted obligation, at least


@dataclass(frozen=True)
class Probability:
    """Probability of healthy and true, and its two factors, as draws [DRAWS]."""

    healthy: Floats
    """Draws [DRAWS] of P(healthy | features), if the record is true."""
    true: Floats
    """Draws [DRAWS] of P(true | logic)."""
    by: str
    """Source of P(healthy | features): the record, the forecast, or the record and the base
    rate."""

    @property
    def both(self) -> Floats:
        """Draws [DRAWS] of P(healthy and true)."""
        return self.healthy * self.true


def healthy_and_true(
    vector: Mapping[str, float],
    seen: float,
    *,
    forecast: Estimate | None = None,
    logic: Estimate | None = None,
    past: Library | None = None,
    relative: bool = False,
    space: str = "",
) -> Probability:
    """Compute the probability that a run is healthy and its record true.

    It is P(healthy | features) · P(true | logic), each by a Bayesian logistic regression on past
    runs; the second is corrected to how rare doctored records are (King and Zeng 2001, section
    4.1).

    Args:
        vector: Feature -> value of the run's health vector.
        seen: Share of its configured length that the record covers, 0 to 1.
        forecast: P(healthy) at the end, by past runs that looked like it; used for a record that is
            not complete, and for one without samples: past runs as a whole tell more than the few
            figures that the regression sees.
        logic: Estimate of the term logic; None where no stage fed it.
        past: Library without the run itself; by default the library in use.
        relative: Whether samples were held against data in a space of features.
        space: Name of that space.

    Returns:
        P(healthy) and P(true) as draws [DRAWS], and what the first comes from.

    Raises:
        LibraryError: No `past` is given, and the user's own library cannot be used.
        PluginError: No `past` is given, and an installed kind of training cannot be used.

    >>> from dlcc.estimate import Estimate
    >>> from dlcc.scoring import healthy_and_true
    >>> good = dict(rule_healthy=1, rule_diverged=0, good_quarter=1, good_last=1, swing=0.1)
    >>> found = healthy_and_true({**good, "coverage_last": 0.95}, 1.0)
    >>> found.by, float(found.healthy.mean()) > 0.9
    ('the record', True)
    """
    known = library() if past is None else past
    true = p_true(logic, known)
    by_series = "coverage_last" not in vector
    certain = vector.get("diverged", 0.0) > 0
    if seen >= COMPLETE and (forecast is None or not by_series or certain):
        return Probability(
            p_healthy(vector, known, relative=relative, space=space), true, "the record"
        )
    if forecast is not None:
        return Probability(forecast.sample("p_healthy"), true, "the forecast")
    base = base_rate(known).sample("base rate")
    of_record = p_healthy(vector, known, relative=relative, space=space)
    healthy = seen * of_record + (1 - seen) * base
    return Probability(healthy, true, "the record and the base rate")


# --- P(healthy | features) -----------------------------------------------------------------------


def p_healthy(
    vector: Mapping[str, float],
    past: Library | None = None,
    *,
    relative: bool = False,
    space: str = "",
) -> Floats:
    """Draw [DRAWS] from the posterior of P(healthy) of a complete run with this health vector.

    `relative` says that its samples were held against data in a space of features, `space` in
    which: distances in another one than past runs' say nothing.
    """
    series_only = "coverage_last" not in vector
    names = comparable(features(series_only=series_only), vector)
    if relative:
        alike = space == UNTRAINED and _tell(library() if past is None else past)
        names = DISTANCE if alike else RELATIVE
    fit = (
        _fit_of_all(names, series_only)
        if past is None
        else calibrate(past, series_only=series_only, names=names)
    )
    drawn = fit.draws(row(names, vector), _normals("p_healthy"))[:, 1]
    if names != DISTANCE:
        return drawn
    drawn = drawn * as_varied(vector["space_density_last"], vector["space_frechet_last"])
    if drawn.mean() < _PROBABLY_NOT and {*RELATIVE} <= {*vector}:
        known = (library() if past is None else past).as_given
        defined = calibrate(known, series_only=False, names=RELATIVE)
        by_definition = defined.draws(row(RELATIVE, vector), _normals("p_healthy"))[:, 1]
        if by_definition.mean() < _SURELY_NOT:  # both judges agree
            return np.minimum(drawn, by_definition)
    return drawn


def _tell(past: Library) -> bool:
    """Tell whether enough past runs of either kind had their samples compared in features."""
    healthy = past.untampered.in_features.labels == _HEALTHY
    return min(int(healthy.sum()), int((~healthy).sum())) >= FEWEST_OF_A_KIND


def features(*, series_only: bool) -> tuple[str, ...]:
    """Names of the figures that P(healthy) is made of, without samples or with."""
    return SERIES_ONLY if series_only else WITH_SAMPLES


def calibrate(
    past: Library, *, series_only: bool, names: Sequence[str] | None = None
) -> LogisticPosterior:
    """Fit P(healthy) on the untampered rows of a library that have the figures it is made of.

    `names` are those of the figures that a run has; all of them by default.
    """
    untampered = past.untampered
    used = features(series_only=series_only) if names is None else names
    figures = untampered.columns(used, series_only=series_only)
    known = np.isfinite(figures).all(axis=1)
    healthy = (untampered.labels == _HEALTHY).astype(np.int64)
    return fit_logistic(figures[known], healthy[known], 2)


def base_rate(past: Library) -> Estimate:
    """Estimate P(healthy) of a run of which nothing is known."""
    healthy = past.labels[past.true_record] == _HEALTHY
    share = (float(healthy.sum()) + 0.5) / (len(healthy) + 1)
    return Estimate.beta(BASE_RATE_WORTH * share, BASE_RATE_WORTH * (1 - share))


@cache
def _fit_of_all(names: tuple[str, ...], series_only: bool) -> LogisticPosterior:
    return calibrate(library(), series_only=series_only, names=names)


# --- P(true | logic) ------------------------------------------------------------------------------


def refutation(mean: Floats, sd: Floats) -> Floats:
    """Turn the logic terms of n records, mean [n] and sd [n], into a figure [n, 1].

    It is 0 where all obligations may hold and 1 where at least one is refuted. It is made of the
    number of standard deviations by which the term falls short of 1: that does not depend on how
    many obligations there were. In between, the logarithm of that number counts.
    """
    short = np.log((1 - mean + _FLOOR) / (sd + _FLOOR))
    low, high = np.log(_UNDECIDED), np.log(_REFUTED)
    return np.asarray(np.clip((short - low) / (high - low), 0, 1))[:, None]


@dataclass(frozen=True)
class RecordFit:
    """Log likelihood ratio ln P(logic | true) - ln P(logic | doctored), fitted on past records that
    were put to the test."""

    fit: LogisticPosterior
    share: float
    """Share of true records among those that were put to the test."""
    usual_sd: float
    """Median standard deviation of the logic term of the true records."""

    @classmethod
    def of(cls, past: Library) -> RecordFit | None:
        """Fit the ratio on a library; None where too few records were put to the test."""
        mean, sd = past.term("logic").T
        tested = np.isfinite(mean) & np.isfinite(sd)
        true = past.true_record[tested].astype(np.int64)
        if min(true.sum(), len(true) - true.sum()) < FEWEST_OF_A_KIND:
            return None
        fit = fit_logistic(refutation(mean[tested], sd[tested]), true, 2)
        usual = float(np.median(sd[tested][true == 1]))
        return cls(fit, float(true.mean()), usual)

    def log_ratio(self, logic: Estimate) -> Floats:
        """Draw [DRAWS] from the log likelihood ratio of a record with this logic term.

        Evidence for the record counts in proportion to what was checked: the fit is of records
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
    """Draw [DRAWS] from the probability that the record is true.

    Without obligations it is 1 less the share of doctored records. The same draws of that share go
    into both cases, so that leaving out obligations that hold does not pay.
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
    """Factor by which P(true) falls where no library says how doctored records look.

    It is the term itself where the record is in doubt, else 1.
    """
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
