"""Bayesian logistic regression against scikit-learn and against sampling."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dlcc.health.logistic import fit_logistic, softmax


def data(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)) * [1, 5, 0.2] + [0, 3, 1]
    logits = np.c_[np.zeros(n), x[:, 0] - 1, 0.3 * x[:, 1] - x[:, 0]]
    y = (np.cumsum(softmax(logits), axis=1) > rng.random((n, 1))).argmax(axis=1)
    return x, y.astype(np.int64)


def test_the_mode_is_that_of_scikit_learn() -> None:
    x, y = data()
    fit = fit_logistic(x, y, 3, prior_sd=2.0)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    # C is the prior's variance; ours also holds the intercept, loosely
    peer = LogisticRegression(C=4.0, tol=1e-10, max_iter=5000).fit(z, y)
    assert np.abs(fit.probabilities(x) - peer.predict_proba(z)).max() < 0.01


def test_draws_have_the_spread_of_the_sampled_posterior() -> None:
    x, y = data(80)
    fit = fit_logistic(x, y, 3)
    rng = np.random.default_rng(1)
    row = x[5]
    ours = fit.draws(row, rng.standard_normal((20_000, 3)))
    w = rng.multivariate_normal(fit.mode.ravel(), fit.covariance, size=20_000)
    design = np.append((row - fit.centre) / fit.scale, 1.0)
    direct = softmax(np.einsum("f,mfk->mk", design, w.reshape(-1, 4, 3)))
    assert ours.mean(axis=0) == pytest.approx(direct.mean(axis=0), abs=0.01)
    assert ours.std(axis=0) == pytest.approx(direct.std(axis=0), abs=0.01)


def test_separable_rows_and_a_constant_feature_do_no_harm() -> None:
    x = np.c_[np.r_[-np.ones(20), np.ones(20)], np.ones(40)]
    fit = fit_logistic(x, np.repeat([0, 1], 20).astype(np.int64), 2)
    assert np.isfinite(fit.mode).all()
    assert fit.probabilities(np.array([[1e9, 1.0]]))[0, 1] < 1
