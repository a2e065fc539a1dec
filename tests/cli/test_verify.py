"""The command `dlcc verify`: statements from a file, a run's formulas, exports, bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import assert_one_sentence, dlcc
from tests.conftest import example

TRUE = "identity | x real | softplus(-x) = softplus(x) - x\n"


def test_statements_are_decided_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "claims.txt"
    file.write_text(TRUE + "wrong | x real | x**2 >= x\n")
    done = dlcc("verify", file, "--prover", "sympy")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["identity", "proved", "by", "sympy"]
    assert lines[1].startswith("wrong     refuted: at x = ")
    assert lines[2] == "1 proved, 1 refuted, 0 unknown"


def test_exports(tmp_path: Path) -> None:
    file = tmp_path / "claims.txt"
    file.write_text("trivial | x real | x <= x + 1\n")
    done = dlcc("verify", file, "--export", tmp_path / "proofs", "--prover", "sympy")
    assert done.returncode == 0, done.stderr
    assert "Statements.lean is unchecked" in done.stdout
    assert "theorem trivial" in (tmp_path / "proofs" / "Statements.lean").read_text()


def test_formulas_of_a_run(tmp_path: Path) -> None:
    done = dlcc("verify", example("digits-collapsed"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "proved   the formula at documents/method.md:17 is the loss" in done.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nonsense", "line 1"),
        ("", "holds no statement"),
        ("a | x real | y = x", "y is no variable"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "claims.txt"
    file.write_text(content)
    assert_one_sentence(dlcc("verify", file), 2, words)


def test_a_file_that_is_not_there_and_a_prover_that_is_none(tmp_path: Path) -> None:
    assert_one_sentence(dlcc("verify", tmp_path / "none.txt"), 2, "cannot be read")
    file = tmp_path / "claims.txt"
    file.write_text(TRUE)
    assert_one_sentence(dlcc("verify", file, "--prover", "vampire"), 2, "expected auto, sympy")
