"""Effect of reviews: calibration of P(healthy), and weights of the terms.

Both are functions of the reviews alone, in whatever order they came, so that taking a review back
restores them bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlcc.review.reviews import Review
from dlcc.typing import Floats

SHIFT_SD, SLOPE_SD = 0.5, 0.25  # of the prior: a ~ N(0, .5²), b ~ N(1, .25²)
COUNTS_A_REVIEW = 0.5  # judgements and the library count for 10 to 30 (dlcc.scoring.weights)
_FURTHEST = 1e-4  # probabilities are kept this far from 0 and 1
_STEPS, _RATE, _SETTLED = 400, 0.01, 1e-7
_PRIOR_REVIEWS = 4.0  # verdicts that the even weighting counts for
_STEEPNESS = 8.0  # of a verdict in a score within [0, 1], to begin with


@dataclass(frozen=True)
class Recalibration:
    """Recalibration P' = σ(a + b·logit P) of probabilities (Platt 1999), by reviews.

    The posterior of (a, b) is a normal at its mode; the prior is centred on no change, (0, 1).
    """

    shift: float
    """Shift a of the logit."""
    slope: float
    """Slope b of the logit."""
    covariance: Floats
    """Posterior covariance [2, 2] of (a, b)."""
    reviews: int
    """Number of reviews that the recalibration was fitted to."""

    def __call__(self, p: Floats) -> Floats:
        """Recalibrate probabilities [...]; without reviews they stay as they are."""
        if not self.reviews:
            return p
        return np.asarray(sigmoid(self.shift + self.slope * logit(p)))


@dataclass(frozen=True)
class ReviewEffect:
    """Effect of reviews on the score.

    >>> import numpy as np
    >>> from dlcc.review import ReviewEffect, recalibrate
    >>> effect = ReviewEffect(recalibrate(np.array([]), np.array([])), {"logic": 1.0}, reviews=6)
    >>> effect.counts({"logic", "impact"})
    {'logic': 3.0}
    """

    calibration: Recalibration
    """Recalibration of P(healthy)."""
    evidence: Mapping[str, float]
    """Term -> weight with which it tells reviewed runs apart; they sum to 1, and are even without
    reviews."""
    reviews: int
    """Number of reviews behind the effect."""

    def counts(self, known: Iterable[str]) -> dict[str, float]:
        """Turn the evidence into counts for `dlcc.scoring.posterior_weights`.

        Every review is half a count, shared among the terms by their evidence.

        Args:
            known: Terms that have a weight; evidence of other terms is left out.

        Returns:
            Term -> counts, at least 0.
        """
        shares = {name: self.evidence[name] for name in known if name in self.evidence}
        return {name: COUNTS_A_REVIEW * self.reviews * share for name, share in shares.items()}


def review_effect(reviews: Sequence[Review]) -> ReviewEffect:
    """Compute what reviews say of P(healthy) and of the terms' weights.

    Source: Platt 1999, as in `recalibrate`, and Kivinen and Warmuth 1997, section 3.3, as in
    `term_evidence`.

    Args:
        reviews: Reviews that hold, in any order: those that were undone are left out already.

    Returns:
        The recalibration of P(healthy), and the evidence for the weights of the terms.

    >>> import numpy as np
    >>> from dlcc.review import Review, review_effect
    >>> terms = {"logic": (0.9, 0.05), "impact": (0.3, 0.1)}
    >>> review = Review(1, "2026-01-01", "a", "", terms, p_before=0.3, healthy=True)
    >>> review_effect([review]).calibration(np.array([0.3])).round(2).tolist()
    [0.34]
    """
    p = np.array([review.p_before for review in reviews], dtype=np.float64)
    healthy = np.array([review.label for review in reviews], dtype=np.float64)
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
    """Fit the recalibration P' = σ(a + b·logit P) to verdicts by people (Platt 1999).

    It is the posterior under a ~ N(0, .5²) and b ~ N(1, .25²), by Laplace's approximation.

    Args:
        p: P(healthy) [n] before any review, in [0, 1]; n may be 0.
        healthy: Verdicts [n]: 1 for healthy, 0 for not; between them where somebody was not sure.

    Returns:
        The posterior of (a, b): mean, covariance [2, 2] and the number of reviews.

    Raises:
        ValueError: `p` and `healthy` have different lengths, both above 1.

    >>> import numpy as np
    >>> from dlcc.review import recalibrate
    >>> fitted = recalibrate(np.array([0.6, 0.7, 0.8, 0.9]), np.array([0.0, 0.0, 0.0, 1.0]))
    >>> fitted(np.array([0.6, 0.9])).round(2).tolist()
    [0.49, 0.83]
    """
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
    """Find the weights under which the sum of terms tells healthy runs from others best.

    Exponentiated gradient on the logistic loss of s·(Σ w·term − c), run to convergence over all
    verdicts (Kivinen and Warmuth 1997, section 3.3), with the even weighting as a prior of a few
    verdicts; steepness s and threshold c are fitted along.

    Args:
        terms: Terms [n, k] of n runs in [0, 1]; NaN where not measured, which counts as the term's
            mean.
        healthy: Verdicts [n]: 1 for healthy, 0 for not.

    Returns:
        Weights [k], at least 0, summing to 1.

    >>> import numpy as np
    >>> from dlcc.review import term_evidence
    >>> terms = np.array([[0.9, 0.5], [0.8, 0.4], [0.2, 0.5], [0.1, 0.4]])  # the first tells
    >>> term_evidence(terms, np.array([1.0, 1.0, 0.0, 0.0])).round(2).tolist()
    [0.59, 0.41]
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
    """Newton step of intercept and steepness of a logistic in the score; steepness stays > 0."""
    design = np.column_stack([np.ones(len(score)), score])
    q = sigmoid(design @ line)
    off_prior = np.array([0.0, line[1] - _STEEPNESS]) / _STEEPNESS**2
    gradient = design.T @ (q - healthy) + off_prior
    curvature = (design.T * (q * (1 - q))) @ design + np.diag([1e-3, _STEEPNESS**-2.0])
    step = np.clip(np.linalg.solve(curvature, gradient), -_STEEPNESS, _STEEPNESS)
    moved = line - step
    return np.array([moved[0], max(1.0, float(moved[1]))])


def logit(p: Floats) -> Floats:
    """Logit log(p / (1 − p)) [...] of probabilities [...], kept away from 0 and 1."""
    inside = np.clip(np.asarray(p, dtype=np.float64), _FURTHEST, 1 - _FURTHEST)
    return np.asarray(np.log(inside / (1 - inside)))


def sigmoid(x: Floats) -> Floats:
    """Logistic function 1 / (1 + exp(−x)), safe against overflow."""
    return np.asarray(np.exp(-np.logaddexp(0, -np.asarray(x, dtype=np.float64))))
