"""Advice for a folder: what is refused before anything is tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcc import evaluate
from dlcc.advice.folder import advise_folder
from dlcc.errors import OptionError, RunError
from dlcc.evaluation import LEAST_GAIN
from dlcc.past_runs.build import doctoring
from dlcc.reruns.folder import rerun_folder
from dlcc.runs import Run


def advised(run: Path) -> None:
    advise_folder(Run.open(run), 60, reruns=False, trust=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("objective", {"kind": "diffusion"}),
        ("players", {"generator": {"class": "Net", "parameters": 3}}),
    ],
)
def test_trainings_of_unknown_kinds_are_neither_advised_nor_rerun(
    small_run: Path, key: str, value: object
) -> None:
    doctoring.edit_manifest(small_run, lambda content: content.update({key: value}))
    with pytest.raises(
        OptionError, match=r"no advice can be given: this run declares kind .* by --map"
    ):
        advised(small_run)
    with pytest.raises(OptionError, match="kinds that can be judged"):
        rerun_folder(small_run, 2, 60, trust=False, progress=lambda share, what: None)


def test_a_link_that_leads_out_of_the_run_is_refused(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("x = 1")
    (small_run / "source" / "more.py").symlink_to(tmp_path / "secret.py")
    with pytest.raises(RunError, match=r"more.py: a link that leads out"):
        advised(small_run)


def failing_csv(folder: Path, config: dict[str, object]) -> Path:
    """A folder of another tool, of a training that diverged."""
    folder.mkdir()
    rows = [f"{k},{0.6 + k % 7},{'nan' if k > 300 else 1 + k % 5}" for k in range(400)]
    (folder / "metrics.csv").write_text("\n".join(["iter,errD,errG", *rows]) + "\n")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


MAPPING = {"discriminator/loss": "errD", "generator/loss": "errG", "step": "iter"}
RATES = {"lr_g": 0.02, "lr_d": 0.02, "loss": "ns", "optim": "adam", "total_iterations": 400}


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("config", [RATES, {"total_iterations": 400}, {**RATES, "r1": "x"}])
def test_a_report_gives_advice_where_the_command_does_and_the_same(
    tmp_path: Path, config: dict[str, object]
) -> None:
    run = Run.open(failing_csv(tmp_path / "run", config), MAPPING)
    report = evaluate(run, only=["health"]).report
    assert report.verdict.label != "healthy"
    try:
        found = advise_folder(run, 60, reruns=True, trust=False)
    except OptionError:
        assert report.advice is None
        return
    assert report.advice is not None
    said = [(c.words, c.p_healthy.mean) for c in report.advice.changes]
    shown = [(a.change.words(config_of(run)), a.expected.mean) for a in found.advised.shown()]
    least = found.advised.control.past + LEAST_GAIN
    gain = [a.past > least for a in found.advised.shown()]
    assert said == [line for line, gains in zip(shown, gain, strict=True) if gains]
    assert found.why_no_reruns is not None
    assert "does not say how to build its training" in found.why_no_reruns
    assert report.advice.why_no_reruns == found.why_no_reruns


def config_of(run: Run) -> dict[str, object]:
    return dict(run.manifest.config)


def test_code_that_fails_leaves_the_advice_of_past_runs(small_run: Path) -> None:
    source = small_run / "source" / "train.py"
    broken = "def build(config):\n    raise ValueError('no')\n"
    source.write_text(source.read_text() + "\n\n" + broken)
    found = advise_folder(Run.open(small_run), 60, reruns=True, trust=True)
    assert found.advised.ranked
    assert found.why_no_reruns is not None
    assert "ValueError" in found.why_no_reruns
