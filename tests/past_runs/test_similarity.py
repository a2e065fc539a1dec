"""Distances in landscape space, held against scikit-learn and networkx by hand."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.independence import independence, independence_among, run_graph_centrality
from dlcc.past_runs.similarity import Space


@pytest.fixture(scope="module")
def space():
    """The space of features of every eighth past run."""
    past = shipped_library()
    return Space(past.select(np.arange(0, len(past), 8)), fraction=1, series_only=False)


def test_points_are_standardised_and_cut(space):
    assert space.points.shape == (len(space.library), len(space.names))
    assert np.abs(space.points).max() <= 4
    assert np.abs(space.points.mean(axis=0)).max() < 0.5


def test_neighbours_are_those_of_another_implementation(space):
    model = NearestNeighbors(n_neighbors=11).fit(space.points)
    distances, _ = model.kneighbors(space.points)
    _, ours = space.neighbours
    expected = distances[:, 1:] / np.sqrt(len(space.names))
    assert ours == pytest.approx(expected, abs=2e-3)


def test_a_run_is_not_its_own_neighbour(space):
    found, _ = space.neighbours
    assert not (found == np.arange(len(found))[:, None]).any()


def test_a_point_of_the_library_is_near_and_a_wild_one_is_far(space):
    own = np.median([space.distance(p) for p in space.points[::10]])
    assert own < 1.2
    assert space.distance(np.full(len(space.names), 4.0)) > 2


def test_missing_figures_stand_at_the_mean(space):
    raw = space.raw_of({}, {})
    assert (space.standardised(raw) == 0).all()


def test_what_no_past_run_says_of_its_configuration_does_not_count():
    past = shipped_library("single").as_given
    space = Space(past, fraction=1, series_only=False)
    vector = dict(zip(past.names, past.vectors[0, 1], strict=True))
    said = {"lr_g": 1e-3, "width": 256, "depth": 3, "zdim": 16, "beta1": 0.5, "optimizer": "adam"}
    plain, wordy = (space.standardised(space.raw_of(vector, config)) for config in ({}, said))
    assert (plain == wordy).all()
    assert space.distance(wordy) < 1.5


def test_blind_spaces_leave_out_what_needs_samples(space):
    series_only = Space(space.library, 1, series_only=True)
    assert set(space.names) - set(series_only.names) >= {"swing", "coverage_last", "rule_healthy"}
    assert np.isfinite(series_only.points).all()


def test_centrality_sums_to_one_and_favours_the_middle():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((200, 3))
    ranks = run_graph_centrality(points)
    assert ranks.sum() == pytest.approx(1)
    far = np.argsort(-np.linalg.norm(points, axis=1))[:10]
    assert ranks[far].mean() < np.median(ranks)


def test_independence_orders_centre_and_outskirts():
    rng = np.random.default_rng(1)
    points = rng.standard_normal((300, 3))
    centre, outside = np.zeros(3), np.full(3, 6.0)
    assert independence_among(points, outside) > 0.8 > independence_among(points, centre)


def test_independence_has_a_spread_and_repeats(space):
    first = independence(space, space.points[0], np.random.default_rng(3))
    again = independence(space, space.points[0], np.random.default_rng(3))
    assert first == again
    low, high = first.interval(0.9)
    assert 0 <= low < high <= 1
