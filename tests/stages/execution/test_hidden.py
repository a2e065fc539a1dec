"""A forged record, and code that keeps its replays from showing it: each leaves a finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcc.findings import Finding
from dlcc.past_runs.build import doctoring
from dlcc.records import Series
from dlcc.runs import Run
from dlcc.sandbox import available_levels
from dlcc.stages.execution.measures import possible_measures
from tests.conftest import example
from tests.stages.execution.test_execution import STEP, ExecutionResult, execute

pytestmark = pytest.mark.skipif(
    not available_levels(), reason="this machine offers neither bubblewrap nor Landlock"
)

RETURN = "return dict(zip(row, values, strict=True))"
BUILD = "return SmallGAN(Config.parse(config))"
FORGED = "generator/grad_norm"


@pytest.fixture
def forged(small_run: Path) -> Path:
    """A run of which one quantity was made a tenth, at every step."""
    column = Run.open(small_run).series().columns[FORGED]
    for step, value in zip(column.steps.tolist(), column.values.tolist(), strict=True):
        doctoring.set_value(small_run, FORGED, step, 0.1 * value)
    return small_run


@pytest.fixture(scope="module")
def honest(recorded_ring: Path) -> ExecutionResult:
    """What the stage gives for the small run as it is, and so how long the sandbox takes."""
    return execute(recorded_ring, sandboxed=True)


def execute_with_sleep(run: Path, honest: ExecutionResult) -> ExecutionResult:
    """The stage on code that sleeps, in the time that an honest run would need twice."""
    usual = honest.environment["seconds_sandbox"]
    return execute(run, seconds=2 * usual + 3, sandboxed=True)


def severe_findings(result: ExecutionResult) -> dict[str, Finding]:
    """The findings that are no notes, by code."""
    assert result.status == "scored", (result.reason, result.traceback)
    return {f.code: f for f in result.findings if f.severity in ("warning", "error")}


@pytest.mark.parametrize("full", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_withheld_quantity_is_named_with_its_share(forged: Path, full: bool) -> None:
    doctoring.edit_source(forged, RETURN, f'row.pop("{FORGED}"); values.pop()\n        {RETURN}')
    finding = severe_findings(execute(forged, full=full, sandboxed=full))["EXE009"]
    assert FORGED in finding.message
    columns = Run.open(forged).series().columns
    share = len(columns[FORGED].steps) / sum(len(c.steps) for c in columns.values())
    assert finding.evidence == {FORGED: pytest.approx(share, abs=1e-6)}
    assert finding.player == "generator"


def test_a_quantity_withheld_where_it_was_forged_is_named(small_run: Path) -> None:
    """One step of those that are replayed: elsewhere the code gives it, and it agrees."""
    doctoring.set_value(small_run, FORGED, 81, 0.5)
    lines = f'if step == 81: row.pop("{FORGED}"); values.pop()\n        {RETURN}'
    doctoring.edit_source(small_run, RETURN, lines)
    assert f"{FORGED} at 1 of" in severe_findings(execute(small_run))["EXE009"].message


def test_a_forgery_between_replays_is_found_by_the_full_replay(small_run: Path) -> None:
    doctoring.set_value(small_run, FORGED, 31, 0.5)
    assert "EXE001" in severe_findings(execute(small_run, full=True))
    doctoring.edit_source(
        small_run, RETURN, f'if step == 31: row.pop("{FORGED}"); values.pop()\n        {RETURN}'
    )
    assert "EXE009" in severe_findings(execute(small_run, full=True))


@pytest.mark.parametrize("name", ["generator/update_norm", "discriminator/updates"])
def test_what_the_recorder_tracks_is_compared(small_run: Path, name: str) -> None:
    step = next(int(s) for s in Run.open(small_run).series()[name].steps if s > 100)
    old = doctoring.set_value(small_run, name, step, 0.0)
    doctoring.set_value(small_run, name, step, old + 1.0)
    finding = severe_findings(execute(small_run))["EXE001"]
    assert finding.first_step == step
    assert finding.evidence["quantities"] == name


def test_a_quantity_at_steps_that_no_replay_reaches_is_named(small_run: Path) -> None:
    from dlcc.runs import Recorder

    with Recorder(small_run) as recorder:
        for step in (37, 173):
            recorder.log(step, {"generator/fid": 12.0})
    finding = severe_findings(execute(small_run))["EXE009"]
    assert finding.evidence.keys() == {"generator/fid"}
    assert "no replayed step" in finding.message


@pytest.mark.parametrize("when", [pytest.param("True", marks=pytest.mark.slow), "step == 81"])
def test_replays_that_were_cut_off_are_unknown(
    small_run: Path, honest: ExecutionResult, when: str
) -> None:
    """And what was replayed until then counts."""
    doctoring.edit_source(
        small_run, STEP, f"if {when}: __import__('time').sleep(60)\n        {STEP}"
    )
    result = execute_with_sleep(small_run, honest)
    (record,) = result.records
    undecided = sum(check.agrees is None for check in record.replays)
    planned = len(honest.records[0].replays)
    assert severe_findings(result)["EXE010"].evidence == {
        "undecided": undecided,
        "planned": planned,
    }
    assert result.terms["logic"].parameters[2] == undecided > 0
    widths = [np.diff(o.terms["logic"].interval())[0] for o in (honest, result)]
    assert widths[1] > 1.5 * widths[0]
    assert "time" in result.environment["cut"] or "was stopped" in result.environment["cut"]
    assert record.replays[0].agrees
    assert record.replays[-1].agrees is None


@pytest.mark.parametrize("does", ["sleep", pytest.param("no numbers", marks=pytest.mark.slow)])
def test_a_player_cannot_hide_what_deviates(
    forged: Path, honest: ExecutionResult, does: str
) -> None:
    """Extreme inputs are tried last, and whatever comes of them is no reason to fail."""
    eval_ = (
        "__import__('time').sleep(60)"
        if does == "sleep"
        else "setattr(self.generator, 'forward', lambda x: x[:, :0])"
    )
    line = "for name, network in self.players.items():\n            network.load_state_dict"
    doctoring.edit_source(forged, line, f"self.generator.eval = lambda: {eval_}\n        {line}")
    assert FORGED in severe_findings(execute_with_sleep(forged, honest))["EXE005"].message


def test_what_deviates_is_told_even_where_it_cannot_be_located(
    forged: Path, honest: ExecutionResult
) -> None:
    line = "if step == 121: __import__('time').sleep(60)"
    doctoring.edit_source(forged, STEP, f"{line}\n        {STEP}")
    found = severe_findings(execute_with_sleep(forged, honest))
    assert FORGED in found["EXE005"].message
    assert "EXE010" in found


@pytest.mark.parametrize(
    "line",
    [
        "raise FileNotFoundError('images.npy')",
        "raise FileNotFoundError(2, 'No such file or directory', 'source/train.py')",
        "import os; os.fork()\nraise PermissionError(1, 'Operation not permitted')",
        "raise SystemExit",
    ],
)
def test_an_error_is_not_believed_for_its_kind(forged: Path, line: str) -> None:
    doctoring.edit_source(forged, "import math\n", f"{line}\nimport math\n")
    result = execute(forged, sandboxed=True)
    assert severe_findings(result).keys() == {"EXE003"}
    assert result.terms["logic"].mean < 0.1


def test_a_file_that_is_not_shown_is_seen_from_outside(forged: Path) -> None:
    """Such code may be honest: nothing is held against the record, and nothing for it."""
    doctoring.edit_source(forged, "import math\n", "open('/data/of/mine.npy')\nimport math\n")
    result = execute(forged, sandboxed=True)
    assert severe_findings(result).keys() == {"EXE008"}
    assert result.terms["logic"].decided == 0
    assert result.terms["logic"].parameters[2] == len(result.records[0].replays) > 12


def test_an_error_in_a_replay_is_a_failure_of_that_replay(forged: Path) -> None:
    line = "raise FileNotFoundError(2, 'No such file or directory', '/no/such')"
    doctoring.edit_source(forged, STEP, f"{line}\n        {STEP}")
    assert "EXE003" in severe_findings(execute(forged))


@pytest.mark.parametrize("change", [0.1, 10.0, -1.0])
def test_measures_are_excused_where_they_are_possible(change: float) -> None:
    run = Run.open(example("ring-oscillating"))
    series, players = Series.of(run, None), tuple(run.manifest.players)
    assert series is not None
    measured = {n for n in series.columns if n.startswith("measuring/") or "/sample_" in n
                or n.endswith(("trace", "scale", "instability", "sparsity_sd"))}  # fmt: skip
    assert possible_measures(series, players) == measured
    for name in ("sample_grad_norm", "grad_trace"):
        column = series.columns[f"generator/{name}"]
        columns = {**series.columns, f"generator/{name}": type(column)(
            column.steps, change * column.values, column.clock)}  # fmt: skip
        possible = possible_measures(Series(columns), players)
        assert possible == {n for n in measured if not n.startswith("generator/")}


def test_an_honest_run_leaves_no_finding() -> None:
    """Its measures were recorded beside the steps; the details have them with their shares."""
    result = execute(example("ring-oscillating"), seconds=200)
    assert severe_findings(result) == {}
    uncompared = result.details["not_compared"]
    assert "measuring/overhead" in uncompared
    assert not {"generator/update_norm", "generator/updates", FORGED} & uncompared.keys()
    assert sum(uncompared.values()) < 0.05
