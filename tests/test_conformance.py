"""The built-in stages conform to the stage API."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcc import plugins
from dlcc.testing import check_stage

NAMES = ("ingestion", "decomposition", "health", "consistency", "execution")


def test_the_built_in_stages_are_these() -> None:
    assert set(NAMES) <= set(plugins.installed())


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_stage_conforms(name: str, small_run: Path) -> None:
    check_stage(plugins.installed()[name], small_run)
