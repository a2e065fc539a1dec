"""What a session is shown beside the code, and that nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcc.errors import ForeignCodeError, ForeignDataError
from dlcc.sandbox import Level, Session

_READS = """
import pathlib, torch
class Training:
    players = {}
    def __init__(self, path): self.text = pathlib.Path(path).read_text()
    def step(self, step): return {"a/b": float(self.text)}
    def state_dict(self): return {}
    def load_state_dict(self, state): pass
def build(config):
    try:
        return Training(config["path"])
    except OSError as error:
        if config["hides"]:
            raise ValueError("bad data") from error
        raise
"""


def asked(
    code: Path, level: Level, path: Path | str, data: Path | None, *, hides: bool = False
) -> float:
    """What the code reads from a path."""
    with Session({"source/train.py": code}, level, data=data) as session:
        session.build("source/train.py:build", {"path": str(path), "hides": hides})
        return float(session.step(0, 1, ["a/b"]).values[0, 0])


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A training that reads `data/number.txt`, beside data."""
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data" / "number.txt").write_text("42")
    (tmp_path / "data" / "other.txt").write_text("7")
    (tmp_path / "train.py").write_text(_READS)
    return tmp_path / "train.py"


@pytest.mark.parametrize("hides", [False, True])
def test_data_that_are_not_shown_are_missed_by_name(code: Path, level: Level, hides: bool) -> None:
    with pytest.raises(ForeignDataError, match=r"number\.txt|bad data"):
        asked(code, level, code.parent / "data" / "number.txt", None, hides=hides)


def test_a_file_is_shown_and_what_lies_beside_it_is_not(code: Path, level: Level) -> None:
    shown = code.parent / "data" / "number.txt"
    assert asked(code, level, shown, shown) == 42
    with pytest.raises(ForeignDataError):
        asked(code, level, shown.with_name("other.txt"), shown)


def test_a_relative_path_is_found_where_the_code_looks_for_it(
    code: Path, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(code.parent)
    assert asked(code, level, "data/other.txt", code.parent / "data") == 7
    assert asked(code, level, "number.txt", code.parent / "data" / "number.txt") == 42


def test_a_link_is_shown_with_what_it_leads_to(code: Path, level: Level) -> None:
    link = code.parent / "link.txt"
    link.symlink_to(code.parent / "data" / "number.txt")
    assert asked(code, level, link, link) == 42


def test_other_errors_are_the_codes_own(code: Path, level: Level) -> None:
    with pytest.raises(ForeignCodeError, match="KeyError") as caught:
        asked_nothing(code, level)
    assert not isinstance(caught.value, ForeignDataError)


def asked_nothing(code: Path, level: Level) -> None:
    with Session({"source/train.py": code}, level) as session:
        session.build("source/train.py:build", {})
