"""The run's code is replayed, and each thing that was changed afterwards is found where it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.past_runs.build import doctoring
from dlcc.pipeline import run_stages
from dlcc.pipeline.worker import Reply, call, gather
from dlcc.records import Executed
from dlcc.runs import Run
from dlcc.sandbox import available_levels
from dlcc.stage import Case, Context, Deadline
from dlcc.stages.execution import Execution

pytestmark = pytest.mark.skipif(
    not available_levels(), reason="this machine offers neither bubblewrap nor Landlock"
)


# Where `SmallGAN.step` begins.
STEP = "batch = self.batch(step)\n        fake = self.generator(batch.noise)\n        real_logits"


@dataclass(frozen=True)
class Outcome:
    """What the stage gave in this process: a worker of its own would cost each test a second."""

    reply: Reply
    records: tuple[Any, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reply, name)


def execute(
    path: Path, *, until: int | None = None, seconds: float = 60, **settings: Any
) -> Outcome:
    run, stage = Run.open(path), Execution(**settings)
    until = until or run.length
    case = Case(stage, gather(str(path), until, stage.needs), until, run.length)
    ctx = Context(np.random.default_rng(0), Deadline(seconds), path.parent)
    reply, records = call(stage, case, ctx)
    return Outcome(reply, records)


def found(outcome: Outcome) -> list[tuple[str, str | None, int | None]]:
    assert outcome.status == "scored", (outcome.reason, outcome.traceback)
    return [(f.code, f.place, f.first_step) for f in outcome.findings]


def test_an_honest_run_agrees_to_the_last_bit(small_run: Path) -> None:
    outcome = execute(small_run, full=True)
    assert found(outcome) == []
    (record,) = outcome.records
    assert isinstance(record, Executed)
    assert record.exact
    assert {c.kind for c in record.replays} == {"weights", "probe", "steps", "state"}
    assert all(c.agrees and c.worst == 0 for c in record.replays)
    assert all(c.compared > 0 for c in record.replays)
    assert sum(c.last_step - c.first_step + 1 for c in record.replays if c.kind == "steps") == 200
    assert outcome.details["note"] == f"{len(record.replays)} of {len(record.replays)} replays " \
        "agree to the last bit"  # fmt: skip
    assert outcome.terms["logic"].interval()[0] > 0.9
    assert record.extremes["generator/1e6"] == 1.0
    assert "cut" not in outcome.environment
    assert outcome.environment["isolation"] == available_levels()[0]


def test_the_same_run_gives_the_same_result_in_a_worker(small_run: Path) -> None:
    first, second = (
        run_stages(Run.open(small_run), [Execution()], until=200, use_cache=False)[0]
        for _ in range(2)
    )
    assert first.details == second.details
    assert (first.terms, first.records) == (second.terms, second.records)


def test_a_changed_value_is_named_with_its_step(small_run: Path) -> None:
    doctoring.set_value(small_run, "generator/loss", 105, 0.25)
    outcome = execute(small_run)
    assert found(outcome) == [("EXE001", "series", 105)]
    assert outcome.findings[0].evidence["quantities"] == "generator/loss"


def test_a_change_of_the_last_bit_is_named(small_run: Path) -> None:
    old = doctoring.set_value(small_run, "generator/loss", 105, 0.25)
    doctoring.set_value(small_run, "generator/loss", 105, np.nextafter(old, 2))
    assert found(execute(small_run)) == [("EXE001", "series", 105)]


def test_a_value_between_the_replays_needs_the_whole_record(small_run: Path) -> None:
    doctoring.set_value(small_run, "discriminator/real", 31, 0.5)
    assert found(execute(small_run)) == []
    assert found(execute(small_run, full=True)) == [("EXE001", "series", 31)]


def test_each_of_several_changed_tensors_is_named(small_run: Path) -> None:
    """Weights at the start, the middle and the end; and of a snapshot, one file alone."""
    places = {step: f"snapshots/{step:08d}" for step in (0, 40, 80, 120, 160, 200)}
    for step in (0, 80, 200):
        doctoring.change_weight(small_run, step, "discriminator/2.weight")
    bias, moment = "generator/0.bias", "state/generator_optimizer/0.exp_avg"
    for step, name, file, new in (
        (40, bias, "players", lambda old: old + 1),
        (120, moment, "state", lambda old: old * 2),
        (160, "generator/loss", "probe", lambda old: old + 1),
    ):
        change_tensor(small_run, step, name, file, new)
    outcome = execute(small_run)
    assert sorted(found(outcome), key=lambda f: f[2] or 0) == [
        ("EXE002", places[0], 0),
        ("EXE002", f"{places[40]}/players.safetensors", 40),
        ("EXE002", places[80], 80),
        ("EXE002", places[120], 120),
        ("EXE001", f"{places[160]}/probe.safetensors", 160),
        ("EXE002", places[200], 200),
    ]
    for finding in outcome.findings:
        if finding.first_step in (0, 80, 200):
            assert "discriminator/2.weight" in str(finding.evidence["tensors"])
            assert finding.player == "discriminator"
        if finding.first_step == 120:
            assert finding.evidence["tensors"] == moment


def change_tensor(run: Path, step: int, name: str, file: str, new: Callable[[Any], Any]) -> None:
    doctoring.change_tensors(
        run, step, lambda tensors: tensors.update({name: new(tensors[name])}), f"{file}.safetensors"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("make_optimizer(config, self.generator, config.lr_g)",
         "make_optimizer(config, self.generator, config.lr_g * 0.5)"),
        ('generator_loss_ns(fake_logits: Tensor) -> Tensor:\n    '
         '"""Non-saturating: −mean[log σ(D(G(z)))] (Goodfellow 2014, section 3)."""\n    '
         "return torch.mean(F.softplus(-fake_logits))",
         'generator_loss_ns(fake_logits: Tensor) -> Tensor:\n    '
         '"""Non-saturating: −mean[log σ(D(G(z)))] (Goodfellow 2014, section 3)."""\n    '
         "return torch.mean(F.softplus(fake_logits))"),
    ],
    ids=["learning rate", "sign"],
)  # fmt: skip
def test_changed_code_is_named(small_run: Path, old: str, new: str) -> None:
    doctoring.edit_source(small_run, old, new)
    outcome = execute(small_run)
    assert found(outcome) == [("EXE005", "source/train.py", 0)]
    assert "generator/loss" in str(outcome.findings[0].evidence["quantities"])


def test_a_changed_configuration_is_named_by_its_code(small_run: Path) -> None:
    doctoring.edit_manifest(small_run, lambda m: m["config"].update(lr_d=0.003))
    assert found(execute(small_run)) == [("EXE005", "source/train.py", 0)]


def test_a_snapshot_moved_in_time_is_named_with_its_step(small_run: Path) -> None:
    doctoring.copy_snapshot(small_run, 80, to=120)
    outcome = execute(small_run)
    assert ("EXE004", "snapshots/00000120", 120) in found(outcome)
    assert {f.code for f in outcome.findings} == {"EXE004"}
    assert outcome.findings[0].evidence == {"holds_step": 80}


def test_a_renamed_snapshot_is_found_between_its_neighbours(small_run: Path) -> None:
    doctoring.copy_snapshot(small_run, 120, to=113)
    shutil.rmtree(small_run / "snapshots" / "00000120")
    outcome = execute(small_run)
    assert found(outcome) == [("EXE004", "snapshots/00000113", 113)]
    assert outcome.findings[0].evidence == {"holds_step": 120}


def test_code_that_does_not_run_fails_its_obligations(small_run: Path) -> None:
    line = doctoring.edit_source(
        small_run, "import torch\nfrom numpy", "import tensorflux\nfrom numpy"
    )
    outcome = execute(small_run)
    assert found(outcome) == [("EXE003", f"source/train.py:{line}", None)]
    assert "tensorflux" in outcome.findings[0].message
    assert outcome.terms["logic"].mean < 0.1


def test_code_that_ends_the_process_is_a_failure(small_run: Path) -> None:
    doctoring.edit_source(small_run, STEP, f"import os; os._exit(0)\n        {STEP}")
    outcome = execute(small_run)
    assert [f.code for f in outcome.findings] == ["EXE003"]
    (record,) = outcome.records
    assert any(c.agrees is None for c in record.replays)


def test_another_machine_is_compared_with_a_measured_tolerance(small_run: Path) -> None:
    doctoring.edit_manifest(small_run, lambda m: m["machine"].update(cpu="another"))
    outcome = execute(small_run)
    assert found(outcome) == [("EXE007", None, None)]
    (record,) = outcome.records
    assert not record.exact
    assert all(c.agrees for c in record.replays)
    assert {c.tolerance for c in record.replays if c.kind == "probe"} > {0.0} or all(
        1e-5 <= c.tolerance <= 1e-2 for c in record.replays if c.kind in ("probe", "steps")
    )
    doctoring.set_value(small_run, "generator/loss", 105, 0.25)
    assert ("EXE001", "series", 105) in found(execute(small_run))


def test_until_hides_what_comes_later(small_run: Path) -> None:
    outcome = execute(small_run, until=50)
    (record,) = outcome.records
    assert {c.snapshot for c in record.replays} == {0, 20, 40}
    assert max(c.last_step for c in record.replays) < 50


@pytest.mark.parametrize(
    ("training", "expected"),
    [(None, "does not say how to build"), ("dlcc.recipes:build", "not in the run's source/")],
)
def test_what_would_make_it_applicable_is_said(
    small_run: Path, training: str | None, expected: str
) -> None:
    doctoring.edit_manifest(small_run, lambda m: m.update(training=training))
    outcome = execute(small_run)
    assert outcome.status == "not applicable"
    assert expected in str(outcome.reason)
    assert "Recorder(..., training=t" in str(outcome.reason)
