"""Such a folder through the stages, in their own processes and from the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.foreign import export_csv
from dlcc import Stage, StageResult, evaluate
from dlcc.cli.options import mapping_of
from dlcc.errors import OptionError
from dlcc.pipeline import run_stages
from dlcc.records import Config, Series, Sources
from dlcc.runs import Run
from dlcc.stage import Case, Context
from dlcc.stages.consistency import Consistency
from dlcc.stages.ingestion import Ingestion
from tests.command import assert_one_sentence, dlcc
from tests.conftest import example
from tests.runs.formats.conftest import Leave


def theirs(leave: Leave, rows: int = 200) -> Path:
    noise = np.random.default_rng(0).normal(size=(rows, 2)).tolist()
    lines = [f"{i},{0.7 + a / 9},{1.4 + b / 9},warm\n" for i, (a, b) in enumerate(noise)]
    return leave("iter,errG,errD,phase\n" + "".join(lines), {"loss": "hinge", "lr_g": 1e-4})


MAPPING = {"step": "iter", "generator/loss": "errG", "discriminator/loss": "errD"}


def test_from_the_command_line(leave: Leave, tmp_path: Path) -> None:
    folder = theirs(leave)
    before = {p: p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))}
    named = [part for name, column in MAPPING.items() for part in ("--map", f"{name}={column}")]
    done = dlcc("evaluate", folder, *named, "--only", "health", "--only", "execution", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_one_sentence(done, 0, "metrics.csv: left out column phase of text")
    assert "GAN, hinge, 200 steps" in done.stdout
    assert "execution not applicable: the run took no snapshots" in done.stdout
    assert "Unknown: the series say nothing" in done.stdout
    report = json.loads((tmp_path / "dlcc-reports" / "theirs" / "report.json").read_text())
    status = {stage["name"]: stage["status"] for stage in report["stages"]}
    assert status == {"health": "not applicable", "execution": "not applicable"}
    assert report["diagnosis"]["state"] == report["verdict"]["state"] == "unknown"
    assert {p: p.stat().st_mtime_ns for p in (folder, *folder.rglob("*"))} == before


def test_what_can_be_checked_is(leave: Leave) -> None:
    rows = "".join(f"{i},{1.4 if i != 7 else 0.1},0.7,0.5,0.5\n" for i in range(30))
    folder = leave("step,d_loss,g_loss,D(x),D(G(z))\n" + rows, {"loss": "ns"})
    (outcome,) = run_stages(Run.open(folder), [Consistency()], until=30)
    verdicts = {o.id: o.verdict for o in outcome.records[0].items}
    assert verdicts["loss/bound"] == "refuted"
    assert [f.first_step for f in outcome.findings] == [7]


def test_bad_input_at_the_command_line(leave: Leave, tmp_path: Path) -> None:
    folder = theirs(leave)
    given = ("--map", "a/b=c")
    assert_one_sentence(dlcc("evaluate", folder, *given, cwd=tmp_path), 2, "columns iter, errG")
    assert_one_sentence(dlcc("evaluate", folder, "--run", "x", cwd=tmp_path), 2, "--run x: not")
    ours = example("digits-healthy")
    assert_one_sentence(dlcc("evaluate", ours, *given, cwd=tmp_path), 2, "leave --map out")
    assert not (tmp_path / "dlcc-reports").exists()


def test_the_option_names_each_series_once() -> None:
    assert mapping_of(["a/b=c=d", "step=i"]) == {"a/b": "c=d", "step": "i"}
    with pytest.raises(OptionError, match="--map errD: expected PLAYER/QUANTITY=COLUMN"):
        mapping_of(["errD"])
    with pytest.raises(OptionError, match="--map a/b=errG: a/b is errD already"):
        mapping_of(["a/b=errD", "a/b=errG"])


@pytest.mark.usefixtures("own_cache")
def test_the_mapping_is_part_of_what_was_read(leave: Leave) -> None:
    folder = theirs(leave)
    swapped = {**MAPPING, "generator/loss": "errD", "discriminator/loss": "errG"}
    first, second, third = (
        run_stages(Run.open(folder, mapping), [Ingestion()], until=200)[0]
        for mapping in (MAPPING, swapped, MAPPING)
    )
    assert first.digest != second.digest
    assert third.digest == first.digest
    assert third.environment.get("cached")
    assert not second.environment.get("cached")
    assert np.array_equal(first.records[0].values, second.records[0].values[:, ::-1])


def test_a_stage_in_this_process_and_the_python_function(leave: Leave) -> None:
    folder = theirs(leave)
    (folder / "source").mkdir()
    (folder / "source" / "train.py").write_text("def main(): pass\n")

    @dataclass(frozen=True)
    class Here(Stage):
        """Looks."""

        name: ClassVar = "here"
        needs: ClassVar = (Config, Series, Sources)

        def __call__(self, case: Case, ctx: Context) -> StageResult:
            return StageResult(
                details={
                    "series": sorted(case[Series].columns),
                    "config": dict(case[Config].config),
                    "files": sorted(case[Sources].files),
                }
            )

    report = evaluate(folder, mapping=MAPPING, stages=[Here()], only=["here"]).report
    (stage,) = report.stages
    assert stage.details == {
        "series": ["discriminator/loss", "generator/loss"],
        "config": {"loss": "hinge", "lr_g": 1e-4},
        "files": ["source/train.py"],
    }
    assert report.run.length == 200


def test_what_is_no_gan_has_no_verdict_on_its_health(leave: Leave) -> None:
    folder = leave("step,model/loss\n" + "".join(f"{i},{i}\n" for i in range(60)))
    report = evaluate(folder, only=["health"]).report
    assert report.verdict.label is None
    assert "kinds that can be judged are" in report.verdict.sentence


def test_an_export_has_the_records_of_its_run(small_run: Path, tmp_path: Path) -> None:
    copy = Run.open(export_csv(small_run, tmp_path / "copy"))
    ours, theirs = (run_stages(r, [Ingestion()], until=200)[0] for r in (Run.open(small_run), copy))
    one, other = ours.records[0], theirs.records[0]
    assert one.names == other.names
    assert one.config == other.config
    assert np.array_equal(one.values, other.values, equal_nan=True)
