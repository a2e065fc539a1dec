"""V and HyperScore against their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.errors import OptionError
from dlcc.estimate import Estimate
from dlcc.scoring.value import SEED_TERMS, HyperScore, fuse, weigh

PRIOR = dict.fromkeys(SEED_TERMS, 0.2)
shares = st.floats(0, 1)


@given(st.fixed_dictionaries(dict.fromkeys(SEED_TERMS, shares)))
def test_v_of_exact_terms_is_the_formula(values: dict[str, float]) -> None:
    value = fuse({n: Estimate.exactly(v) for n, v in values.items()}, PRIOR)
    terms = {n: math.log2(1 + v) if n == "impact" else v for n, v in values.items()}
    assert value.value.mean == pytest.approx(sum(terms.values()) / 5)
    assert value.value.low == pytest.approx(value.value.high)


@given(st.fixed_dictionaries(dict.fromkeys(SEED_TERMS, shares)), st.sampled_from(SEED_TERMS))
def test_v_is_monotone_in_every_term(values: dict[str, float], name: str) -> None:
    low = fuse({n: Estimate.exactly(v) for n, v in values.items()}, PRIOR)
    raised = values | {name: 1.0}
    high = fuse({n: Estimate.exactly(v) for n, v in raised.items()}, PRIOR)
    assert high.value.mean >= low.value.mean - 1e-12


@pytest.mark.parametrize(("v", "score"), [(0.5, 100.02), (0.7, 100.6), (0.9, 105.2)])
def test_hyperscore_has_the_figures_of_the_design(v: float, score: float) -> None:
    assert HyperScore()(np.array([v]))[0] == pytest.approx(score, abs=0.05)


def test_hyperscore_stays_in_its_range() -> None:
    low, high = HyperScore().range
    assert (low, high) == pytest.approx((100, 100 * (1 + (1 / 3) ** 2)))
    scores = HyperScore()(np.linspace(0, 1, 101))
    assert np.all(np.diff(scores) >= 0)


def test_a_beta_outside_four_to_six_is_refused_unless_forced() -> None:
    with pytest.raises(OptionError, match="4 to 6"):
        HyperScore(beta=7)
    assert HyperScore(beta=7, force=True).beta == 7


def test_a_missing_term_does_not_pay() -> None:
    full = fuse({n: Estimate.exactly(0.5) for n in SEED_TERMS}, PRIOR)
    less = fuse({n: Estimate.exactly(0.5) for n in SEED_TERMS[:-1]}, PRIOR)
    assert less.value.mean < full.value.mean
    assert less.value.high - less.value.low > 0.1
    assert [t.measured for t in less.terms] == [True] * 4 + [False]


def test_a_custom_term_weighs_as_much_as_the_mean_one() -> None:
    weights = weigh([*SEED_TERMS, "coverage"], PRIOR)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["coverage"] == pytest.approx(1 / 6)


def test_contributions_add_up_to_v() -> None:
    value = fuse({"impact": Estimate.proportion(3, 9), "coverage": Estimate.exactly(0.3)}, PRIOR)
    assert sum(t.contribution.mean for t in value.terms) == pytest.approx(value.value.mean)
