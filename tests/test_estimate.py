"""Estimates against scipy's distributions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlcc import codec
from dlcc.estimate import DRAWS, Estimate


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_proportion_is_jeffreys_posterior(hits: int, misses: int) -> None:
    e = Estimate.proportion(hits, hits + misses)
    exact = stats.beta(hits + 0.5, misses + 0.5)
    assert e.interval(0.9) == pytest.approx(exact.ppf([0.05, 0.95]))
    assert e.mean == pytest.approx(exact.mean(), abs=2e-3)


@given(st.integers(5, 20), st.integers(5, 20), st.integers(1, 40))
def test_unknown_cases_widen_a_proportion(hits: int, misses: int, unknown: int) -> None:
    known = Estimate.proportion(hits, hits + misses).interval(0.9)
    wide = Estimate.proportion(hits, hits + misses, unknown).interval(0.9)
    share = unknown / (hits + misses + unknown)
    exact_mean = (1 - share) * (hits + 0.5) / (hits + misses + 1) + share / 2
    e = Estimate.proportion(hits, hits + misses, unknown)
    assert e.mean == pytest.approx(exact_mean, abs=5e-3)
    if share > 0.5:
        assert wide[1] - wide[0] > known[1] - known[0]


@given(st.floats(0, 1), st.floats(0, 2))
def test_a_normal_is_cut_to_the_unit_interval(mean: float, sd: float) -> None:
    draws = Estimate.normal(mean, sd).sample("x")
    assert draws.shape == (DRAWS,)
    assert np.all((draws >= 0) & (draws <= 1))


def test_a_normal_has_the_quantiles_of_the_truncated_normal() -> None:
    p = np.linspace(0.01, 0.99, 9)
    exact = stats.truncnorm.ppf(p, -0.7 / 0.2, 0.3 / 0.2, loc=0.7, scale=0.2)
    assert Estimate.normal(0.7, 0.2).quantile(p) == pytest.approx(exact)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_draws_keep_their_quantiles(values: list[float]) -> None:
    e = Estimate.draws(values)
    assert e.quantile([0.0, 0.5, 1.0]) == pytest.approx(np.quantile(values, [0, 0.5, 1]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Estimate.exactly(1.2),
        lambda: Estimate.exactly(float("nan")),
        lambda: Estimate.normal(0.5, float("nan")),
        lambda: Estimate.draws([0.2, float("nan")]),
        lambda: Estimate.draws([]),
        lambda: Estimate.proportion(3, 2),
        lambda: Estimate.obligations(3, -1),
        lambda: Estimate.obligations(float("nan"), 0),
        lambda: Estimate.beta(0, 1),
    ],
)
def test_what_is_no_estimate_is_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"estimate|proportion|Beta|draws"):
        make()  # type: ignore[operator]


def test_a_name_fixes_the_permutation_and_names_are_independent() -> None:
    e = Estimate.proportion(3, 10)
    assert np.array_equal(e.sample("a"), e.sample("a"))
    assert abs(np.corrcoef(e.sample("a"), e.sample("b"))[0, 1]) < 0.06
    assert np.array_equal(np.sort(e.sample("a")), np.sort(e.sample("b")))


def test_pooled_proportions_add_up() -> None:
    parts = [Estimate.proportion(3, 4, 1), Estimate.proportion(5, 6)]
    assert Estimate.pooled(parts) == Estimate.proportion(8, 10, 1)


def test_pooled_others_are_an_equal_mixture() -> None:
    pooled = Estimate.pooled([Estimate.exactly(0.2), Estimate.exactly(0.8)])
    assert pooled.mean == pytest.approx(0.5, abs=5e-3)
    assert pooled.quantile([0.25, 0.75]) == pytest.approx([0.2, 0.8])


def test_ignorance_sits_low_and_covers_everything() -> None:
    e = Estimate.ignorance()
    assert e.quantile([0.5])[0] == pytest.approx(0.1)
    assert e.interval(0.98)[0] < 1e-3
    assert e.interval(0.98)[1] > 0.9


@given(st.integers(0, 150), st.integers(0, 6), st.integers(0, 4))
def test_each_refuted_obligation_halves_the_share(held: int, refuted: int, unknown: int) -> None:
    share = Estimate.proportion(held, held + refuted, unknown)
    e = Estimate.obligations(held, refuted, unknown)
    p = np.linspace(0.05, 0.95, 7)
    assert e.quantile(p) == pytest.approx(share.quantile(p) / 2**refuted)
    assert e.decided == share.decided == held + refuted


def test_one_refuted_obligation_of_many_is_doubt() -> None:
    assert Estimate.obligations(134, 0).mean > 0.99
    assert 0.45 < Estimate.obligations(133, 1).mean < 0.5


def test_pooled_obligations_add_up() -> None:
    parts = [Estimate.obligations(3, 1, 1), Estimate.obligations(6, 0)]
    assert Estimate.pooled(parts) == Estimate.obligations(9, 1, 1)


def test_obligations_survive_the_codec() -> None:
    e = Estimate.obligations(30, 2, 1)
    assert codec.decode(Estimate, *codec.encode(e)) == e


@given(st.floats(0.3, 0.7), st.floats(0.01, 0.05), st.floats(1, 3))
def test_a_widened_normal_has_the_same_median_and_a_larger_deviation(
    mean: float, sd: float, factor: float
) -> None:
    narrow = Estimate.normal(mean, sd)
    for wide in (narrow.widened(factor), narrow.with_heavier_tails(factor)):
        assert wide.quantile(0.5) == pytest.approx(mean, abs=2e-3)
        low, high = wide.interval(0.5)
        assert high - low == pytest.approx(2 * 0.6745 * factor * sd, rel=0.05)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(1, 20))
def test_what_is_widened_stays_within_bounds(values: list[float], factor: float) -> None:
    wide = Estimate.draws(values).widened(factor).sample("x")
    assert wide.min() >= 0
    assert wide.max() <= 1
    heavy = Estimate.draws(values).with_heavier_tails(factor).sample("x")
    assert min(values) - 1e-9 <= heavy.min() <= heavy.max() <= max(values) + 1e-9
