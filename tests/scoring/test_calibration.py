"""P(healthy) against the runs of the table."""

import numpy as np
import pytest

from dlcc.estimate import DRAWS
from dlcc.library.outcomes import LABELS, outcomes
from dlcc.scoring.calibration import calibrate, features, p_healthy


def vector(i: int, *, blind: bool = False) -> dict[str, float]:
    """Of run i of the table; without samples it has no figures of samples."""
    table = outcomes()
    values = (table.blind_vectors if blind else table.vectors)[i]
    return {n: v for n, v in zip(table.names, values, strict=True) if not np.isnan(v)}


def of_label(label: str) -> np.ndarray:
    return np.flatnonzero(outcomes().labels == LABELS.index(label))


@pytest.mark.parametrize("blind", [False, True])
def test_draws_are_probabilities_and_repeat(blind):
    draws = p_healthy(vector(0, blind=blind))
    assert draws.shape == (DRAWS,)
    assert ((draws >= 0) & (draws <= 1)).all()
    assert np.array_equal(draws, p_healthy(vector(0, blind=blind)))


@pytest.mark.parametrize("label", ["oscillating", "collapsed", "diverged"])
def test_healthy_runs_rank_above_failed_ones(label):
    healthy = [p_healthy(vector(i)).mean() for i in of_label("healthy")[:20]]
    failed = [p_healthy(vector(i)).mean() for i in of_label(label)[:20]]
    assert np.median(healthy) > 0.9
    assert np.median(failed) < 0.1


def test_it_is_less_sure_without_samples():
    runs = range(0, 200, 10)
    width = {
        blind: np.mean(
            [np.ptp(np.quantile(p_healthy(vector(i, blind=blind)), [0.05, 0.95])) for i in runs]
        )
        for blind in (False, True)
    }
    assert width[True] > width[False]


@pytest.mark.parametrize(("blind", "least"), [(False, 0.02), (True, 0.18)])
def test_it_holds_on_runs_that_were_not_fitted(blind, least):
    """Two folds; always saying the base rate has a Brier score of .2."""
    table = outcomes()
    healthy = table.labels == LABELS.index("healthy")
    half = np.arange(len(healthy)) // 2 % 2 == 0
    rows = table.columns(features(blind=blind), blind=blind)
    errors = []
    for kept in (half, ~half):
        p = calibrate(table.some(kept), blind=blind).probabilities(rows[~kept])[:, 1]
        errors.append(np.mean((p - healthy[~kept]) ** 2))
        assert p.mean() == pytest.approx(healthy[~kept].mean(), abs=0.08)
    assert np.mean(errors) < least
