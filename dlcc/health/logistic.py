"""Bayesian logistic regression, binary or multinomial, by Laplace's approximation.

A normal prior on the coefficients, the mode by Newton's method, and the posterior as a normal with
the inverse Hessian as covariance (Bishop 2006, section 4.5; Spiegelhalter and Lauritzen 1990).
Small, exact and deterministic: a few hundred rows are fitted in milliseconds, so that the rows ship
and not a fitted object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.typing import Floats


@dataclass(frozen=True)
class LogisticPosterior:
    """Posterior of coefficients W [features + 1, classes], the intercept last."""

    mode: Floats
    """Coefficients of highest posterior density, [features + 1, classes]."""
    covariance: Floats
    """Covariance of the coefficients, [p, p] with p = (features + 1)·classes, in the order of
    `mode.ravel()`."""
    centre: Floats
    """Mean of each feature in the fitted rows, [features]."""
    scale: Floats
    """Standard deviation of each feature in the fitted rows, [features]; 1 for constant ones."""

    def probabilities(self, x: Floats) -> Floats:
        """Compute class probabilities [n, classes] at the mode for rows x [n, features]."""
        return softmax(self._design(x) @ self.mode)

    def draws(self, x: Floats, normals: Floats) -> Floats:
        """Draw class probabilities [m, classes] of one row x [features] from the posterior.

        `normals` [m, classes] are standard normal numbers: the logits of one row are jointly normal
        with a covariance of classes × classes, so that no draw of all the coefficients is needed.
        """
        design = self._design(x[None, :])[0]
        classes = self.mode.shape[1]
        jacobian = np.kron(design[:, None], np.eye(classes)).T  # [classes, (features+1)·classes]
        spread = jacobian @ self.covariance @ jacobian.T
        values, vectors = np.linalg.eigh(spread)
        root = vectors * np.sqrt(np.clip(values, 0, None))
        return softmax(design @ self.mode + normals @ root.T)

    def _design(self, x: Floats) -> Floats:
        """Standardise rows [n, features] and add the intercept's column."""
        z = np.clip((x - self.centre) / self.scale, -6, 6)  # far outside the rows: no farther
        return np.hstack([z, np.ones((len(z), 1))])


def fit_logistic(
    x: Floats, y: NDArray[np.int64], classes: int, prior_sd: float = 1.5
) -> LogisticPosterior:
    """Fit rows x [n, features] with classes y [n] in 0..classes-1.

    `prior_sd` is that of each coefficient on standardised features; intercepts get 3 × as much.
    """
    centre = x.mean(axis=0)
    scale = np.where(x.std(axis=0) > 1e-9, x.std(axis=0), 1.0)
    z = np.hstack([np.clip((x - centre) / scale, -6, 6), np.ones((len(x), 1))])
    precision = np.full(z.shape[1], prior_sd**-2.0)
    precision[-1] /= 9
    prior = np.repeat(precision, classes)
    target = np.eye(classes)[y]
    w = np.zeros(z.shape[1] * classes)

    def objective(flat: Floats) -> float:
        """Negative log posterior of coefficients, flattened, without its constant."""
        logits = z @ flat.reshape(-1, classes)
        top = logits.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
        misfit = (log_sum - (logits * target).sum(axis=1)).sum()
        return float(misfit + 0.5 * (prior * flat**2).sum())

    for _ in range(100):
        p = softmax(z @ w.reshape(-1, classes))
        gradient = (z.T @ (p - target)).ravel() + prior * w
        step = np.linalg.solve(_hessian(z, p, prior), gradient)
        size, here = 1.0, objective(w)
        while objective(w - size * step) > here and size > 1e-6:
            size /= 2
        w = w - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    p = softmax(z @ w.reshape(-1, classes))
    covariance = np.asarray(np.linalg.inv(_hessian(z, p, prior)), dtype=np.float64)
    return LogisticPosterior(w.reshape(-1, classes), covariance, centre, scale)


def _hessian(z: Floats, p: Floats, prior: Floats) -> Floats:
    """Hessian of the negative log posterior: Σ (z zᵀ) ⊗ (diag p − p pᵀ) and the prior's."""
    classes = p.shape[1]
    features = z.shape[1]
    curvature = np.einsum("nk,kl->nkl", p, np.eye(classes)) - np.einsum("nk,nl->nkl", p, p)
    full = np.einsum("ni,nj,nkl->ikjl", z, z, curvature, optimize=True)
    return np.asarray(full.reshape(features * classes, features * classes) + np.diag(prior))


def softmax(logits: Floats) -> Floats:
    """Softmax along the last axis, shifted against overflow."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
