"""Run folders that mean harm: one sentence, bounded time, and nothing shown as it came."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc import evaluate
from dlcc.cli.progress import bars
from dlcc.errors import RunError
from dlcc.report.text import one_line, printable
from dlcc.runs import Recorder
from dlcc.runs.tensors import write_tensors
from dlcc.stages.consistency.formulas.latex import parse_equation
from dlcc.stages.consistency.formulas.latex_tokens import UnknownFormula
from tests.command import assert_one_sentence, dlcc, dlcc_process, sentences
from tests.conftest import unlisted


def edit(run: Path, **changes: Any) -> None:
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(manifest | changes))


BOMBS = [
    "9^{9^{9^{9}}}", "9^{99999999} D(x)", "(a+b+c+d+f+g)^{200}", "((a+b)^8)^8",
    r"\exp(\exp(\exp(\exp(D(x)))))", r"\frac{1}{1+" * 150 + "a" + "}" * 150, "{" * 10_000,
    "-" * 10_000 + "a", "9" * 5_000, r"a^{\exp(99)}",
]  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda b: b[:12])
def test_a_formula_bomb_is_not_understood_at_once(bomb: str) -> None:
    began = time.monotonic()
    with pytest.raises(UnknownFormula):
        parse_equation(f"L_D = {bomb}")
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("in_process")
def test_formulas_that_the_algebra_chokes_on_leave_the_others(small_run: Path) -> None:
    page = small_run / "documents" / "method.md"
    text = page.read_text()
    line = next(at for at in text.splitlines() if at.startswith("L_D"))
    wrong = [rf"L_D = {right}" for right in (r"\max(\sqrt{-1}, D(x))", "D(x) / 0", r"\log(0) D(x)")]
    page.write_text(text.replace(line, "\n$$\n\nIt minimises\n\n$$\n".join(wrong)))
    report = evaluate(small_run, only=["consistency"]).report
    (stage,) = (s for s in report.stages if s.name == "consistency")
    assert stage.status == "scored"
    found = [o for o in stage.details["obligations"] if o["id"].startswith("formula/")]
    assert [o["verdict"] == "proved" for o in found] == [False, False, False, True]


@pytest.mark.usefixtures("in_process")
def test_escape_sequences_and_line_breaks_are_not_shown(small_run: Path, tmp_path: Path) -> None:
    (small_run / "documents" / "a\x1b[2J\n.md").write_text(
        "| key | value |\n|---|---|\n| lr_g | 7 |"
    )
    stages = ("--only", "consistency", "--skip", "decomposition")
    done = dlcc("evaluate", small_run, *stages, "--out", "o", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "\x1b" not in (tmp_path / "o" / "report.html").read_text()


@pytest.mark.parametrize(
    "name",
    ["evil\x1b[2J\x1b]0;x\x07\nHealthy to the end.", "\x9b31m", "\u202e", "x" * 15_000_000],
    ids=lambda name: ascii(name)[:12],
)
def test_a_name_that_would_write_on_the_terminal_or_fill_the_page_is_refused(
    name: str, small_run: Path, tmp_path: Path
) -> None:
    edit(small_run, name=name)
    done = dlcc("evaluate", small_run, "--only", "ingestion", "--out", "o", cwd=tmp_path)
    assert_one_sentence(done, 2, "run.json: key name: expected")
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert len(done.stderr) < 1_000


@pytest.mark.parametrize(
    "arguments",
    [("evaluate", "no\x1b[2J\u202e"), ("evaluate", "a", "--no\x1b[2J"), ("no\x9b31m",),
     ("explain", "\x1b[2J"), ("forecast", "no\x1b[2J"), ("evaluate", "x" * 200_000)],
    ids=lambda given: ascii(given)[:24],
)  # fmt: skip
def test_stderr_repeats_no_control_character_and_no_endless_text(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = dlcc(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert len(done.stderr) < 5_000


def test_a_fault_of_ours_repeats_no_control_character(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("evil\x1b[2J\x9b")

    monkeypatch.setattr("dlcc.runs.run.open_path", broken)
    done = dlcc("evaluate", small_run, cwd=tmp_path)
    assert_one_sentence(done, 3, "ValueError at", "fault of dlcc")
    assert all(line.isprintable() for line in done.stderr.splitlines())


def test_names_of_folders_reach_progress_bars_as_plain_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with bars() as progress:
        progress("review", 0.5, "[/x]evil\x1b[2Jname")
    assert "[/x]evil\ufffd[2Jname" in capsys.readouterr().err


def test_printable_keeps_what_is_text() -> None:
    assert printable({"ü": ["a\tb", 1.5, None]}) == {"ü": ["a b", 1.5, None]}
    assert printable("a\nb", lines=True) == "a\nb"
    assert printable("a\x1b\u202eb") == "a\ufffd\ufffdb"
    assert one_line("a\n b\x07") == "a b\ufffd"


@pytest.mark.parametrize("folder", ["documents", "source", "snapshots", "samples"])
def test_a_folder_that_is_a_link_is_refused(folder: str, small_run: Path, tmp_path: Path) -> None:
    (small_run / folder).rename(tmp_path / "outside")
    (small_run / folder).symlink_to(tmp_path / "outside")
    with pytest.raises(RunError, match="a link"):
        evaluate(small_run, only=["health", "consistency", "execution"])


@pytest.mark.usefixtures("in_process")
def test_a_pipe_in_place_of_samples_is_left_out(small_run: Path, tmp_path: Path) -> None:
    path = sorted((small_run / "samples").iterdir())[3]
    path.unlink()
    os.mkfifo(path)
    done = dlcc("evaluate", small_run, "--only", "health", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "REC008" in done.stdout
    assert f"samples/{path.name} cannot be read and is left out" in done.stdout


@pytest.mark.usefixtures("in_process")
def test_odd_values_in_run_json_are_shown_as_text(small_run: Path) -> None:
    edit(
        small_run, data={"name": 5}, objective={"kind": ["x"], "loss": {}}, machine={"threads": "q"}
    )
    report = evaluate(small_run, only=["ingestion"]).report
    assert report.run.data == "5"


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("samples", "reference"),
    [
        (np.zeros((64, 3)), np.random.default_rng(0).normal(size=(300, 2))),
        (np.zeros((64, 2)), np.zeros((1, 2))),
        (np.zeros((1, 2)), np.random.default_rng(0).normal(size=(300, 2))),
        (np.zeros((64, 2)), np.full((300, 2), np.nan)),
        (np.zeros((64, 2)), np.zeros((300, 2))),
    ],
    ids=["dimensions", "one row", "one sample", "nan", "constant"],
)
def test_samples_that_cannot_be_compared_are_left_out(
    samples: Any, reference: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    with Recorder(tmp_path / "run", length=200) as rec:
        for step in range(200):
            if step % 20 == 0:
                rec.samples(step, samples.astype(np.float32))
            values = rng.normal(size=2)
            rec.log(step, {"generator/loss": values[0], "discriminator/loss": values[1]})
    path = unlisted(tmp_path / "run") / "samples" / "reference.safetensors"
    write_tensors(path, {"reference": reference.astype(np.float32)})
    done = dlcc("evaluate", tmp_path / "run", "--only", "health", "--out", "o", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "has no digests.txt" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "not finite" not in done.stdout


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import time; time.sleep(1000)", "did not end within 2 s"),
        ("import os; os._exit(0)", "ended its process"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("x = bytearray(100 << 30)", "MemoryError"),
        ("kept = []\nwhile True: kept.append(b'x' * (8 << 20))", "took more than"),
    ],
)
def test_a_stage_file_whose_import_does_harm(
    code: str, says: str, small_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(code)
    seconds = 2 if "sleep" in code else 60
    done = dlcc_process(  # whose memory it would be that is filled if the trial let it pass
        "evaluate", small_run, "--stage", "mine.py:Mine", "--timeout", seconds, "--memory", 0.5,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert says in done.stderr
    assert len(sentences(done.stderr)) == 1


def test_absurd_limits_are_refused(small_run: Path, tmp_path: Path) -> None:
    for option, value in (("--memory", "inf"), ("--memory", "nan"), ("--timeout", "1e300")):
        assert dlcc("evaluate", small_run, option, value, cwd=tmp_path).returncode == 2


def test_a_folder_where_the_report_should_be(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "o" / "report.html").mkdir(parents=True)
    done = dlcc("evaluate", small_run, "--only", "ingestion", "--out", "o", cwd=tmp_path)
    assert done.returncode == 2
    assert "report.html" in done.stderr
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["report.html"]


@pytest.mark.parametrize("circle", [True, False])
def test_a_link_is_refused_before_any_stage_runs(
    circle: bool, small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = small_run / "documents" / "paper.md"
    link.symlink_to(link if circle else "/etc/hostname")
    monkeypatch.setattr("dlcc.pipeline.run_stages", lambda *_, **__: pytest.fail("a stage ran"))
    with pytest.raises(RunError, match=r"paper\.md: a link that (cannot be followed|leads out)"):
        evaluate(small_run)


@pytest.mark.usefixtures("in_process")
def test_damaged_samples_and_a_reference_without_rows_do_not_end_an_evaluation(
    small_run: Path, tmp_path: Path
) -> None:
    write_tensors(small_run / "samples" / "reference.safetensors", {"reference": np.zeros((0, 2))})
    report = evaluate(small_run, only=["health"], out=tmp_path / "out").report
    assert report.verdict.state == "unknown"
    assert "samples/reference.safetensors cannot be read" in report.verdict.sentence
