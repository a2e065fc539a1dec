"""A package of an outsider, `tests/plugin/`: a format, a kind with a label of its own, a recipe, a
stage with a term and a finding. It is installed as anyone would, and used by the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.runs import Run
from tests.conftest import ROOT, made_once, session_cache

PACKAGE = Path(__file__).parent / "plugin"
QUICK = ("--only", "health", "--only", "smoothness")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the package."""

    def install(target: Path) -> None:
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        options = ("--no-deps", "--no-build-isolation", "--no-index", "--target", str(target))
        done = subprocess.run([*pip, *options, str(PACKAGE)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "site", install)


COMMANDS = """
import json, os, sys
from tests.command import dlcc
for line in sys.stdin:
    given = json.loads(line)
    os.environ.update(given["env"])
    done = dlcc(*given["arguments"])
    print(json.dumps([done.returncode, done.stdout, done.stderr]), file=sys.__stdout__, flush=True)
"""
Dlcc = Callable[..., str]


@pytest.fixture(scope="module")
def process(site: Path) -> Iterator[Callable[..., list[Any]]]:
    """A process that finds the package and runs one command after the other."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    with subprocess.Popen(
        [sys.executable, "-c", COMMANDS], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        requests, answers = child.stdin, child.stdout

        def ask(env: dict[str, str], *arguments: object) -> list[Any]:
            given = {"env": env, "arguments": [str(a) for a in arguments]}
            print(json.dumps(given), file=requests, flush=True)
            answer: list[Any] = json.loads(answers.readline())
            return answer

        yield ask


@pytest.fixture(scope="module")
def trained(process: Callable[..., list[Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the package's recipe; nobody writes to it."""

    def train(run: Path) -> None:
        options = ("--set", "steps=200", "--no-landscape")
        code, _, stderr = process({}, "train", "drift-line", "--out", run, *options)
        assert code == 0, stderr

    return made_once(tmp_path_factory, "drift-line", train)


@pytest.fixture
def env(site: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of commands that find the package and have a library of their own."""
    own = {"DLCC_LIBRARY": str(tmp_path / "own.npz"), "PYTHONPATH": str(site)}
    return {"DLCC_CACHE_DIR": str(session_cache(tmp_path_factory)), **own}


@pytest.fixture
def dlcc(process: Callable[..., list[Any]], env: dict[str, str]) -> Dlcc:
    """Run a command where the package is installed, and give what it prints."""

    def run(*arguments: object) -> str:
        code, stdout, stderr = process(env, *arguments)
        assert code == 0, stderr
        return str(stdout)

    return run


def as_trace(run: Path, folder: Path) -> Path:
    """The run in the made-up format, as a tool of the outsider would have left it."""
    opened = Run.open(run)
    columns = opened.series().columns
    loss, norm = columns["model/loss"], columns["model/grad_norm"]
    (folder / "fakes").mkdir(parents=True)
    rows = zip(loss.steps, loss.values, norm.values, strict=True)
    lines = [f"it={step} loss={value:.17g} grad_norm={size:.17g}" for step, value, size in rows]
    (folder / "trace.txt").write_text("\n".join(lines) + "\n")
    for step in opened.sample_steps():
        np.save(folder / "fakes" / f"{step:06d}.npy", opened.samples(step))
    np.save(folder / "real.npy", opened.reference())
    (folder / "model.py").write_text((run / "source" / "train.py").read_text())
    return folder


def test_all_commands_know_what_the_package_brings(
    dlcc: Dlcc, env: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    alone = [sys.executable, "-m", "dlcc.cli", "recipes"]  # as a user starts it
    given = {**os.environ, **env}
    assert "drift-line" in subprocess.check_output(alone, env=given, text=True, timeout=60)
    assert "stalled" in dlcc("kinds")
    assert "smoothness\n  Share of steps from which" in dlcc("stages")
    assert dlcc("explain", "DRF001").startswith("# DRF001 the drift has stalled")

    only = (*QUICK, "--only", "execution")
    report = json.loads(dlcc("evaluate", trained, "--out", tmp_path / "o", "--json", *only))
    assert report["verdict"]["label"] == "healthy"
    assert report["verdict"]["failed"] is False
    assert "smoothness" in [term["name"] for term in report["terms"] if term["measured"]]
    stages = {stage["name"]: stage for stage in report["stages"]}
    assert stages["execution"]["status"] == "scored"
    assert not [f for f in report["findings"] if f["severity"] == "error"]
    forecast = json.loads(dlcc("forecast", trained, "--until", ".5", "--json"))
    assert forecast["p_healthy"] > 0.5


def test_a_label_of_its_own_is_given_shown_and_learnt(dlcc: Dlcc, tmp_path: Path) -> None:
    run = tmp_path / "stalled"
    dlcc("train", "drift-line", "--out", run, "--set", "lr=0", "--set", "batch=8192",
         "--set", "steps=240", "--no-landscape")  # fmt: skip
    out = tmp_path / "o"
    report = json.loads(dlcc("evaluate", run, "--out", out, "--json", *QUICK))
    assert report["verdict"]["label"] == "stalled"
    assert report["verdict"]["failed"] is True
    assert report["verdict"]["probabilities"]["stalled"] == 1
    assert report["verdict"]["p_healthy"]["mean"] == 0
    codes = {finding["code"]: finding for finding in report["findings"]}
    assert codes["DRF001"]["remedy"].startswith("Raise the learning rate")
    assert "Stalled" in (out / "report.html").read_text()
    added = dlcc("library", "add", run)
    assert "own-drift.npz" in added
    assert "1 stalled" in added
    assert "1 stalled" in dlcc("library", "info")


def test_a_folder_of_its_format_is_judged_as_the_recorded_run_is(
    dlcc: Dlcc, trained: Path, tmp_path: Path
) -> None:
    folder = as_trace(trained, tmp_path / "trace")
    only = ("--only", "health", "--json", "--out")
    ours = json.loads(dlcc("evaluate", trained, *only, tmp_path / "a"))
    theirs = json.loads(dlcc("evaluate", folder, *only, tmp_path / "b"))
    assert theirs["verdict"]["probabilities"] == ours["verdict"]["probabilities"]
    assert theirs["run"]["recorded"] == ours["run"]["recorded"]
    assert sorted(p.name for p in folder.iterdir()) == [
        "fakes", "model.py", "real.npy", "trace.txt"
    ]  # fmt: skip
    assert "p_healthy" in dlcc("forecast", folder, "--json")


KITS = """
import sys, dataclasses
from pathlib import Path
from dlcc.testing import NonConformance, check_format, check_kind, check_recipe, check_stage
from drift.kind import DRIFT, STALLED
from drift.line.recipes import RECIPES
from drift.smoothness import Smoothness
from drift.trace import Trace
import faults
run, trace = map(Path, sys.argv[1:])
quick = {"steps": 20}
check_stage(Smoothness(), run)
check_format(Trace, trace)
check_kind(DRIFT)
check_recipe(RECIPES[0], quick)
print("conforms")
for check, faulty, words in faults.all_of(run, trace, quick):
    try:
        check(*faulty)
    except NonConformance as named:
        assert words in str(named), f"{words!r} is not in {named}"
        print("named", words)
    else:
        raise SystemExit(f"passed although {words}")
"""


def test_the_kits_pass_what_conforms_and_name_the_fault_of_broken_copies(
    env: dict[str, str], trained: Path, tmp_path: Path
) -> None:
    trace = as_trace(trained, tmp_path / "trace")
    faults = str(Path(__file__).parent / "plugin_faults")
    done = subprocess.run(
        [sys.executable, "-c", KITS, trained, trace], capture_output=True, text=True, timeout=300,
        env={**os.environ, **env, "PYTHONPATH": os.pathsep.join([env["PYTHONPATH"], faults])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("conforms")
    assert done.stdout.count("named") >= 20
