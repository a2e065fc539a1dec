"""Axioms: that they hold on scores, and that each is seen to fail where it does."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc import cache
from dlcc.estimate import DRAWS, Estimate
from dlcc.scoring.ahp import ahp_weights
from dlcc.scoring.axioms import check_axioms
from dlcc.scoring.calibration import Probability
from dlcc.scoring.correction import Correction, Coverage
from dlcc.scoring.fusion import Score, score
from dlcc.scoring.imputation import Imputed
from dlcc.scoring.proofs import SYMBOLS, hyperscore_of, prove, value_of
from dlcc.scoring.value import SEED_TERMS, HyperScore, Value
from tests.scoring.past import verified

pytestmark = pytest.mark.usefixtures("own_cache")


EVEN = dict.fromkeys(SEED_TERMS, 0.2)
LIKELY = Probability(np.full(DRAWS, 0.9), np.full(DRAWS, 0.95), "the record")


@pytest.fixture(scope="module")
def done() -> Score:
    """The score of a run with two terms measured."""
    measured = {"logic": Estimate.obligations(40, 0), "impact": Estimate.beta(8, 2)}
    return score(measured, ahp_weights(), verified())


def broken(done, probability=LIKELY, label="healthy", said=False):
    return {a.id: a.where for a in check_axioms(done, probability, label, said) if not a.holds}


def changed(done: Score, **values) -> Score:
    return replace(done, value=replace(done.value, **values))


def with_first_term(done: Score, **values) -> Value:
    first, *others = done.value.terms
    return changed(done, terms=(replace(first, **values), *others))


def test_all_hold_on_a_score(done):
    axioms = check_axioms(done, LIKELY, "healthy", disagreement=False)
    assert len({a.id for a in axioms}) == len(axioms) == 12
    assert {a.by for a in axioms} == {"sympy", "interval", "arithmetic"}
    assert [a.id for a in axioms if not a.holds] == []
    assert len(check_axioms(done, None, None, disagreement=False)) == 10


def test_each_is_seen_to_fail(done):
    assert "logic -1" in broken(with_first_term(done, weight=-1.0))["simplex"]
    assert broken(with_first_term(done, weight=-1.0))["monotone"] == "logic"
    assert "sum to" in broken(with_first_term(done, weight=0.9))["simplex"]
    assert "reaches" in broken(with_first_term(done, weight=0.9))["bounded"]
    assert "the parts" in broken(changed(done, draws=done.value.draws / 2))["sum"]
    assert "V from" in broken(changed(done, draws=done.value.draws + 1))["range"]
    outlier = Estimate.draws([0.0] * 97 + [1.0] * 3)
    number = replace(done.value.terms[0].number, mean=0.03, low=0.0, high=0.0)
    assert broken(with_first_term(done, estimate=outlier, number=number))["centred"] == "logic"
    still = changed(done, draws=np.full(DRAWS, done.value.value.mean))
    assert "impact" in broken(still)["kept"]
    too_good = {"novelty": Imputed(Estimate.exactly(0.9), 10, (), usual=0.3)}
    assert broken(replace(done, imputed=too_good))["absence"] == "novelty"
    narrow = Correction(done.correction.rounds, Coverage(100, 0.4, 50.0))
    assert "only" in broken(replace(done, correction=narrow))["coverage"]
    falling = HyperScore()
    object.__setattr__(falling, "kappa", -1.0)  # no HyperScore can be made so
    assert "kappa -1" in broken(changed(done, hyperscore=falling))["hyperscore"]
    too_sure = Probability(np.full(DRAWS, 0.9), np.full(DRAWS, 1.1), "the record")
    assert "by up to" in broken(done, too_sure)["conjunction"]


def test_no_axiom_is_left_that_nothing_breaks(done):
    """Each one is named by a test above that breaks it."""
    seen = {"simplex", "monotone", "bounded", "hyperscore", "sum", "range", "centred", "kept"}
    seen |= {"absence", "coverage", "conjunction", "agreement"}
    assert {a.id for a in check_axioms(done, LIKELY, "healthy", disagreement=False)} == seen


def test_a_verdict_that_contradicts_must_be_said(done):
    assert "collapsed" in broken(done, label="collapsed")["agreement"]
    assert broken(done, label="collapsed", said=True) == {}
    unlikely = Probability(np.full(DRAWS, 0.2), np.full(DRAWS, 0.9), "the forecast")
    assert "agreement" in broken(done, unlikely)
    assert broken(done, unlikely, label="weak") == {}


def test_v_in_symbols_is_v():
    value, symbols = value_of(EVEN)
    assert {str(s) for s in symbols.values()} == set(SYMBOLS.values()) == set("π∞iΔ⋄")
    at = {symbols[name]: k / 10 for k, name in enumerate(SEED_TERMS)}
    expected = sum(0.2 * (np.log2(1 + v) if str(s) == "i" else v) for s, v in at.items())
    assert float(value.subs(at)) == pytest.approx(expected)


@pytest.mark.parametrize("hyperscore", [HyperScore(), HyperScore(4.5, 0.3, 1.7)])
def test_the_hyperscore_in_symbols_is_the_hyperscore(hyperscore):
    expression, v = hyperscore_of(hyperscore)
    at = np.array([0.2, 0.5, 0.9])
    values = [float(expression.subs({v: x})) for x in at]
    assert values == pytest.approx(hyperscore(at))
    assert all(proof.where is None for proof in prove(EVEN, hyperscore))


def test_proofs_are_kept(monkeypatch):
    made = prove(EVEN, HyperScore())
    monkeypatch.setitem(__import__("sys").modules, "sympy", None)  # importing it now fails
    assert prove(EVEN, HyperScore()) == made
    assert list((cache.cache_folder() / "scores").iterdir())
