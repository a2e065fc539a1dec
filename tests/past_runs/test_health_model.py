"""What the library says of a vector."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.health.curves import Curves, run_vector
from dlcc.health.good import series_only_features, with_samples_features
from dlcc.health.windows import WINDOWS
from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.in_use import shipped_library
from dlcc.records import LABELS


def vectors(series_only: bool) -> list[dict[str, float]]:
    """Some runs of the library at their end."""
    table = shipped_library()
    rows = table.series_only_vectors if series_only else table.vectors
    return [dict(zip(table.names, row, strict=True)) for row in rows[::120, -1]]


@pytest.mark.parametrize("series_only", [False, True])
def test_probabilities_of_the_labels_sum_to_one(series_only):
    model = HealthModel(shipped_library(), series_only)
    for vector in vectors(series_only)[:3]:
        found = model.labels(vector)
        assert tuple(found) == model.kind.label_names
        assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize("series_only", [False, True])
def test_what_diverged_is_diverged(series_only):
    vector = vectors(series_only)[0] | {"diverged": 1.0}
    assert HealthModel(shipped_library(), series_only).labels(vector)["diverged"] == 1


def test_labels_of_the_table_are_found_again_from_other_runs():
    """Two folds; a third of the labels by chance."""
    table = shipped_library().untampered.as_given
    half = np.arange(len(table.labels)) % 2 == 0
    model = HealthModel(table.select(half), series_only=False)
    said = [
        max(LABELS, key=model.labels(dict(zip(table.names, row, strict=True))).get)
        for row in table.vectors[~half, -1]
    ]
    right = np.mean([LABELS.index(s) == y for s, y in zip(said, table.labels[~half], strict=True)])
    assert right >= 0.88


@pytest.mark.parametrize("series_only", [False, True])
def test_stability_is_that_of_runs_that_were_as_good(series_only):
    table = shipped_library()
    model = HealthModel(
        replace(table, stability=table.columns(["good_half"], series_only=series_only)[:, 0]),
        series_only,
    )
    for vector in vectors(series_only):
        assert model.stability(vector).mean == pytest.approx(vector["good_half"], abs=0.12)


def test_good_rises_with_coverage_and_quality():
    rise = np.linspace(0, 1, 40)
    samples = np.zeros((40, 8))
    samples[:, 0] = samples[:, 1] = samples[:, 4] = samples[:, 5] = rise
    samples[:, 2], samples[:, 3] = 1 - rise, 0.5 - 4.5 * rise
    good = shipped_library().good(Curves(np.zeros((WINDOWS, 11)), samples))
    assert (np.diff(good) > -1e-3).all()
    assert good[0] < 0.05 < 0.95 < good[-1]


def test_what_is_missing_is_no_feature_and_never_zero():
    windows = np.full((WINDOWS, 11), np.nan)
    assert series_only_features(Curves(windows, None)).shape == (WINDOWS, 0)
    windows[:, -1] = 0.0
    windows[::2, :4] = 1.0  # losses alone, and every other window without rows
    found = series_only_features(Curves(windows, None))
    assert (found == np.array([1.0, 1.0, 1.0, 1.0, 0.0])).all()
    good = shipped_library().good(Curves(windows, None))
    vector = run_vector(Curves(windows, None), good)
    assert not [name for name in vector if "grad" in name or "margin" in name]
    assert vector["generator_loss_last"] == 1.0
    assert with_samples_features(Curves(windows, np.zeros((40, 8)))).shape == (40, 11)


def test_who_is_healthy_goes_on_like_those_who_were_as_good():
    past = shipped_library()
    model = HealthModel(past, series_only=False)
    healthy = int(np.flatnonzero(past.labels == LABELS.index("healthy"))[3])
    found = model.continuation(dict(zip(past.names, past.vectors[healthy, -1], strict=True)))
    assert found.mean > 0.9


def test_who_failed_in_a_good_time_goes_on_no_better_than_its_label_lets_one_expect():
    past = shipped_library()
    model = HealthModel(past, series_only=False)
    vector = dict(zip(past.names, past.vectors[4, -1], strict=True))  # of a healthy run
    label = "oscillating"
    of_label = past.labels == LABELS.index(label)
    usual = np.nanmean(past.untampered.select(of_label[past.true_record]).next_quarter[:, -1])
    model.__dict__["labels"] = lambda given: {label: 1.0, "healthy": 0.0}
    assert model.continuation(vector).mean == pytest.approx(usual, abs=0.02)
    model.__dict__["labels"] = lambda given: {label: 0.0, "healthy": 1.0}
    assert model.continuation(vector).mean > usual + 0.3


def test_without_what_it_was_as_good_as_nobody_knows_how_it_goes_on():
    model = HealthModel(shipped_library(), series_only=True)
    assert model.continuation({"diverged": 0.0}) is None
