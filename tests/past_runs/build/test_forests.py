"""Forests that ship with a library."""

import numpy as np

from dlcc.forecast.forecaster import Forecaster
from dlcc.past_runs import shipped_library
from dlcc.past_runs.build.forests import save_with_forests
from dlcc.past_runs.patterns import patterns
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, read_library


def test_a_library_brings_the_forests_of_what_its_file_holds(tmp_path, monkeypatch):
    exact = shipped_library().select(np.arange(0, 600, 4))
    written = save_with_forests(exact, tmp_path / "past.npz")
    number = sum(len(patterns(series_only=series_only)) for series_only in (False, True))
    assert len(written.forests) == number * len(FRACTIONS)
    monkeypatch.setattr("sklearn.ensemble.ExtraTreesRegressor", None)  # who grows needs it
    monkeypatch.setattr("dlcc.cache.find", lambda *of: None)
    space = Space(read_library(tmp_path / "past.npz").untampered, 2, series_only=True)
    forecaster = Forecaster.of(space)
    assert np.allclose(forecaster.forest.weights(space.points[:3]).sum(axis=1), 1)


def test_too_few_runs_bring_none(tmp_path):
    few = shipped_library().select(np.arange(20))
    assert not save_with_forests(few, tmp_path / "few.npz").forests
