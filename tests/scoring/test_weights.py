"""Judgement, evidence and reviews pooled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.past_runs.store import TERMS
from dlcc.scoring.ahp import ahp_weights
from dlcc.scoring.shapley import Evidence
from dlcc.scoring.value import SEED_TERMS, weigh
from dlcc.scoring.weights import PRIOR_STRENGTH, STRONGEST_EVIDENCE, pooled, posterior_weights
from tests.scoring.past import untested, verified

PRIOR = weigh([*SEED_TERMS, "coverage"], ahp_weights())


def told(*values, concentration=10.0):
    return Evidence(values, values, values, concentration, sum(values), 200, 150)


counts = st.lists(st.floats(0, 1), min_size=4, max_size=4)


@given(counts, st.floats(0, 100), st.floats(0, 50))
def test_weights_are_a_simplex(values, concentration, review):
    weights = pooled(told(*values, concentration=concentration), PRIOR, {"meta": review})
    assert sum(weights.posterior.values()) == pytest.approx(1)
    assert min(weights.posterior.values()) >= 0


def test_pooling_goes_by_strength():
    weights = pooled(told(0.3, 0.0, 0.1, 0.0, concentration=10), PRIOR, {})
    mass = sum(PRIOR[name] for name in TERMS)
    expected = (PRIOR_STRENGTH * PRIOR["logic"] + 10 * mass * 0.75) / (PRIOR_STRENGTH + 10)
    assert weights.posterior["logic"] == pytest.approx(expected)


def test_terms_that_the_library_lacks_keep_their_share():
    weights = pooled(told(0.3, 0.0, 0.1, 0.0), PRIOR, {})
    for name in ("meta", "coverage"):
        assert weights.posterior[name] == pytest.approx(PRIOR[name])
    assert {t.name for t in weights.terms if t.evidence is None} == {"meta", "coverage"}


def test_however_sharp_the_evidence_a_third_of_the_judgement_stays():
    weights = pooled(told(0.0, 0.0, 1.0, 0.0, concentration=1e6), PRIOR, {})
    assert weights.evidence_strength == STRONGEST_EVIDENCE
    assert weights.posterior["logic"] == pytest.approx(PRIOR["logic"] / 3)


@pytest.mark.parametrize("library", [None, untested()])
def test_without_evidence_the_judgements_stand_alone(library):
    weights = posterior_weights(library, PRIOR)
    assert weights.posterior == pytest.approx(PRIOR)
    assert weights.rows == 0
    assert "judgements alone" in weights.words


def test_evidence_that_tells_nothing_changes_nothing():
    assert pooled(told(-0.1, 0, 0, -0.2), PRIOR, {}).posterior == pytest.approx(PRIOR)


def test_the_library_moves_the_weights_to_what_tells():
    weights = posterior_weights(verified(), PRIOR).posterior
    assert weights["impact"] > PRIOR["impact"]
    assert weights["novelty"] < PRIOR["novelty"]


def test_reviews_move_them_further():
    plain = pooled(None, PRIOR, {})
    moved = pooled(None, PRIOR, {"novelty": PRIOR_STRENGTH})
    assert moved.posterior["novelty"] == pytest.approx((PRIOR["novelty"] + 1) / 2)
    assert moved.posterior["logic"] == pytest.approx(plain.posterior["logic"] / 2)


@pytest.mark.parametrize(
    ("prior", "reviews"),
    [
        (PRIOR, {"unheard-of": 1.0}),
        (PRIOR, {"logic": -1.0}),
        (PRIOR, {"logic": float("nan")}),
        ({"logic": 0.4}, {}),
        ({"logic": 1.4, "meta": -0.4}, {}),
    ],
)
def test_bad_weights_are_refused(prior, reviews):
    with pytest.raises(ValueError, match=r"weights|reviews"):
        pooled(None, prior, reviews)


def test_shares_of_evidence_are_what_the_report_shows():
    weights = pooled(told(0.3, -0.1, 0.1, 0.0), PRIOR, {})
    shown = {t.name: t.evidence for t in weights.terms}
    assert [shown[name] for name in TERMS] == pytest.approx([0.75, 0, 0.25, 0])
    assert np.isclose(weights.total, 0.3)
