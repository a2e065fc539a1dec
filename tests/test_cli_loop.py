"""The commands around a judgement: what is to come, would it happen again, what to change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from dlcc.cli import app
from dlcc.evaluation import Evaluation, evaluate
from dlcc.past_runs.in_use import shipped_library
from dlcc.runs import Run
from tests.advice.own_code import record
from tests.command import assert_one_sentence, dlcc


@pytest.fixture(autouse=True)
def own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own runs and reviews come in, and none stay behind."""
    path = tmp_path / "mine" / "library.npz"
    monkeypatch.setenv("DLCC_LIBRARY", str(path))
    return path


def test_forecast_prints_one_object_a_folder(small_run: Path) -> None:
    nothing = small_run.parent / "nothing"
    done = dlcc("forecast", small_run, nothing, small_run, "--until", ".5", "--json")
    assert_one_sentence(done, 2, str(nothing))  # and the others are forecast all the same
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert lines[0]["run"] == str(small_run)
    low, high = lines[0]["interval"]
    assert 0 <= low <= lines[0]["p_healthy"] <= high <= 1


def test_forecast_before_twenty_rows(small_run: Path) -> None:
    done = dlcc("forecast", small_run, "--until", "10")
    assert_one_sentence(done, 2, "10 rows are too few", "--until")


def test_library_info_and_add(small_run: Path, own_library: Path) -> None:
    done = dlcc("library", "info")
    assert f"{len(shipped_library()):,} runs" in done.stdout
    assert "doctored" in done.stdout
    added = dlcc("library", "add", small_run, "--label", "weak")
    assert "1 labelled by the user; from 50 on" in added.stdout
    assert own_library.exists()
    assert str(own_library) in dlcc("library", "info").stdout
    assert_one_sentence(dlcc("library", "add", small_run, "--label", "bad"), 2, "healthy, weak")


@pytest.mark.parametrize("damage", ["version", "content"])
def test_a_library_that_cannot_be_used(small_run: Path, own_library: Path, damage: str) -> None:
    own_library.parent.mkdir()
    shipped_library().select(np.arange(3)).save(own_library)
    if damage == "content":
        own_library.write_bytes(b"nothing")
    else:
        with np.load(own_library) as table:
            columns = {name: table[name] for name in table.files} | {"conventions": np.array(0)}
        np.savez(own_library, **columns)
    done = dlcc("forecast", small_run)
    assert_one_sentence(done, 2, str(own_library), "dlcc library build")


def test_a_small_library_from_nothing(tmp_path: Path) -> None:
    out = tmp_path / "made.npz"
    assert_one_sentence(dlcc("library", "build", "--out", out, "--groups", 0), 2, "needs runs")
    assert not out.exists()
    for arguments, words in [
        (("--single", 49), "there would be 49"),
        (("--single", -1), "--single"),
        (("--single", 50, "--seed", -1), "--seed"),
        (("--single", 50, "--recorded", tmp_path), "--images are for GANs"),
        (("--vaes", 50, "--images", 2), "--images are for GANs"),
        (("--folder", "cifar=here"), "expected mnist5k=FOLDER or fashion=FOLDER or letters=FOLDER"),
        (("--images", 60, "--groups", 0), "--folder fashion=FOLDER is needed"),
        (("--engine", "dask"), "expected local, processes, ray"),
        (("--join", tmp_path / "none.npz", "--groups", 0), "no such library"),
    ]:
        assert_one_sentence(dlcc("library", "build", "--out", out, *arguments), 2, words)
    assert list(tmp_path.iterdir()) == []


def test_rerun(small_run: Path) -> None:
    done = dlcc("rerun", small_run, "--n", 10, "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert len(made["outcomes"]) == 10
    assert {o["kind"] for o in made["outcomes"]} == {"seed", "batches", "setting"}
    low, high = made["interval"]
    assert 0 <= low <= made["reproducibility"] <= high <= 1
    assert "reproducibility" in dlcc("rerun", small_run, "--n", 6).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--budget", "soon"], "such as 90s, 5m or 2h"), (["--n", "1"], "--n 1"),
     (["--budget", "0.001s"], "take longer")],
)  # fmt: skip
def test_rerun_with_nonsense(small_run: Path, arguments: list[str], words: str) -> None:
    assert_one_sentence(dlcc("rerun", small_run, *arguments), 2, words)


def test_advice_from_past_runs_alone(small_run: Path) -> None:
    done = dlcc("advise", small_run, "--no-reruns")
    assert done.returncode == 0, done.stderr
    assert "1." in done.stdout
    assert "another seed" in done.stdout
    assert "--apply 1" in done.stdout


@pytest.mark.slow
def test_advice_carried_out(small_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "mended"
    done = dlcc("advise", small_run, "--no-reruns", "--apply", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    assert (out / "run.json").exists()
    lines = done.stdout.splitlines()
    assert any(line.strip().startswith("small-ring") and "V " in line for line in lines)
    assert any(line.strip().startswith("mended") and "V " in line for line in lines)
    before = json.loads((small_run / "run.json").read_text())["config"]
    after = json.loads((out / "run.json").read_text())["config"]
    changed = {k for k in after if after[k] != before.get(k)} - {"seed"}
    assert 1 <= len(changed) <= 2


def test_advice_on_a_run_that_does_not_say_how_it_was_trained(small_run: Path) -> None:
    manifest = json.loads((small_run / "run.json").read_text())
    manifest["training"] = None
    (small_run / "run.json").write_text(json.dumps(manifest))
    done = dlcc("advise", small_run)
    assert done.returncode == 0, done.stderr
    assert "By past runs alone" in done.stdout
    assert "no reruns: " in done.stdout
    assert "does not say how to build its training" in done.stdout


def test_advice_names_columns_as_evaluate_does(tmp_path: Path) -> None:
    rows = [f"{k},{0.001 + 0.0001 * (k % 7)},{9 + 0.5 * (k % 5)}" for k in range(400)]
    (tmp_path / "metrics.csv").write_text("\n".join(["step,errD,errG", *rows]) + "\n")
    (tmp_path / "config.json").write_text('{"lr_g": 0.02, "lr_d": 0.02, "loss": "ns"}')
    assert "lr_" in dlcc("advise", tmp_path).stdout
    wrong = ("--map", "generator/loss=none")
    assert_one_sentence(dlcc("advise", tmp_path, *wrong), 2, "no such column; it has")


def test_apply_needs_a_place_and_a_line(small_run: Path, tmp_path: Path) -> None:
    assert_one_sentence(dlcc("advise", small_run, "--apply", 1), 2, "--out")
    done = dlcc("advise", small_run, "--apply", 99, "--out", tmp_path / "o")
    assert_one_sentence(done, 2, "--apply 99")
    assert not (tmp_path / "o").exists()


def test_apply_trains_no_code_that_does_not_say_how(small_run: Path, tmp_path: Path) -> None:
    manifest = json.loads((small_run / "run.json").read_text())
    (small_run / "run.json").write_text(json.dumps({**manifest, "training": None}))
    with (small_run / "source" / "train.py").open("a") as source:
        source.write("# changed\n")
    done = dlcc("advise", small_run, "--apply", 1, "--out", tmp_path / "new")
    assert_one_sentence(done, 2, "does not: record with Recorder(..., build=build)")


def test_advice_on_code_of_ones_own_is_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_health_alone(run: Any, **options: Any) -> Evaluation:
        return evaluate(run, only=["health"], **options)

    monkeypatch.setattr("dlcc.evaluation.evaluate", by_health_alone)
    run, out = record(tmp_path, 60), tmp_path / "mended"
    done = dlcc("advise", run, "--no-reruns", "--apply", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "left out: the code does not heed" in done.stdout
    assert len([line for line in done.stdout.splitlines() if "P(healthy)" in line]) >= 2
    again = dlcc("advise", run, "--apply", 2, "--out", out)
    assert "was begun with" in again.stdout


def test_tune(tmp_path: Path) -> None:
    run, study = record(tmp_path, 40), tmp_path / "study.journal"
    for _ in range(2):
        done = dlcc("tune", run, "--budget", "8s", "--jobs", 1, "--study", study)
        assert done.returncode == 0, done.stderr
        assert "trials over opt.lrD" in done.stdout
    for wrong, words in [
        (("--bound", "alpha=1..2"), "the present value 0.02 lies outside"),
        (("--bound", "alpha"), "expected KEY=LO..HI"),
        (("--pruner", "luck"), "expected one of forecast, median, none"),
        (("--set", "alpha=1"), "goes with recipes"),
    ]:
        assert_one_sentence(dlcc("tune", run, *wrong), 2, words)


def test_reviews_are_kept_and_taken_back(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated = []

    def by_health_alone(run: Run, **options: Any) -> Evaluation:
        evaluated.append(run.path.name)
        return evaluate(run, only=["health"], **options)

    monkeypatch.setattr("dlcc.evaluation.evaluate", by_health_alone)
    other = shutil.copytree(small_run, small_run.parent / "other")
    (other / "run.json").write_text("[]")

    def review(*arguments: object) -> Result:
        done = CliRunner().invoke(app, ["review", *map(str, arguments)])
        assert done.exit_code == 0, done.output
        return done

    listed = review(small_run.parent)
    assert "1. small-ring  P(healthy)" in listed.stdout
    assert "left out" in listed.stderr
    assert str(other) in listed.stderr
    evaluated.clear()
    review(small_run.parent, "--run", "small-ring", "--verdict", "not", "--note", "looks off")
    assert evaluated == ["small-ring"]  # and no other run
    assert "looks off" in review("--history").stdout
    assert "small-ring" not in review(small_run.parent).stdout
    assert "small-ring was called not healthy" in review("--undo").stdout
    assert review("--history").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "name a folder"), (["nowhere"], "no such folder"),
     (["--run", "x"], "name a folder"), ([".", "--undo"], "stand alone"),
     ([".", "--run", "x", "--verdict", "not"], "no runs"),
     (["--verdict", "maybe", "--run", "x", "."], "healthy or not")],
)  # fmt: skip
def test_reviews_of_nonsense(arguments: list[str], words: str, tmp_path: Path) -> None:
    assert_one_sentence(dlcc("review", *arguments, cwd=tmp_path), 2, words)


def test_a_controller_that_cannot_be(tmp_path: Path) -> None:
    """What one does, the console lines of docs/control.md show."""
    common = ("train", "ring", "--set", "lr_d=1", "--out", tmp_path / "no", "--bound")
    assert_one_sentence(dlcc(*common, "lr_d=1e-4..1e-2", "--control"), 2, "lr_d is 1, outside")
    assert_one_sentence(dlcc(*common, "lr_d=1e-4..1e-2"), 2, "--control")
    dcgan = ("train", "akde-dcgan", "--out", tmp_path / "no", "--control")
    assert_one_sentence(dlcc(*dcgan, "akde"), 2, "(did you mean akde-bo?)")
    vae = ("train", "image-vae", "--out", tmp_path / "no", "--control", "rules")
    assert_one_sentence(dlcc(*vae), 2, "--control akde-bo")
    bound = ("akde-bo", "--bound", "penalty=2..3")
    assert_one_sentence(dlcc(*dcgan, *bound), 2, "penalty is 1, outside")
    assert_one_sentence(dlcc(*common[:2], *dcgan[2:], "akde-bo"), 2, "adds penalties")
    assert not (tmp_path / "no").exists()
