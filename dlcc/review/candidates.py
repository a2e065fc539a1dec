"""Candidates for review, queued: first the run whose verdict would move P(healthy) most.

The order is by the expected movement of P(healthy) of all the runs, over both answers; not by how
uncertain the run is: where P(healthy) is .5 and rightly so, an answer moves little. The movement of
the weights does not count: it would prefer runs with unusual terms, which are no fair sample to
calibrate on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlcc.errors import OptionError
from dlcc.review.effect import SHIFT_SD, SLOPE_SD, Recalibration, logit, review_effect, sigmoid
from dlcc.review.reviews import Review
from dlcc.typing import Floats

if TYPE_CHECKING:
    from dlcc.report.record import Report


_INTERVAL_SDS = 3.29  # standard deviations that a central 90 % interval of a normal is wide
_NEAR = 0.005  # distance of two runs' figures at which they are much the same


@dataclass(frozen=True)
class Candidate:
    """Evaluated run that could be reviewed."""

    name: str
    """Name of the run."""
    terms: Mapping[str, tuple[float, float]]
    """Term -> its mean and standard deviation."""
    p_healthy: float
    """P(healthy) by the library alone, before any review."""
    label: str = ""
    """Label of the verdict."""
    evidence: Sequence[str] = ()
    """Evidence for the verdict, in sentences."""
    digest: str = ""
    """Digest of the run's record; copies share it."""


def candidate_of(report: Report, *, name: str, digest: str = "") -> Candidate:
    """Make the candidate of a run from its report.

    Args:
        report: Report of the run, made without reviews (`evaluate(run, reviews=())`).
        name: Name of the run.
        digest: Digest of the run's record, such as `dlcc.past_runs.twins.first_rows_hash` gives.

    Returns:
        The candidate, with the terms that were measured.

    Raises:
        OptionError: The report has no P(healthy): nothing told of the run's health.
    """
    verdict = report.verdict
    if verdict.p_healthy is None:
        raise OptionError(f"{name}: {verdict.sentence} So there is nothing to review.")
    terms = {
        term.name: (term.mean, (term.high - term.low) / _INTERVAL_SDS)
        for term in report.terms
        if term.measured
    }
    evidence = [verdict.sentence, verdict.record, *(f.message for f in report.findings[:3])]
    return Candidate(
        name=name,
        terms=terms,
        p_healthy=verdict.p_healthy.mean,
        label=verdict.label or "",
        evidence=tuple(filter(None, evidence)),
        digest=digest,
    )


@dataclass(frozen=True)
class Queued:
    """Candidate in its place in the queue."""

    candidate: Candidate
    """Run to review."""
    p_healthy: float
    """P(healthy) with the reviews so far."""
    change: float
    """Root mean square of the change in P(healthy) of all runs that a verdict on this one is
    expected to bring; less where a run ahead of it or a reviewed one is much the same."""


def queue(
    candidates: Sequence[Candidate], reviews: Sequence[Review], most: int | None = None
) -> tuple[Queued, ...]:
    """Queue the runs that nobody reviewed, the most telling first.

    Args:
        candidates: Evaluated runs. One with the digest of a reviewed run, or of a candidate before
            it, is left out; without a digest the name counts.
        reviews: Reviews so far.
        most: Length of the queue at most; by default all are queued.

    Returns:
        Candidates in the order in which a verdict on them is expected to move P(healthy) most.

    >>> from dlcc.review import Candidate, queue
    >>> runs = [
    ...     Candidate(name, {"impact": (p, 0.1)}, p_healthy=p)
    ...     for name, p in (("sure", 0.97), ("unsure", 0.4), ("failed", 0.02))
    ... ]
    >>> [queued.candidate.name for queued in queue(runs, reviews=(), most=2)]
    ['unsure', 'failed']
    """
    open_ones = _unreviewed(candidates, reviews)
    if not open_ones:
        return ()
    now = review_effect(reviews)
    p = np.array([candidate.p_healthy for candidate in open_ones])
    change = expected_change(p, now.calibration)
    return _spread_out(open_ones, now.calibration(p), change, reviews, most)


def expected_change(p: Floats, now: Recalibration) -> Floats:
    """Expected change in P(healthy) by a verdict on each run [n]: root mean square over all runs.

    By the law of total variance the expected square of a change, over both answers, is what the
    answer takes off the variance: for P' of run j and the verdict on run i, with x = (1, logit P),
    (q_j(1 − q_j))² · s_i (x_jᵀΣx_i)² / (1 + s_i x_iᵀΣx_i), s = q(1 − q) (Cohn 1996, section 2, for
    the normal posterior of a logistic regression).
    """
    design = np.column_stack([np.ones(len(p)), logit(p)])
    theta = np.array([now.shift, now.slope])
    covariance = now.covariance if now.reviews else np.diag([SHIFT_SD**2, SLOPE_SD**2])
    q = sigmoid(design @ theta)
    spread = q * (1 - q)
    together = design @ covariance @ design.T  # [runs that change, runs reviewed]
    taken = spread * together**2 / (1 + spread * np.diag(together))
    return np.asarray(np.sqrt((spread[:, None] ** 2 * taken).mean(axis=0)))


def _spread_out(
    candidates: Sequence[Candidate],
    p: Floats,
    change: Floats,
    reviews: Sequence[Review],
    most: int | None,
) -> tuple[Queued, ...]:
    """Order candidates; each counts less the more it is like one ahead of it or a reviewed one."""
    names = sorted({n for c in candidates for n in c.terms} | {n for r in reviews for n in r.terms})
    figures = np.array([_figures(c.terms, c.p_healthy, names) for c in candidates])
    fresh = np.ones(len(candidates))
    for review in reviews:
        seen = _figures(review.terms, review.p_before, names)
        fresh = np.minimum(fresh, _unlike(figures, seen))
    left = list(range(len(candidates)))
    ordered: list[Queued] = []
    while left and (most is None or len(ordered) < most):
        best = max(left, key=lambda i: (change[i] * fresh[i], -i))
        left.remove(best)
        ordered.append(Queued(candidates[best], float(p[best]), float(change[best] * fresh[best])))
        fresh = np.minimum(fresh, _unlike(figures, figures[best]))
    return tuple(ordered)


def _unreviewed(candidates: Sequence[Candidate], reviews: Sequence[Review]) -> list[Candidate]:
    seen = {review.digest for review in reviews if review.digest}
    names = {review.run for review in reviews if not review.digest}
    open_ones = []
    for candidate in candidates:
        known = candidate.digest in seen if candidate.digest else candidate.name in names
        if not known:
            open_ones.append(candidate)
            seen |= {candidate.digest} - {""}
    return open_ones


def _figures(terms: Mapping[str, tuple[float, float]], p: float, names: Sequence[str]) -> Floats:
    return np.array([p, *(terms.get(name, (0.5, 0.0))[0] for name in names)])


def _unlike(figures: Floats, one: Floats) -> Floats:
    """Unlikeness [n] of figures to one run's: 0 for the same, 1 for far ones.

    P(healthy) alone says nothing of sameness, so that without terms all are unlike.
    """
    if len(one) == 1:
        return np.ones(len(figures))
    return np.asarray(1 - np.exp(-((figures - one) ** 2).sum(axis=1) / (2 * _NEAR**2)))
