"""The catalogue of findings."""

import re
from pathlib import Path

import pytest

import dlcc
from dlcc.errors import OptionError
from dlcc.findings import Finding, all_codes, page

PACKAGE = Path(str(dlcc.__file__)).parent


@pytest.mark.parametrize("code", all_codes())
def test_every_page_has_its_parts(code: str) -> None:
    its = page(code)
    assert its.code == code
    assert its.title[0].islower()
    assert its.remedy.endswith((".", "`."))
    assert "## What it looks like\n" in its.text


def test_every_code_that_a_stage_names_has_a_page_and_every_page_a_stage() -> None:
    named = set()
    for path in (PACKAGE / "stages").rglob("*.py"):
        named |= set(re.findall(r'"([A-Z]{3}\d{3})"', path.read_text()))
    assert named == set(all_codes())


def test_an_unknown_code_names_near_ones() -> None:
    with pytest.raises(OptionError, match="GAN003"):
        page("GAN03")


def test_a_finding_takes_its_severity_from_its_page() -> None:
    assert Finding("GAN003", "x").severity == "error"
    assert Finding("REC003", "x").severity == "note"
