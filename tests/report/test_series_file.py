"""The whole series beside the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dlcc.records import Column, Series
from dlcc.report.series_file import is_file_of, write_series


def test_pandas_reads_what_was_recorded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dense = Column.at_every_step(rng.normal(size=120_001))
    sparse = Column(np.array([3, 60_000]), np.array([np.inf, np.nan]), np.full(2, np.nan))
    hostile = 'g"a,\nb/loss'
    write_series(tmp_path / "s.csv", Series({hostile: dense, "g/fid": sparse}))
    table = pd.read_csv(tmp_path / "s.csv")
    assert list(table) == ["step", 'g"a, b/loss', "g/fid"]
    assert np.array_equal(table["step"], np.arange(120_001))
    assert np.array_equal(table['g"a, b/loss'], dense.values)
    assert table["g/fid"].dropna().tolist() == [np.inf]
    assert (tmp_path / "s.csv").read_text().splitlines()[60_001].endswith(",nan")


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    write_series(tmp_path / "s.csv", Series.from_start({"=1+1/loss": np.zeros(1)}))
    assert (tmp_path / "s.csv").read_text().splitlines()[0] == "step,'=1+1/loss"


def test_a_run_without_series_has_a_header(tmp_path: Path) -> None:
    write_series(tmp_path / "s.csv", Series({}))
    assert (tmp_path / "s.csv").read_text() == "step\n"


def test_a_file_is_of_the_series_that_it_was_written_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one, other = (Series({"g/loss": Column.at_every_step(rng.normal(size=9))}) for _ in range(2))
    none, path = Series({}), tmp_path / "s.csv"
    assert not is_file_of(path, one)
    for written in (one, other, none):
        write_series(path, written)
        assert [is_file_of(path, s) for s in (one, other)] == [written is one, written is other]
    assert is_file_of(path, none)
