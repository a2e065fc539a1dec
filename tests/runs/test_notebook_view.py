"""Runs and series in a notebook."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from dlcc.runs import Run
from dlcc.runs.series import Series
from tests.conftest import example


def test_a_run_shows_its_series() -> None:
    shown = Run.open(example("digits-collapsed"))._repr_html_()
    assert "digits-collapsed" in shown
    pictures = [f"<svg{part}" for part in shown.split("<svg xmlns")[1:]]
    assert len(pictures) == 4
    assert "also: " in shown


def test_every_picture_is_well_formed_and_its_texts_are_escaped() -> None:
    hostile = "<script>&/loss"
    shown = Series.from_start({hostile: np.array([1.0, np.nan, 1e300])})._repr_html_()
    element = ElementTree.fromstring(shown)
    texts = ["".join(e.itertext()) for e in element.iter("{http://www.w3.org/2000/svg}text")]
    assert "<script>&" in texts


def test_nothing_recorded_is_shown_as_nothing() -> None:
    assert Series()._repr_html_() == ""


def test_damaged_series_are_named(tmp_path: Path) -> None:
    shutil.copytree(example("digits-healthy"), tmp_path / "run")
    for file in (tmp_path / "run" / "series").iterdir():
        file.write_bytes(b"nonsense")
    shown = Run.open(tmp_path / "run")._repr_html_()
    assert "series" in shown
    assert "<svg" not in shown
