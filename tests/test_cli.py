"""The command line as users meet it: what it prints, its exit codes, and bad input."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from dlcc.findings import all_codes
from tests.command import assert_one_sentence, dlcc, dlcc_process, sentences
from tests.conftest import example

FILES = Path(__file__).parent / "stage_files"


def test_evaluate_prints_the_verdict_first_and_writes_the_report(tmp_path: Path) -> None:
    run = example("digits-collapsed")
    done = dlcc_process("evaluate", run, "--only", "health", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    first = done.stdout.splitlines()[0]
    assert first.startswith("Collapsed since step ")
    assert "P(healthy)" in first
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    folder = tmp_path / "dlcc-reports" / "digits-collapsed"
    assert sorted(p.name for p in folder.iterdir()) == [
        ".run",
        "report.html",
        "report.json",
        "series.csv",
    ]


def test_no_report_takes_the_place_of_another_runs(small_run: Path, tmp_path: Path) -> None:
    runs = [tmp_path / above / "exp" for above in ("a", "b")]
    for run in runs:
        shutil.copytree(small_run, run)
    for run in (*runs, runs[0]):
        done = dlcc("evaluate", run, "--only", "ingestion", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    done = dlcc("evaluate", *runs, "--only", "ingestion", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    reports = tmp_path / "dlcc-reports"
    assert sorted(path.name for path in reports.iterdir()) == ["a", "b", "b-exp", "exp"]
    assert (reports / "exp" / ".run").read_text() == str(runs[0])


def test_json_prints_the_report_and_nothing_else(small_run: Path, tmp_path: Path) -> None:
    done = dlcc("evaluate", small_run, "--only", "ingestion", "--json", "--out", tmp_path / "o")
    report = json.loads(done.stdout)
    schema = json.loads(dlcc("schema", "report").stdout)
    jsonschema.Draft202012Validator(schema).validate(report)
    assert done.stdout == (tmp_path / "o" / "report.json").read_text()


def test_run_json_validates(small_run: Path) -> None:
    schema = json.loads(dlcc("schema", "run").stdout)
    run = json.loads((small_run / "run.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(run)


def test_several_runs_are_listed_by_how_likely_they_are_healthy(tmp_path: Path) -> None:
    runs = [example(name) for name in ("digits-collapsed", "digits-healthy")]
    options = ("--only", "health", "--out", str(tmp_path), "--fail-under", ".5")
    ended = dlcc("evaluate", *map(str, [*runs, tmp_path / "none"]), *options)
    assert_one_sentence(ended, 2, str(tmp_path / "none"))
    first, second, last = ended.stdout.splitlines()
    assert "digits-healthy" in first
    assert "digits-collapsed" in second
    assert last == f"reports in {tmp_path}"
    lines = dlcc("evaluate", *map(str, runs), *options, "--json")
    assert [json.loads(line)["verdict"]["label"] for line in lines.stdout.splitlines()] == [
        "collapsed",
        "healthy",
    ]
    assert lines.returncode == 1


def test_fail_under_is_exit_1(tmp_path: Path) -> None:
    run = example("digits-collapsed")
    arguments = ("evaluate", run, "--only", "health", "--out", tmp_path / "o", "--fail-under")
    assert dlcc(*arguments, 0.5).returncode == 1
    assert dlcc(*arguments, 0).returncode == 0


def test_a_failed_stage_is_exit_3_and_the_evaluation_stands(
    small_run: Path, tmp_path: Path
) -> None:
    done = dlcc(
        "evaluate", small_run, "--stage", f"{FILES}/violent.py:Raises", "--only", "raises",
        "--only", "ingestion", "--out", tmp_path / "o",
    )  # fmt: skip
    assert done.returncode == 3
    assert "raises failed: ZeroDivisionError" in done.stdout
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    assert [s["status"] for s in report["stages"]] == ["scored", "failed"]


def test_a_custom_stage_adds_a_term(small_run: Path, tmp_path: Path) -> None:
    done = dlcc(
        "evaluate", small_run, "--stage", f"{FILES}/good.py:Calm", "--only", "calm", "--set",
        "calm.factor=2.5", "--json", "--out", tmp_path / "o",
    )  # fmt: skip
    report = json.loads(done.stdout)
    (term,) = (t for t in report["terms"] if t["name"] == "calm")
    assert term["measured"]
    assert term["stages"] == ["calm"]
    assert report["stages"][0]["settings"] == {"factor": 2.5}


def test_stages_lists_the_installed_ones() -> None:
    names = dlcc("stages").stdout.splitlines()
    for name in ("ingestion", "decomposition", "health", "landscape", "consistency", "execution"):
        assert name in names


@pytest.mark.parametrize("code", all_codes())
def test_explain_says_what_a_code_means(code: str) -> None:
    from dlcc.findings import page

    assert page(code).text.startswith(f"# {code} ")
    assert page(code).remedy


def test_explain_prints_the_page_and_suggests_for_a_typo() -> None:
    assert dlcc("explain", "gan003").stdout.startswith("# GAN003 mode collapse")
    assert_one_sentence(dlcc("explain", "GAN03"), 2, "GAN03", "GAN003")


def test_train_records_a_run_that_evaluates(tmp_path: Path) -> None:
    done = dlcc("train", "ring", "--out", tmp_path / "run", "--set", "steps=120")
    assert done.returncode == 0, done.stderr
    done = dlcc("evaluate", tmp_path / "run", "--only", "ingestion", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr


def test_train_with_wrong_settings(tmp_path: Path) -> None:
    out = ("--out", tmp_path / "run")
    assert_one_sentence(dlcc("train", "rong", *out), 2, "rong", "ring")
    assert_one_sentence(dlcc("train", "ring", *out, "--set", "speed=3"), 2, "speed", "lr_g")
    assert_one_sentence(dlcc("train", "ring", *out, "--set", "lr_g=fast"), 2, "lr_g")
    assert_one_sentence(dlcc("train", "ring", *out, "--set", "lr_g"), 2, "KEY=VALUE")
    assert not (tmp_path / "run").exists()


# --- bad input ------------------------------------------------------------------------------------


def test_no_such_folder(tmp_path: Path) -> None:
    assert_one_sentence(dlcc("evaluate", tmp_path / "none", cwd=tmp_path), 2, "none")


def test_an_empty_folder_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    assert_one_sentence(dlcc("evaluate", tmp_path / "empty", cwd=tmp_path), 2, "empty")
    assert_one_sentence(dlcc("evaluate", tmp_path / "file", cwd=tmp_path), 2, "file")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[:100], ("run.json",)),
        (lambda text: text.replace('"schema": 1', '"schema": 99'), ("run.json", "99")),
        (lambda text: text.replace('"length": 200', '"length": "many"'), ("run.json", "length")),
        (lambda text: "[]", ("run.json",)),
    ],
)
def test_a_spoilt_run_json(spoil: object, words: tuple[str, ...], small_run: Path) -> None:
    path = small_run / "run.json"
    path.write_text(spoil(path.read_text()))  # type: ignore[operator]
    assert_one_sentence(dlcc("evaluate", small_run, cwd=small_run.parent), 2, *words)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def _lie(path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}})
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + b"\0" * 16)


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"w": [1.0]}))


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("spoil", [_cut, _lie, _pickle])
def test_a_spoilt_snapshot_is_named_and_fails_only_what_needs_it(
    spoil: object, small_run: Path, tmp_path: Path
) -> None:
    snapshot = sorted((small_run / "snapshots").iterdir())[-1]
    spoil(snapshot / "players.safetensors")  # type: ignore[operator]
    done = dlcc(
        "evaluate", small_run, "--only", "ingestion", "--only", "consistency", "--skip",
        "decomposition", "--out", tmp_path / "o",
    )  # fmt: skip
    assert done.returncode in (2, 3)
    assert "Traceback" not in done.stderr + done.stdout
    assert f"{snapshot.name}/players.safetensors" in (done.stdout + done.stderr).replace(
        "\n  ", " "
    )


def test_a_stage_file_that_cannot_be_used(small_run: Path, tmp_path: Path) -> None:
    def said(stage: str) -> subprocess.CompletedProcess[str]:
        return dlcc("evaluate", small_run, "--stage", stage, cwd=tmp_path)

    for name, text in {
        "half.py": "def", "raises.py": "raise OSError('no')", "other.py": "x = 1",
        "plain.py": "class Mine: pass",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    assert_one_sentence(said("half.py:Mine"), 2, "half.py:1")
    assert_one_sentence(said("raises.py:Mine"), 2, "raises.py", "OSError")
    assert_one_sentence(said("other.py:Mine"), 2, "Mine")
    assert_one_sentence(said("plain.py:Mine"), 2, "Stage")
    assert_one_sentence(said("none.py:Mine"), 2, "none.py")
    assert_one_sentence(said("other.py"), 2, "FILE.py:CLASS")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--until", "x"), ("--until", "1.5"), ("--until", "0"), ("--only", "nonsense"),
        ("--skip", "nonsense"), ("--set", "health.x=1"), ("--set", "ingestion.gap_factor=nan"),
        ("--set", "x"), ("--fail-under", "2"),
        ("--timeout", "0"), ("--memory", "-1"), ("--judgements", "none.json"),
    ],
)  # fmt: skip
def test_wrong_options(arguments: tuple[str, str], small_run: Path, tmp_path: Path) -> None:
    done = dlcc("evaluate", small_run, *arguments, cwd=tmp_path)
    assert_one_sentence(done, 2)
    assert not list((tmp_path / "dlcc-reports").glob("**/*.json"))


def test_unknown_commands_and_options_are_exit_2() -> None:
    for arguments in (("nonsense",), ("evaluate",), ("evaluate", ".", "--nonsense")):
        done = dlcc(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_an_output_folder_in_the_run_or_in_the_way(small_run: Path, tmp_path: Path) -> None:
    run = ("evaluate", small_run, "--only", "ingestion")
    assert_one_sentence(dlcc(*run, "--out", small_run / "report"), 2, "outside")
    (tmp_path / "taken").write_text("x")
    assert_one_sentence(dlcc(*run, "--out", tmp_path / "taken"), 2, "taken")
    assert (tmp_path / "taken").read_text() == "x"


FULL_DISK = """
import resource, sys
from dlcc.cli import main
from dlcc.report.page import html
render = html.render

def render_and_fill(*arguments, **options):
    page = render(*arguments, **options)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    return page

html.render = render_and_fill
sys.argv = ["dlcc", *sys.argv[1:]]
main()
"""


def test_a_full_output_disk(small_run: Path, tmp_path: Path) -> None:
    """A file-size limit stands in for the disk: writing the report fails half-way."""
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "report.json").write_text("the old one")
    arguments = ["evaluate", str(small_run), "--only", "ingestion", "--out", "o"]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *arguments],
        capture_output=True, text=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert_one_sentence(done, 2, "make room")
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["report.json"]
    assert (tmp_path / "o" / "report.json").read_text() == "the old one"


def test_ctrl_c_is_130_and_leaves_nothing(small_run: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "dlcc.cli", "evaluate", str(small_run), "--stage",
        f"{FILES}/violent.py:Sleeps", "--only", "sleeps", "--out", "o",
    ]  # fmt: skip
    child = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "o").glob(".new-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(child.pid, signal.SIGINT)
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 130
    assert sentences(stderr) == ["dlcc: interrupted; nothing half-written was left"]
    assert not list((tmp_path / "o").iterdir())


@pytest.mark.parametrize(
    "without",
    [
        # of the others, execution is held against itself in tests/stages/execution
        ("decomposition", "execution", "impact", "reproducibility"),
        pytest.param((), marks=pytest.mark.slow),
    ],
)
def test_evaluations_agree_but_for_the_environment_whatever_the_cache_holds(
    without: tuple[str, ...], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped = [part for stage in without for part in ("--skip", stage)]
    reports = []
    for name in ("as it is", "empty"):
        if name == "empty":
            monkeypatch.setenv("DLCC_CACHE_DIR", str(tmp_path / "cache"))
        copy = tmp_path / name / "same-name"
        shutil.copytree(small_run, copy)
        done = dlcc("evaluate", copy, *skipped, "--json", "--out", tmp_path / f"o-{name}")
        assert done.returncode == 0, done.stderr + done.stdout
        report = json.loads(done.stdout)
        assert report.pop("environment")["stages"]
        reports.append(json.dumps(report))
    assert reports[0] == reports[1]


def test_the_truth_changes_nothing(small_run: Path, tmp_path: Path) -> None:
    def report_without_environment() -> str:
        done = dlcc("evaluate", small_run, "--only", "health", "--json", "--out", tmp_path / "o")
        report = json.loads(done.stdout)
        del report["environment"]
        return json.dumps(report)

    before = report_without_environment()
    (small_run / "truth.json").write_text('{"label": "healthy", "onset": 7}')
    assert report_without_environment() == before
    (small_run / "truth.json").unlink()
    assert report_without_environment() == before
