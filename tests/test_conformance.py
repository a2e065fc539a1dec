"""The built-in stages conform to the stage API."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcc.pipeline import discovery
from dlcc.testing import check_stage

NAMES = ("ingestion", "health", "landscape")
LONG = ("consistency", "decomposition", "execution", "novelty", "impact", "reproducibility")
"""Stages that take long, and are run several times each."""


def test_the_built_in_stages_are_these() -> None:
    assert {*NAMES, *LONG} <= set(discovery.installed())


@pytest.mark.parametrize(
    "name", [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]
)
def test_a_built_in_stage_conforms(name: str, small_run: Path) -> None:
    if name == "decomposition":
        shorten(small_run)
    check_stage(discovery.installed()[name], small_run)


def shorten(run: Path) -> None:
    """Leave of the code the losses, and of the page its formulas: embedding all takes seconds."""
    for file, end in (("source/train.py", "LOSSES = {"), ("documents/method.md", "## Networks")):
        text = (run / file).read_text()
        (run / file).write_text(text[: text.index(end)])
