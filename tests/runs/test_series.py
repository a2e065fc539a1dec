"""Series as users read them."""

import math
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import dlcc.runs
from dlcc.errors import OptionError
from dlcc.runs import Column, Run, Series


@pytest.fixture
def uneven() -> Series:
    """Two quantities of which one is logged at every other step."""
    clock = np.full(3, np.nan)
    return Series(
        {
            "generator/loss": Column(np.arange(3), np.array([3.0, 2.0, 1.0]), clock),
            "discriminator/loss": Column(np.array([0, 2]), np.array([0.5, 0.7]), clock[:2]),
        }
    )


def test_a_quantity_is_found_by_its_name(uneven: Series) -> None:
    assert uneven["generator/loss"].values.tolist() == [3, 2, 1]
    assert list(uneven) == ["generator/loss", "discriminator/loss"]
    assert "generator/loss" in uneven
    assert "loss" not in uneven


def test_series_are_a_mapping_of_names_to_columns(uneven: Series) -> None:
    assert isinstance(uneven, Mapping)
    assert {name: len(column.steps) for name, column in uneven.items()} == {
        "generator/loss": 3,
        "discriminator/loss": 2,
    }
    assert [*uneven.keys()] == [*uneven]
    assert [column.values[0] for column in uneven.values()] == [3.0, 0.5]
    assert uneven.get("generator/loss") is uneven["generator/loss"]
    assert uneven.get("generator/los") is None
    assert (len(uneven), len(Series())) == (2, 0)


@pytest.mark.parametrize("module", ["dlcc.runs", "dlcc.runs.series"])
def test_the_old_name_works_and_warns_where_it_is_used(module: str) -> None:
    with pytest.warns(DeprecationWarning, match=r"SeriesTable is .*\.Series now") as warned:
        assert import_module(module).SeriesTable is Series
    assert warned[0].filename == __file__
    assert "SeriesTable" not in dlcc.runs.__all__


def test_a_wrong_name_is_told_the_nearest(uneven: Series) -> None:
    with pytest.raises(KeyError, match=r"no quantity 'generator/los' was logged.*generator/loss"):
        uneven["generator/los"]


def test_a_frame_has_a_row_a_step_and_gaps(uneven: Series) -> None:
    frame = uneven.to_pandas()
    assert frame.index.name == "step"
    assert frame.index.tolist() == [0, 1, 2]
    assert frame["generator/loss"].tolist() == [3, 2, 1]
    assert math.isnan(frame["discriminator/loss"][1])


def test_without_pandas_it_says_how_to_get_it(uneven: Series, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(OptionError, match="pip install pandas"):
        uneven.to_pandas()


def test_runs_and_series_show_themselves_in_a_line(small_run: Path) -> None:
    run = Run.open(small_run)
    for shown in (repr(run), repr(run.series())):
        assert len(shown) < 80
        assert "\n" not in shown
    assert "gan" in repr(run)


def test_before_is_what_would_have_been_read(small_run: Path) -> None:
    run = Run.open(small_run)
    whole, half = run.series(), run.series(until=run.length // 2)
    cut = whole.before(run.length // 2)
    assert {n: c.values.tolist() for n, c in cut.columns.items()} == {
        n: c.values.tolist() for n, c in half.columns.items()
    }
