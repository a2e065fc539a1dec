"""The run's code is replayed, and each thing that was changed afterwards is found where it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.estimate import Estimate
from dlcc.findings import Finding
from dlcc.past_runs.build import doctoring
from dlcc.pipeline import run_stages
from dlcc.pipeline.worker import call, gather
from dlcc.records import Executed
from dlcc.runs import Run
from dlcc.sandbox import Session, available_levels
from dlcc.stage import Case, Context, Deadline
from dlcc.stages.execution import Execution
from tests.sandbox.in_process import InProcessSession

pytestmark = pytest.mark.skipif(
    not available_levels(), reason="this machine offers neither bubblewrap nor Landlock"
)


# Where `SmallGAN.step` begins.
STEP = "batch = self.batch(step)\n        fake = self.generator(batch.noise)\n        real_logits"


@dataclass(frozen=True)
class ExecutionResult:
    """What the stage gave, its records among it."""

    status: str
    reason: str | None
    traceback: str | None
    terms: Mapping[str, Estimate]
    findings: tuple[Finding, ...]
    details: Mapping[str, Any]
    environment: Mapping[str, Any]
    records: tuple[Any, ...]


def execute(
    path: Path,
    *,
    until: int | None = None,
    seconds: float = 60,
    sandboxed: bool = False,
    **settings: Any,
) -> ExecutionResult:
    """The stage run in this process, and the run's code too unless it is to be `sandboxed`:
    processes of their own would cost each test seconds, for importing torch. Replays alone, unless
    more is asked for."""
    run = Run.open(path)
    stage = Execution(**{"sensitivity": False, "extremes": False, "workers": 1, **settings})
    until = until or run.length
    case = Case(stage, gather(str(path), until, (*stage.needs, *stage.wants)), until, run.length)
    ctx = Context(np.random.default_rng(0), Deadline(seconds), path.parent)
    session = Session if sandboxed else InProcessSession
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlcc.stages.execution.stage.Session", session)
        reply, records = call(stage, case, ctx)
    return ExecutionResult(
        status=reply.status, reason=reply.reason, traceback=reply.traceback, terms=reply.terms,
        findings=reply.findings, details=reply.details, environment=reply.environment,
        records=records,
    )  # fmt: skip


def places_found(result: ExecutionResult) -> list[tuple[str, str | None, int | None]]:
    """Code, place and first step of each finding."""
    assert result.status == "scored", (result.reason, result.traceback)
    return [(f.code, f.place, f.first_step) for f in result.findings]


@pytest.mark.parametrize("sandboxed", [True, False])
def test_an_honest_run_agrees_to_the_last_bit(small_run: Path, sandboxed: bool) -> None:
    result = execute(small_run, full=True, sandboxed=sandboxed, extremes=True, sensitivity=True)
    assert places_found(result) == []
    (record,) = result.records
    assert isinstance(record, Executed)
    assert record.exact
    assert {c.kind for c in record.replays} == {"weights", "probe", "steps", "state"}
    assert all(c.agrees and c.worst == 0 for c in record.replays)
    assert all(c.compared > 0 for c in record.replays)
    assert sum(c.last_step - c.first_step + 1 for c in record.replays if c.kind == "steps") == 200
    assert result.details["note"] == f"{len(record.replays)} of {len(record.replays)} replays " \
        "agree to the last bit"  # fmt: skip
    assert result.terms["logic"].interval()[0] > 0.9
    assert record.extremes["generator/1e6"] == 1.0
    assert "cut" not in result.environment
    assert result.environment["isolation"] == available_levels()[0]


def test_the_same_run_gives_the_same_result_in_a_worker(small_run: Path) -> None:
    first, second = (
        run_stages(Run.open(small_run), [Execution()], until=200, use_cache=False)[0]
        for _ in range(2)
    )
    assert first.details == second.details
    assert (first.terms, first.records) == (second.terms, second.records)


def test_a_changed_value_is_named_with_its_step(small_run: Path) -> None:
    doctoring.set_value(small_run, "generator/loss", 105, 0.25)
    result = execute(small_run)
    assert places_found(result) == [("EXE001", "series", 105)]
    assert result.findings[0].evidence["quantities"] == "generator/loss"


def test_a_change_of_the_last_bit_is_named(small_run: Path) -> None:
    old = doctoring.set_value(small_run, "generator/loss", 105, 0.25)
    doctoring.set_value(small_run, "generator/loss", 105, np.nextafter(old, 2))
    assert places_found(execute(small_run, sandboxed=True)) == [("EXE001", "series", 105)]


def test_a_value_between_the_replays_needs_the_whole_record(small_run: Path) -> None:
    doctoring.set_value(small_run, "discriminator/real", 31, 0.5)
    assert places_found(execute(small_run)) == []
    assert places_found(execute(small_run, full=True)) == [("EXE001", "series", 31)]


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
    result = execute(small_run)
    assert sorted(places_found(result), key=lambda f: f[2] or 0) == [
        ("EXE002", places[0], 0),
        ("EXE002", f"{places[40]}/players.safetensors", 40),
        ("EXE002", places[80], 80),
        ("EXE002", places[120], 120),
        ("EXE001", f"{places[160]}/probe.safetensors", 160),
        ("EXE002", places[200], 200),
    ]
    for finding in result.findings:
        if finding.first_step in (0, 80, 200):
            assert "discriminator/2.weight" in str(finding.evidence["tensors"])
            assert finding.player == "discriminator"
        if finding.first_step == 120:
            assert finding.evidence["tensors"] == moment


def change_tensor(run: Path, step: int, name: str, file: str, new: Callable[[Any], Any]) -> None:
    """Change one tensor of a file of a snapshot, its checksum too."""
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
    result = execute(small_run)
    assert places_found(result) == [("EXE005", "source/train.py", 0)]
    assert "generator/loss" in str(result.findings[0].evidence["quantities"])


def test_a_changed_configuration_is_named_by_its_code(small_run: Path) -> None:
    doctoring.edit_manifest(small_run, lambda m: m["config"].update(lr_d=0.003))
    assert places_found(execute(small_run)) == [("EXE005", "source/train.py", 0)]


def test_a_snapshot_moved_in_time_is_named_with_its_step(small_run: Path) -> None:
    doctoring.copy_snapshot(small_run, 80, to=120)
    result = execute(small_run)
    assert ("EXE004", "snapshots/00000120", 120) in places_found(result)
    assert {f.code for f in result.findings} == {"EXE004"}
    assert result.findings[0].evidence == {"holds_step": 80}


def test_a_renamed_snapshot_is_found_between_its_neighbours(small_run: Path) -> None:
    doctoring.copy_snapshot(small_run, 120, to=113)
    shutil.rmtree(small_run / "snapshots" / "00000120")
    result = execute(small_run)
    assert places_found(result) == [("EXE004", "snapshots/00000113", 113)]
    assert result.findings[0].evidence == {"holds_step": 120}


def test_code_that_does_not_run_fails_its_obligations(small_run: Path) -> None:
    line = doctoring.edit_source(
        small_run, "import torch\nfrom numpy", "import tensorflux\nfrom numpy"
    )
    result = execute(small_run)
    assert places_found(result) == [("EXE003", f"source/train.py:{line}", None)]
    assert "tensorflux" in result.findings[0].message
    assert result.terms["logic"].mean < 0.1


def test_code_that_ends_the_process_is_a_failure(small_run: Path) -> None:
    doctoring.edit_source(small_run, STEP, f"import os; os._exit(0)\n        {STEP}")
    result = execute(small_run, sandboxed=True)
    assert [f.code for f in result.findings] == ["EXE003"]
    (record,) = result.records
    assert any(c.agrees is None for c in record.replays)


def test_another_machine_is_compared_with_a_measured_tolerance(small_run: Path) -> None:
    doctoring.edit_manifest(small_run, lambda m: m["machine"].update(cpu="another"))
    result = execute(small_run)
    assert places_found(result) == [("EXE007", None, None)]
    (record,) = result.records
    assert not record.exact
    assert all(c.agrees for c in record.replays)
    assert {c.tolerance for c in record.replays if c.kind == "probe"} > {0.0} or all(
        1e-5 <= c.tolerance <= 1e-2 for c in record.replays if c.kind in ("probe", "steps")
    )
    doctoring.set_value(small_run, "generator/loss", 105, 0.25)
    assert ("EXE001", "series", 105) in places_found(execute(small_run))


def test_until_hides_what_comes_later(small_run: Path) -> None:
    result = execute(small_run, until=50)
    (record,) = result.records
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
    result = execute(small_run)
    assert result.status == "not applicable"
    assert expected in str(result.reason)
    assert "Recorder(..., build=build)" in str(result.reason)
