"""What stands in for a missing term, against the quantiles of the library's rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.estimate import Estimate
from dlcc.scoring.imputation import as_usual, impute, kernel_weights, low_end, quantiles
from tests.scoring.past import IMPACT, untested, verified, with_terms

shares = st.floats(0, 1)


@given(st.lists(shares, min_size=20, max_size=80))
def test_the_median_is_the_low_end_and_the_range_that_of_the_rows(values):
    rows = np.array(values)
    estimate = low_end(rows, np.ones(len(rows)))
    middles = (np.arange(len(rows)) + 0.5) / len(rows)
    expected = np.interp(0.1, middles, np.sort(rows))
    assert estimate.quantile([0.5])[0] == pytest.approx(expected, abs=0.02)
    assert estimate.quantile([1.0])[0] == pytest.approx(rows.max())
    assert estimate.quantile([0.0])[0] == pytest.approx(rows.min())


def test_weighted_quantiles_are_those_of_repeated_rows():
    values, times = np.array([0.1, 0.4, 0.9]), np.array([2, 5, 3])
    many = np.repeat(values, times)
    at = np.array([0.1, 0.45, 0.85])
    assert quantiles(values, times.astype(float), at) == pytest.approx(np.quantile(many, at))


def test_without_a_library_nothing_is_known():
    assert impute("impact", {}, None).estimate == Estimate.ignorance()
    assert impute("impact", {}, untested()).estimate == Estimate.ignorance()
    assert impute("coverage", {}, verified()).estimate == Estimate.ignorance()
    assert impute("impact", {}, untested()).runs == 0


def test_without_other_terms_it_is_the_whole_distribution():
    past = verified()
    imputed = impute("impact", {}, past)
    honest = past.terms[past.true_record, IMPACT, 0]
    assert imputed.estimate.quantile([0.5])[0] == pytest.approx(np.quantile(honest, 0.1), abs=0.01)
    assert imputed.usual == pytest.approx(np.median(honest), abs=0.01)
    assert imputed.runs == past.true_record.sum()
    assert "260 past runs" in imputed.words


def test_the_terms_that_are_there_say_what_is_to_be_expected():
    past = verified()
    good = impute("impact", {"reproducibility": Estimate.exactly(0.95)}, past)
    bad = impute("impact", {"reproducibility": Estimate.exactly(0.3)}, past)
    assert good.usual > bad.usual + 0.3
    assert good.given == ("reproducibility",)
    assert "nearest in reproducibility" in good.words


def test_doctored_rows_count_for_logic_alone_and_no_more_than_usual():
    past = verified(doctored=40, found=40)
    logic = impute("logic", {}, past)
    assert logic.runs == len(past)
    assert logic.estimate.interval(0.9)[0] < 0.5 < logic.usual
    assert logic.estimate.mean < impute("logic", {}, past.select(past.true_record)).estimate.mean
    weights = as_usual(np.ones(len(past)), past.true_record)
    assert weights[~past.true_record].sum() / weights.sum() == pytest.approx(0.05)


def test_where_too_few_rows_have_the_others_these_are_not_looked_at():
    past = verified()
    few = with_terms(past, novelty=np.where(np.arange(len(past)) > len(past) - 20, 0.5, np.nan))
    imputed = impute("impact", {"novelty": Estimate.exactly(0.5)}, few)
    assert imputed.given == ()
    assert imputed.runs == past.true_record.sum()


@given(st.integers(1, 3), st.integers(60, 200), st.integers(0, 5), st.floats(-10, 10))
def test_enough_rows_lie_under_the_kernel(d, n, seed, far):
    points = np.random.default_rng(seed).normal(size=(n, d))
    weights = kernel_weights(points, np.full(d, far))
    assert weights.sum() == pytest.approx(1)
    assert 1 / (weights**2).sum() >= 50 - 1e-6


def test_near_rows_weigh_more():
    points = np.linspace(0, 1, 400)[:, None]
    weights = kernel_weights(points, np.array([0.2]))
    assert weights.argmax() == pytest.approx(80, abs=2)
    assert weights[300] < weights[100]
