"""The catalogue of findings."""

import re
from pathlib import Path

import pytest

import dlcc
from dlcc.errors import OptionError, PluginError
from dlcc.findings import PAGES, Finding, all_codes, page
from dlcc.findings.catalogue import read_page

PACKAGE = Path(str(dlcc.__file__)).parent


@pytest.mark.parametrize("code", all_codes())
def test_every_page_has_its_parts(code: str) -> None:
    its = page(code)
    assert its.code == code
    assert its.title[0].islower()
    assert its.remedy.endswith((".", "`."))
    assert "## What it looks like\n" in its.text


def test_every_code_that_a_stage_or_kind_names_has_a_page_and_every_page_one() -> None:
    named = set()
    files = [p for room in ("stages", "kinds", "detect") for p in (PACKAGE / room).rglob("*.py")]
    for path in files:
        named |= set(re.findall(r'"([A-Z]{3}\d{3})"', path.read_text()))
    own = {path.stem for path in (PACKAGE / PAGES).glob("*.md")}
    assert named == own <= set(all_codes())


def test_an_unknown_code_names_near_ones() -> None:
    with pytest.raises(OptionError, match="GAN003"):
        page("GAN03")


def test_a_finding_takes_its_severity_from_its_page() -> None:
    assert Finding("GAN003", "x").severity == "error"
    assert Finding("REC003", "x").severity == "note"


WHOLE = "# MYS002 mystery\nseverity: note\n\nWhat.\n\n## What to change\n\nNothing.\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHOLE.replace("MYS002", "MYS003"), "expected '# MYS002 TITLE'"),
        (WHOLE.replace("note", "grave"), "one of error, warning, note"),
        (WHOLE.replace("## What to change", "## Change"), "no part '## What to change'"),
        (WHOLE.replace("Nothing.", ""), "no part '## What to change' that says"),
        (WHOLE.replace("mystery", "m\xfc").encode("latin-1"), "cannot be read as UTF-8"),
    ],
)
def test_a_page_of_another_shape_is_refused(
    text: str | bytes, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "MYS002.md"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PluginError, match=expected) as refused:
        read_page(path)
    assert str(path) in str(refused.value)
