"""P(healthy and true) against past runs, and against what leaving evidence out must not do."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.estimate import DRAWS, Estimate
from dlcc.metrics.features import UNTRAINED
from dlcc.past_runs.in_use import shipped_library
from dlcc.records import LABELS
from dlcc.scoring.calibration import (
    DOCTORED,
    RecordFit,
    base_rate,
    calibrate,
    features,
    healthy_and_true,
    p_healthy,
    p_true,
    refutation,
)
from tests.scoring.past import untested, verified, with_terms

PAST = verified()


def vector(i, *, series_only=False):
    """Of run i of the library; without samples it has no figures of samples."""
    past = shipped_library()
    values = (past.series_only_vectors if series_only else past.vectors)[i, -1]
    return {n: v for n, v in zip(past.names, values, strict=True) if not np.isnan(v)}


def of_label(label):
    past = shipped_library()
    return np.flatnonzero((past.labels == LABELS.index(label)) & past.true_record)


def moments(estimate):
    draws = estimate.sample("logic")
    return np.array([draws.mean()]), np.array([draws.std()])


@pytest.mark.parametrize("series_only", [False, True])
def test_draws_are_probabilities_and_repeat(series_only):
    draws = p_healthy(vector(0, series_only=series_only))
    assert draws.shape == (DRAWS,)
    assert ((draws >= 0) & (draws <= 1)).all()
    assert np.array_equal(draws, p_healthy(vector(0, series_only=series_only)))


def test_past_runs_without_samples_say_nothing_of_a_run_with_them():
    past = untested(120)
    figures = past.vectors.copy()
    figures[60:] = np.nan
    mixed, with_samples = replace(past, vectors=figures), past.select(np.arange(60))
    assert np.array_equal(p_healthy(vector(0), mixed), p_healthy(vector(0), with_samples))


@pytest.mark.parametrize("label", ["oscillating", "collapsed", "diverged"])
def test_healthy_runs_rank_above_failed_ones(label):
    healthy = [p_healthy(vector(i)).mean() for i in of_label("healthy")[:20]]
    failed = [p_healthy(vector(i)).mean() for i in of_label(label)[:20]]
    assert np.median(healthy) > 0.85
    assert np.median(failed) < 0.1


def test_it_is_less_sure_without_samples():
    runs = range(0, 200, 10)
    width = {
        series_only: np.mean(
            [
                np.ptp(np.quantile(p_healthy(vector(i, series_only=series_only)), [0.05, 0.95]))
                for i in runs
            ]
        )
        for series_only in (False, True)
    }
    assert width[True] > width[False]


@pytest.mark.parametrize("series_only", [False, True])
def test_it_holds_on_settings_that_were_not_fitted(series_only):
    past = shipped_library().select(shipped_library().true_record)
    healthy = past.labels == LABELS.index("healthy")
    half = np.unique(past.settings, return_inverse=True)[1] % 2 == 0
    rows = past.columns(features(series_only=series_only), series_only=series_only)
    errors = []
    for kept in (half, ~half):
        p = calibrate(past.select(kept), series_only=series_only).probabilities(rows[~kept])[:, 1]
        errors.append(np.mean((p - healthy[~kept]) ** 2))
        assert p.mean() == pytest.approx(healthy[~kept].mean(), abs=0.08)
    always_the_base_rate = healthy.mean() * (1 - healthy.mean())
    assert np.mean(errors) < (0.9 if series_only else 0.4) * always_the_base_rate


def test_doctored_rows_say_nothing_of_health():
    fit = calibrate(PAST, series_only=False)
    honest = calibrate(PAST.select(PAST.true_record), series_only=False)
    assert np.array_equal(fit.mode, honest.mode)


# --- the record -----------------------------------------------------------------------------------


def test_without_obligations_it_is_the_share_of_true_records():
    draws = p_true(None, PAST)
    assert draws.mean() == pytest.approx(1 - DOCTORED, abs=1e-3)
    low, high = np.quantile(1 - draws, [0.05, 0.95])
    assert 0.005 < low < 0.02
    assert 0.1 < high < 0.14


@given(st.integers(0, 400))
@settings(max_examples=20)
def test_obligations_that_all_hold_pay_and_leaving_them_out_does_not(count):
    draws = p_true(Estimate.obligations(count, 0), PAST)
    assert draws.mean() >= p_true(None, PAST).mean() - 1e-12


def test_more_that_holds_is_more_trusted():
    few, many = (p_true(Estimate.obligations(n, 0), PAST).mean() for n in (3, 130))
    assert 0.95 <= few < 0.96 < many


@pytest.mark.parametrize("count", [2, 10, 134])
def test_one_refuted_obligation_is_doubt(count):
    assert p_true(Estimate.obligations(count - 1, 1), PAST).mean() < 0.6
    clean = refutation(*moments(Estimate.obligations(count, 0))).item()
    assert (clean, refutation(*moments(Estimate.obligations(count - 1, 1))).item()) == (0, 1)


@given(st.integers(0, 300), st.integers(0, 5), st.integers(0, 300))
@settings(max_examples=40)
def test_refutation_tells_refuted_from_undecided(held, refuted, unknown):
    found = refutation(*moments(Estimate.obligations(held, refuted, unknown))).item()
    assert found == (refuted > 0)


def test_undecided_obligations_are_no_refuted_ones():
    assert p_true(Estimate.obligations(100, 0, 5), PAST).mean() > 0.95


def test_the_prior_is_corrected_to_how_rare_doctored_records_are():
    """With all records alike, the library's many doctored ones say nothing."""
    alike = with_terms(PAST, logic=0.9)
    p = p_true(Estimate.normal(0.9, 0.1), alike)
    assert p.mean() == pytest.approx(1 - DOCTORED, abs=0.01)
    fit = RecordFit.of(alike)
    assert fit.share == pytest.approx(PAST.true_record.mean())


def test_where_no_library_tells_a_refuted_obligation_still_counts():
    without = untested()
    assert RecordFit.of(without) is None
    assert p_true(Estimate.obligations(134, 0), without).mean() == pytest.approx(0.95, abs=1e-3)
    refuted = Estimate.obligations(133, 1)
    assert p_true(refuted, without).mean() == pytest.approx(0.95 * refuted.mean, abs=1e-3)


# --- both -----------------------------------------------------------------------------------------


def test_a_complete_run_is_judged_by_its_record():
    sure = Estimate.exactly(0.01)
    p = healthy_and_true(vector(0), 0.97, forecast=sure, past=PAST)
    assert p.by == "the record"
    assert np.array_equal(p.healthy, p_healthy(vector(0), PAST))
    assert np.array_equal(p.both, p.healthy * p.true)


def test_a_cut_run_is_judged_by_the_forecast():
    p = healthy_and_true(vector(0), 0.3, forecast=Estimate.beta(3, 7), past=PAST)
    assert p.by == "the forecast"
    assert p.healthy.mean() == pytest.approx(0.3, abs=1e-3)
    assert p.both.mean() == pytest.approx(0.3 * 0.95, abs=5e-3)


@given(st.floats(0, 0.9))
@settings(max_examples=15)
def test_without_a_forecast_the_future_is_the_base_rate(seen):
    best = vector(of_label("healthy")[0])
    p = healthy_and_true(best, seen, past=PAST)
    base = base_rate(PAST).mean
    expected = seen * p_healthy(best, PAST).mean() + (1 - seen) * base
    assert p.healthy.mean() == pytest.approx(expected, abs=5e-3)
    healthy = (PAST.labels[PAST.true_record] == 0).mean()
    assert base == pytest.approx(healthy, abs=0.01)


def test_the_less_is_seen_the_wider():
    widths = [
        np.ptp(np.quantile(healthy_and_true(vector(0), s, past=PAST).both, [0.05, 0.95]))
        for s in (0.9, 0.5, 0.1)
    ]
    assert widths == sorted(widths)


def test_no_draw_exceeds_its_factors():
    p = healthy_and_true(vector(3), 1.0, logic=Estimate.obligations(20, 2), past=PAST)
    assert (p.both <= np.minimum(p.healthy, p.true)).all()
    assert math.isfinite(p.both.sum())


@given(st.floats(-3, 3), st.floats(0, 1.2))
@settings(deadline=None, max_examples=20)
def test_in_a_space_of_features_nearer_samples_are_never_less_healthy(distance, density):
    """Whatever their density; and samples as dense as data are held to be as varied."""
    own = {"coverage_last": 0.9, "space_density_last": density}
    near, far = (
        p_healthy(
            {**own, "space_frechet_last": d}, shipped_library(), relative=True, space=UNTRAINED
        ).mean()
        for d in (distance, distance + 0.3)
    )
    assert far <= near + 1e-9
    if density > 1 and distance > -1.8:
        assert near < 0.1
    if density < 0.4 and distance < -2:
        assert near > 0.9


@pytest.mark.parametrize(
    ("past", "space"),
    [(shipped_library().as_given, UNTRAINED), (shipped_library(), "log spectra")],
)
def test_without_past_runs_in_the_same_space_the_definitions_tell(past, space):
    good = {"coverage_last": 0.9, "rule_healthy": 0.97, "good_quarter": 1.0}
    bad = {"coverage_last": 0.9, "rule_healthy": 0.02, "good_quarter": 0.0}
    assert p_healthy(good, past, relative=True, space=space).mean() > 0.8
    assert p_healthy(bad, past, relative=True, space=space).mean() < 0.2
