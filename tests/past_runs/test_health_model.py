"""What the library says of a vector."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.health.curves import Curves
from dlcc.health.good import blind_features, sighted_features
from dlcc.health.windows import WINDOWS
from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.in_use import shipped_library
from dlcc.records import LABELS


def vectors(blind: bool) -> list[dict[str, float]]:
    """Some runs of the library at their end."""
    table = shipped_library()
    rows = table.blind_vectors if blind else table.vectors
    return [dict(zip(table.names, row, strict=True)) for row in rows[::120, -1]]


@pytest.mark.parametrize("blind", [False, True])
def test_probabilities_of_the_labels_sum_to_one(blind):
    model = HealthModel(shipped_library(), blind)
    for vector in vectors(blind)[:3]:
        found = model.labels(vector)
        assert tuple(found) == LABELS
        assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize("blind", [False, True])
def test_what_diverged_is_diverged(blind):
    vector = vectors(blind)[0] | {"diverged": 1.0}
    assert HealthModel(shipped_library(), blind).labels(vector)["diverged"] == 1


def test_labels_of_the_table_are_found_again_from_other_runs():
    """Two folds; a third of the labels by chance."""
    table = shipped_library()
    table = table.some(table.true_record)
    half = np.arange(len(table.labels)) % 2 == 0
    model = HealthModel(table.some(half), blind=False)
    said = [
        max(LABELS, key=model.labels(dict(zip(table.names, row, strict=True))).get)
        for row in table.vectors[~half, -1]
    ]
    right = np.mean([LABELS.index(s) == y for s, y in zip(said, table.labels[~half], strict=True)])
    assert right >= 0.88


@pytest.mark.parametrize("blind", [False, True])
def test_stability_is_that_of_runs_that_were_as_good(blind):
    table = shipped_library()
    model = HealthModel(
        replace(table, stability=table.columns(["good_half"], blind=blind)[:, 0]), blind
    )
    for vector in vectors(blind):
        assert model.stability(vector).mean == pytest.approx(vector["good_half"], abs=0.12)


def test_good_rises_with_coverage_and_quality():
    rise = np.linspace(0, 1, 40)
    samples = np.zeros((40, 8))
    samples[:, 0] = samples[:, 1] = samples[:, 4] = samples[:, 5] = rise
    samples[:, 2], samples[:, 3] = 1 - rise, 0.5 - 4.5 * rise
    good = shipped_library().good(Curves(np.zeros((WINDOWS, 11)), samples))
    assert (np.diff(good) > -1e-3).all()
    assert good[0] < 0.05 < 0.95 < good[-1]


def test_features_are_finite_where_quantities_are_missing():
    windows = np.full((WINDOWS, 11), np.nan)
    assert np.isfinite(blind_features(Curves(windows, None))).all()
    assert sighted_features(Curves(windows, np.zeros((40, 8)))).shape == (40, 11)
