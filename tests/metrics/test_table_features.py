"""Features of table rows: ranks whatever the units, categories, and columns that go together."""

import numpy as np
import pytest
from scipy import stats

from dlcc.metrics.table_features import TableColumns


def table(n=400, seed=0):
    """Rows of an income-like column, one that follows it, and a category."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return np.column_stack([np.exp(2 * z), z + 0.3 * rng.normal(size=n), rng.integers(0, 3, n)])


def test_numbers_are_seen_by_their_ranks():
    rows = table()
    scores = TableColumns.of(rows, categorical=[2])(rows)[:, 0]
    expected = stats.norm.ppf((stats.rankdata(rows[:, 0]) - 0.5) / len(rows))
    assert scores == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize("unit", [1e-3, 1e4])
def test_units_do_not_matter(unit):
    rows = table()
    scaled = rows * np.array([unit, 1, 1])
    one = TableColumns.of(rows, categorical=[2])(rows)
    assert TableColumns.of(scaled, categorical=[2])(scaled) == pytest.approx(one, abs=1e-6)


def test_columns_that_lost_each_other_differ_in_their_product_alone():
    rows = table()
    features = TableColumns.of(rows, categorical=[2])
    apart = rows.copy()
    apart[:, 1] = np.random.default_rng(1).permutation(apart[:, 1])
    real, broken = features(rows).mean(axis=0), features(apart).mean(axis=0)
    assert real[:5] == pytest.approx(broken[:5])
    assert real[5] > 0.8 > 0.3 > abs(broken[5])


def test_categories_that_no_data_have_and_values_far_out():
    rows = table()
    features = TableColumns.of(rows, categorical=[2])
    strange = np.array([[1e9, -1e9, 7.0]])
    found = features(strange)
    assert np.isfinite(found).all()
    assert found[0, 2:5].tolist() == [0, 0, 0]
    assert found[0, 0] > features(rows)[:, 0].max()
