"""The term meta, the correction of spreads, and all of it together."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.estimate import Estimate
from dlcc.scoring.ahp import ahp_weights
from dlcc.scoring.correction import (
    MOST_ROUNDS,
    Coverage,
    Widening,
    corrected,
    impact_coverage,
    too_narrow,
)
from dlcc.scoring.fusion import score
from dlcc.scoring.meta import Baselines, meta
from dlcc.scoring.value import SEED_TERMS, fuse
from tests.scoring.past import IMPACT, untested, verified

PAST = verified()
PRIOR = ahp_weights()
EVEN = dict.fromkeys(SEED_TERMS, 0.2)
MEASURED = {
    "logic": Estimate.obligations(134, 0),
    "novelty": Estimate.normal(0.3, 0.1),
    "impact": Estimate.beta(19, 1),
    "reproducibility": Estimate.normal(0.85, 0.1),
}
shares = st.floats(0, 1)


# --- meta -----------------------------------------------------------------------------------------


def test_where_nothing_was_measured_meta_is_zero():
    stand = Baselines.of({}, PAST)
    assert meta(stand.nothing, EVEN, stand).mean == pytest.approx(0)


def test_sharper_terms_and_more_of_them_make_it_stabler():
    def of(measured):
        stand = Baselines.of(measured, PAST)
        return meta({**stand.nothing, **measured}, EVEN, stand).mean

    blurred = {name: Estimate.normal(e.mean, 0.4) for name, e in MEASURED.items()}
    assert of(MEASURED) > of(blurred) + 0.1
    assert of(MEASURED) > of({"impact": MEASURED["impact"]}) + 0.1


@given(st.dictionaries(st.sampled_from(SEED_TERMS[:4]), st.tuples(shares, st.floats(0, 1))))
@settings(max_examples=15, deadline=None)
def test_meta_is_an_estimate_with_a_spread(terms):
    measured = {name: Estimate.normal(mean, sd) for name, (mean, sd) in terms.items()}
    stand = Baselines.of(measured, PAST)
    estimate = meta({**stand.nothing, **measured}, EVEN, stand)
    low, high = estimate.interval(0.9)
    assert 0 <= low <= high <= 1


def test_meta_of_two_halves_is_the_formula():
    """One term of weight 1, imputed by ignorance: both movements in closed form."""
    measured = {"coverage": Estimate.normal(0.6, 0.1)}
    stand = Baselines.of(measured, None)
    weights = {**dict.fromkeys(SEED_TERMS, 0.0), "coverage": 1.0}
    terms = {**dict.fromkeys(SEED_TERMS[:4], Estimate.ignorance()), **measured}
    lost = Estimate.ignorance().sample("coverage")
    far = 0.6 - lost.mean()
    expected = 1 - (0.1 + far) / (lost.std() + far)
    assert meta(terms, weights, stand).mean == pytest.approx(expected, abs=0.02)


# --- the correction -------------------------------------------------------------------------------


@pytest.mark.parametrize(("off", "holds"), [(0.0, True), (0.15, False)])
def test_what_came_on_average_is_counted_among_honest_runs(off, holds):
    """Single runs may scatter as they like; groups that come otherwise than expected may not."""
    rng = np.random.default_rng(0)
    terms = PAST.terms.copy()
    mean = rng.uniform(0.2, 0.8, len(PAST))
    terms[:, IMPACT, 0], terms[:, IMPACT, 1] = mean, 0.02
    came = PAST.next_quarter.copy()
    came[:, -1] = np.clip(mean + off + rng.normal(0, 0.1, len(PAST)), 0, 1)
    coverage = impact_coverage(replace(PAST, terms=terms, next_quarter=came))
    assert coverage.rows == PAST.true_record.sum()
    assert (coverage.inside >= 0.85) == (coverage.factor == 1) == holds
    wide = terms.copy()
    wide[:, IMPACT, 1] = 0.2
    assert impact_coverage(replace(PAST, terms=wide, next_quarter=came)).factor == 1


def test_coverage_that_nobody_knows():
    assert impact_coverage(None) is None
    assert impact_coverage(untested()) is None


def test_spreads_that_are_too_narrow_are_widened_and_v_settles():
    value, done = corrected(
        lambda w: fuse({"impact": w.get("impact", Widening())(Estimate.normal(0.5, 0.05))}, EVEN),
        Coverage(100, 0.5, 3.0),
    )
    assert done.factors == {"impact": 3.0}
    assert len(done.rounds) == 1
    assert done.rounds[0].moved < done.rounds[0].spread
    impact = next(t for t in value.terms if t.name == "impact")
    assert impact.estimate.sample("impact").std() == pytest.approx(0.15, rel=0.05)


def test_a_mean_outside_its_interval_is_widened_until_it_lies_inside():
    outlier = Estimate.draws([0.0] * 97 + [1.0] * 3)
    assert not outlier.interval(0.9)[0] <= outlier.mean <= outlier.interval(0.9)[1]

    def compute(widened):
        return fuse({"impact": widened.get("impact", Widening())(outlier)}, EVEN)

    assert too_narrow(compute({})) == ["impact"]
    value, done = corrected(compute, None)
    assert too_narrow(value) == []
    assert 1 <= len(done.rounds) <= MOST_ROUNDS
    assert set(done.factors) == {"impact"}


def test_what_is_wide_enough_is_left_alone():
    value, done = corrected(lambda w: fuse(MEASURED, EVEN), Coverage(100, 0.9, 1.0))
    assert len(done.rounds) == 1
    assert done.rounds[0].moved == 0
    assert done.factors == {}
    assert np.array_equal(value.draws, fuse(MEASURED, EVEN).draws)


# --- all of it ------------------------------------------------------------------------------------


def test_a_measured_run_has_no_imputed_term():
    done = score(MEASURED, PRIOR, PAST)
    assert all(term.measured for term in done.value.terms)
    assert done.imputed == {}
    assert sum(done.weights.posterior.values()) == pytest.approx(1)
    assert 0 < next(t for t in done.value.terms if t.name == "meta").estimate.mean < 1


def test_the_interval_of_impact_is_put_right_by_runs_of_its_own_kind():
    few = PAST.select(np.arange(0, len(PAST), 2))
    assert score(MEASURED, PRIOR, PAST, alike=few).correction.coverage == impact_coverage(few)
    assert score(MEASURED, PRIOR, PAST).correction.coverage == impact_coverage(PAST)
    assert impact_coverage(few) != impact_coverage(PAST)


@pytest.mark.parametrize("left_out", sorted(MEASURED))
def test_leaving_a_good_term_out_does_not_pay(left_out):
    best = {**MEASURED, "novelty": Estimate.normal(0.9, 0.05)}
    full = score(best, PRIOR, PAST)
    less = score({n: e for n, e in best.items() if n != left_out}, PRIOR, PAST)
    assert less.value.value.mean < full.value.value.mean
    assert [t.name for t in less.value.terms if not t.measured] == [left_out]


def test_without_a_library_it_is_the_judged_score_of_ignorance():
    done = score({"impact": Estimate.exactly(0.5)}, PRIOR, None)
    assert done.weights.posterior == pytest.approx(PRIOR)
    logic = next(t for t in done.value.terms if t.name == "logic")
    assert logic.estimate == Estimate.ignorance()


def test_it_is_the_same_again():
    one, two = score(MEASURED, PRIOR, PAST), score(MEASURED, PRIOR, PAST)
    assert np.array_equal(one.value.draws, two.value.draws)


def test_terms_of_custom_stages_and_reviews_count():
    done = score({**MEASURED, "coverage": Estimate.exactly(1.0)}, PRIOR, PAST)
    assert done.weights.posterior["coverage"] == pytest.approx(1 / 6)
    moved = score(MEASURED, PRIOR, PAST, reviews={"novelty": 100.0})
    assert moved.weights.posterior["novelty"] > 0.7


def test_one_refuted_obligation_costs():
    doctored = {**MEASURED, "logic": Estimate.obligations(133, 1)}
    less = score(doctored, PRIOR, PAST).value.value.mean
    assert less < score(MEASURED, PRIOR, PAST).value.value.mean - 0.05
