"""Samples held against data in a space of features, relative to real rows held out."""

import sys

import numpy as np
import pytest

from dlcc.errors import OptionError
from dlcc.health.feature_reference import FeatureReference
from dlcc.health.good import relative_good
from dlcc.health.sample_space import features_of
from dlcc.health.samples import (
    SAMPLE_FEATURES,
    errors_of_figures,
    sample_features,
    shared_reference,
)
from tests.metrics.test_image_features import stripes

DATA = stripes(1_000)


@pytest.fixture(scope="module")
def reference() -> FeatureReference:
    made = shared_reference(DATA, features_of(DATA, {}))
    assert isinstance(made, FeatureReference)
    return made


def test_more_of_the_data_get_what_held_out_rows_get(reference):
    figures = reference.figures(stripes(200, seed=5))
    assert figures["quality"] > 0.85
    assert figures["coverage"] > 0.85
    assert figures["density"] == pytest.approx(1, abs=0.3)
    assert figures["spread"] == pytest.approx(0, abs=0.2)


def test_what_principal_directions_do_not_see(reference):
    rng = np.random.default_rng(0)
    noisy = stripes(200, seed=5) + 0.5 * rng.normal(size=(200, 28, 28))
    mixed = stripes(200, seed=5)
    mixed[:, ::2] = stripes(200, seed=6)[:, ::2]
    for made in (noisy, mixed, rng.uniform(-1, 1, (200, 28, 28))):
        assert reference.figures(made)["quality"] < 0.1


def test_one_image_covers_next_to_nothing(reference):
    figures = reference.figures(np.repeat(stripes(1, seed=5), 200, axis=0))
    assert figures["coverage"] < 0.5
    assert figures["spread"] < -5


def test_more_samples_than_were_held_out_are_thinned(reference):
    many = reference.figures(stripes(2_000, seed=7))
    assert many["recall"] <= 1
    assert many["coverage"] > 0.85


def test_data_may_be_sorted_by_class():
    """What n real rows get does not depend on the order in which the data come."""
    bars = np.repeat(np.random.default_rng(0).normal(size=(1_000, 1, 28)), 28, axis=1)
    classes = [bars[:500], bars[500:].transpose(0, 2, 1)]
    in_order = FeatureReference.of(np.concatenate(classes), features_of(DATA, {}))
    of_one, of_both = classes[0][:100], np.concatenate([x[:50] for x in classes])
    assert in_order.figures(of_one)["coverage"] < 0.65
    assert in_order.figures(of_one)["recall"] < 0.65
    assert in_order.figures(of_both)["coverage"] > 0.85


@pytest.mark.parametrize("rows", [100, 300])
def test_few_rows_of_a_reference_do_not_make_real_ones_bad(rows):
    few = FeatureReference.of(DATA[:rows], features_of(DATA, {}))
    figures = sample_features(stripes(64, seed=9), few)
    assert relative_good(np.tile(figures, (4, 1))).min() > 0.9
    noise = np.random.default_rng(0).uniform(-1, 1, (64, 28, 28))
    assert relative_good(np.tile(sample_features(noise, few), (4, 1))).max() < 0.1


def test_lost_samples_and_figures_by_name(reference):
    found = sample_features(np.full((50, 28, 28), np.nan), reference)
    assert dict(zip(SAMPLE_FEATURES, found, strict=True))["reach"] == 12
    with_some = stripes(100, seed=5)
    with_some[0] = np.inf
    assert np.isfinite(sample_features(with_some, reference)).all()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.full((len(x), 3), np.nan), "not finite"),
        (lambda x: np.zeros((len(x), 3, 3)), "expected"),
        (lambda x: x.undefined, "AttributeError"),
        (lambda x: [["a", "b"]] * len(x), "one real number"),
        (lambda x: np.zeros((len(x), 0)), "one real number"),
        (lambda x: x[:, 0] * 1j, "one real number"),
        (lambda x: np.ones((len(x), 3)), "the same features"),
        (lambda x: sys.exit(3), "SystemExit"),
    ],
)
def test_feature_functions_that_give_nonsense_are_refused(function, message):
    with pytest.raises(OptionError, match=message):
        FeatureReference.of(DATA, function)


def test_a_function_that_gives_another_width_for_samples():
    made = FeatureReference.of(DATA[:100], lambda x: x[:, 0, :3])
    changed = FeatureReference(lambda x: np.zeros((len(x), 4)), made.rows)
    with pytest.raises(OptionError, match="4 numbers a sample, and 3"):
        changed.figures(DATA[:50])


def test_errors_are_the_scatter_of_independent_samples(reference):
    """The oracle: the same figures of many independent draws."""
    drawn = [0.8 * stripes(200, seed=seed) for seed in range(20, 40)]
    scatter = np.array([sample_features(one, reference) for one in drawn]).std(axis=0, ddof=1)
    errors = np.array([errors_of_figures(one, reference) for one in drawn[:5]]).mean(axis=0)
    for name in ("coverage", "quality", "recall", "density"):
        at = SAMPLE_FEATURES.index(name)
        assert scatter[at] / 2.5 < errors[at] < 2.5 * scatter[at], name


def test_few_samples_have_no_errors(reference):
    assert np.isnan(errors_of_figures(stripes(31), reference)).all()
