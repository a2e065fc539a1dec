"""The table of past runs that ships with the package."""

import numpy as np
import pytest

from dlcc.library.outcomes import LABELS, TABLE, outcomes, row


def test_it_is_small_and_has_enough_runs_of_every_label():
    table = outcomes()
    assert TABLE.stat().st_size <= 500_000
    assert len(table.labels) >= 200
    counts = np.bincount(table.labels, minlength=len(LABELS))
    assert counts.min() >= 20
    assert {str(name) for name in table.data} == {"ring", "digits"}


def test_every_run_has_every_figure_that_it_can_have():
    table = outcomes()
    assert np.isfinite(table.vectors).all()
    assert table.vectors.shape == table.blind_vectors.shape == (len(table.labels), len(table.names))
    lacking = {
        n for n, v in zip(table.names, table.blind_vectors.T, strict=True) if np.isnan(v).any()
    }
    assert {"swing", "coverage_last", "rule_healthy"} <= lacking
    assert not lacking & {"good_quarter", "diverged", "generator_loss_last"}


def test_shares_are_shares():
    table = outcomes()
    for shares in (table.stability, table.next_quarter, table.columns(["good_half"], blind=False)):
        assert (shares >= 0).all()
        assert (shares <= 1).all()


def test_it_survives_being_written(tmp_path):
    table = outcomes()
    table.save(tmp_path / "table.npz")
    again = outcomes(tmp_path / "table.npz")
    assert again.names == table.names
    assert np.array_equal(again.labels, table.labels)
    assert np.array_equal(again.vectors, table.vectors)
    assert np.array_equal(again.good.covariance, table.good.covariance)


def test_some_of_its_runs():
    table = outcomes()
    healthy = table.some(table.labels == 0)
    assert (healthy.labels == 0).all()
    assert len(healthy.vectors) == len(healthy.data) == (table.labels == 0).sum()


def test_columns_and_rows_by_name():
    table = outcomes()
    names = ["swing", "good_half"]
    vector = dict(zip(table.names, table.vectors[3], strict=True))
    assert table.columns(names, blind=False)[3] == pytest.approx(row(names, vector))
    assert np.isnan(row(["unheard-of"], vector)).all()
