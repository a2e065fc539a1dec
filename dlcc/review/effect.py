"""What reviews move: the calibration of P(healthy), and the weights of the terms.

Both are functions of the reviews alone, in whatever order they came, so that taking a review back
restores them bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlcc.review.history import Review
from dlcc.typing import Floats

SHIFT_SD, SLOPE_SD = 0.5, 0.25  # of the prior: a ~ N(0, .5²), b ~ N(1, .25²)
COUNTS_A_REVIEW = 0.5  # judgements and the library count for 10 to 30 (dlcc.scoring.weights)
_FURTHEST = 1e-4  # probabilities are kept this far from 0 and 1
_STEPS, _RATE, _SETTLED = 400, 0.01, 1e-7
_PRIOR_REVIEWS = 4.0  # verdicts that the even weighting counts for
_STEEPNESS = 8.0  # of a verdict in a score within [0, 1], to begin with


@dataclass(frozen=True)
class Recalibration:
    """P' = σ(a + b·logit P), the posterior of (a, b) as a normal at its mode (Platt 1999, with a
    prior at "as it is")."""

    shift: float
    """a"""
    slope: float
    """b"""
    covariance: Floats
    """Of (a, b), [2, 2]."""
    reviews: int

    def __call__(self, p: Floats) -> Floats:
        """Probabilities [...] put right; without reviews the very same."""
        if not self.reviews:
            return p
        return np.asarray(sigmoid(self.shift + self.slope * logit(p)))


@dataclass(frozen=True)
class ReviewEffect:
    """Where the reviews have moved things."""

    calibration: Recalibration
    evidence: Mapping[str, float]
    """Term -> its share of what tells the reviewed runs apart, summing to 1; even without
    reviews."""
    reviews: int

    def counts(self, known: Iterable[str]) -> dict[str, float]:
        """The evidence as `dlcc.scoring.weights.posterior_weights` takes it: counts by term.

        Every review is half a count, whatever the terms `known` there; others are left out.
        """
        shares = {name: self.evidence[name] for name in known if name in self.evidence}
        return {name: COUNTS_A_REVIEW * self.reviews * share for name, share in shares.items()}


def review_effect(reviews: Sequence[Review]) -> ReviewEffect:
    """Recalibration and evidence of reviews, those that were undone left out already."""
    p = np.array([review.p_before for review in reviews], dtype=np.float64)
    healthy = np.array([review.healthy for review in reviews], dtype=np.float64)
    order = np.lexsort((p, healthy))  # sums are of floats: one order, whichever they came in
    names = sorted({name for review in reviews for name in review.terms})
    table = np.array(
        [[review.terms.get(name, (np.nan, 0.0))[0] for name in names] for review in reviews]
    ).reshape(len(reviews), len(names))
    rows = np.lexsort((*table.T, healthy)) if names else np.arange(len(reviews))
    evidence = term_evidence(table[rows], healthy[rows])
    return ReviewEffect(
        recalibrate(p[order], healthy[order]),
        dict(zip(names, evidence.tolist(), strict=True)),
        len(reviews),
    )


def recalibrate(p: Floats, healthy: Floats) -> Recalibration:
    """The posterior of (a, b) from P(healthy) [n] and verdicts [n] in {0, 1}, by Laplace."""
    design = np.column_stack([np.ones(len(p)), logit(p)])
    prior_mean, precision = np.array([0.0, 1.0]), np.diag([SHIFT_SD**-2.0, SLOPE_SD**-2.0])

    def objective(theta: Floats) -> float:
        logits = design @ theta
        misfit = float((np.logaddexp(0, logits) - healthy * logits).sum())
        off = theta - prior_mean
        return misfit + 0.5 * float(off @ precision @ off)

    theta, hessian = prior_mean, precision
    for _ in range(50):
        q = sigmoid(design @ theta)
        gradient = design.T @ (q - healthy) + precision @ (theta - prior_mean)
        hessian = (design.T * (q * (1 - q))) @ design + precision
        step, size, here = np.linalg.solve(hessian, gradient), 1.0, objective(theta)
        while objective(theta - size * step) > here and size > 1e-6:
            size /= 2
        theta = theta - size * step
        if float(np.abs(size * step).max()) < 1e-12:
            break
    covariance = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
    return Recalibration(float(theta[0]), float(theta[1]), covariance, len(p))


def term_evidence(terms: Floats, healthy: Floats) -> Floats:
    """Weights [k] >= 0, summing to 1, under which Σ w·term [n, k] tells verdicts [n] apart best.

    Exponentiated gradient on the logistic loss of s·(Σ w·term − c), run to rest over all verdicts
    (Kivinen and Warmuth 1997, section 3.3), with the even weighting as a prior of a few verdicts;
    steepness s and threshold c are fitted along. A term that was not measured tells nothing: it
    stands at its mean.
    """
    n, k = terms.shape
    if k == 0:
        return np.zeros(0)
    weights = np.full(k, 1 / k)
    if n == 0:
        return weights
    known = np.isfinite(terms)
    means = np.where(known, terms, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    x = np.where(known, terms, means)
    line = np.array([-_STEEPNESS * float((x @ weights).mean()), _STEEPNESS])  # -s·c and s

    def objective(w: Floats) -> float:
        logits = line[0] + line[1] * (x @ w)
        misfit = float((np.logaddexp(0, logits) - healthy * logits).sum())
        return misfit + _PRIOR_REVIEWS * float((w * np.log(w * k)).sum())

    rate = _RATE
    for _ in range(_STEPS):
        line = _fitted_line(x @ weights, healthy, line)
        off = sigmoid(line[0] + line[1] * (x @ weights)) - healthy
        slope = line[1] * (off @ x) + _PRIOR_REVIEWS * np.log(weights * k)
        slope = slope - float(weights @ slope)
        here, rate = objective(weights), 2 * rate
        stepped = _exponentiated(weights, rate * slope)
        while objective(stepped) > here and rate > 1e-9:
            rate /= 2
            stepped = _exponentiated(weights, rate * slope)
        settled = float(np.abs(stepped - weights).max()) < _SETTLED
        weights = stepped
        if settled:
            break
    return weights


def _exponentiated(weights: Floats, slope: Floats) -> Floats:
    moved = weights * np.exp(-np.clip(slope, -20, 20))
    moved = np.maximum(moved / moved.sum(), 1e-9)
    return np.asarray(moved / moved.sum())


def _fitted_line(score: Floats, healthy: Floats, line: Floats) -> Floats:
    """A Newton step of intercept and steepness of a logistic in the score; steepness stays > 0."""
    design = np.column_stack([np.ones(len(score)), score])
    q = sigmoid(design @ line)
    off_prior = np.array([0.0, line[1] - _STEEPNESS]) / _STEEPNESS**2
    gradient = design.T @ (q - healthy) + off_prior
    curvature = (design.T * (q * (1 - q))) @ design + np.diag([1e-3, _STEEPNESS**-2.0])
    step = np.clip(np.linalg.solve(curvature, gradient), -_STEEPNESS, _STEEPNESS)
    moved = line - step
    return np.array([moved[0], max(1.0, float(moved[1]))])


def logit(p: Floats) -> Floats:
    """log(p / (1 − p)), probabilities kept away from 0 and 1."""
    inside = np.clip(np.asarray(p, dtype=np.float64), _FURTHEST, 1 - _FURTHEST)
    return np.asarray(np.log(inside / (1 - inside)))


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(−x)), shifted against overflow."""
    return np.asarray(np.exp(-np.logaddexp(0, -np.asarray(x, dtype=np.float64))))
