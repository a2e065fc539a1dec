"""Folders that a recorder wrote, where one run is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dlcc.errors import OptionError, RunError
from dlcc.runs import Run
from tests.conftest import example


def test_a_folder_of_recorded_runs_is_not_taken_for_another_tools(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(example("digits-healthy"), tmp_path / name)
    with pytest.raises(RunError, match=r"holds 2 recorded runs \(a, b\); name .*a or another"):
        Run.open(tmp_path)


def test_a_part_of_a_recorded_run_cannot_be_named() -> None:
    with pytest.raises(OptionError, match="is one run; leave --run out"):
        Run.open(example("digits-healthy"), part="nope")
