"""Copies of an example that were changed after the fact, checksums and all: each change is named
with its place, and the original has no finding."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcc.evaluation import evaluate
from dlcc.past_runs.build import doctoring
from dlcc.report.record import FindingRecord
from dlcc.sandbox import available_levels
from dlcc.stages.execution import Execution
from tests.conftest import example

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not available_levels(), reason="no isolation on this machine"),
]


def findings_of(run: Path, **settings: Any) -> tuple[FindingRecord, ...]:
    """The findings of its record and its replays."""
    report = evaluate(run, only=["consistency", "execution"], stages=[Execution(**settings)]).report
    assert not report.failed_stages
    assert report.verdict.doubt == any(f.severity == "error" for f in report.findings)
    return report.findings


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the healthy example, to be doctored."""
    target = tmp_path / "copy"
    shutil.copytree(example("digits-healthy"), target)
    return target


def snapshot_steps(run: Path) -> list[int]:
    return sorted(int(p.name) for p in (run / "snapshots").iterdir())


def test_the_original_has_no_finding() -> None:
    assert findings_of(example("digits-healthy")) == ()
    assert findings_of(example("digits-healthy"), full=True) == ()


def test_one_loss_value_where_it_is_replayed_by_default(copy: Path) -> None:
    step = snapshot_steps(copy)[2]
    doctoring.set_value(copy, "generator/loss", step, 0.7531)
    (finding,) = findings_of(copy)
    assert (finding.stage, finding.first_step) == ("execution", step)
    assert "generator/loss" in finding.message


def test_one_loss_value_elsewhere_needs_the_full_replay(copy: Path) -> None:
    step = snapshot_steps(copy)[2] + 137
    old = doctoring.set_value(copy, "generator/loss", step, 0.0)
    doctoring.set_value(copy, "generator/loss", step, old * 1.001)
    assert findings_of(copy) == ()
    (finding,) = findings_of(copy, full=True)
    assert finding.first_step == step
    assert "generator/loss" in finding.message


def test_one_weight_tensor(copy: Path) -> None:
    step = snapshot_steps(copy)[3]
    doctoring.change_weight(copy, step, "generator/0.weight", 1.02)
    found = findings_of(copy)
    assert all(f.place and f.place.startswith(f"snapshots/{step:08d}") for f in found)
    assert any("generator/0.weight" in f.message + (f.place or "") for f in found)


SOURCE_CHANGES: dict[str, tuple[str, str]] = {
    "a loss": (
        "    return torch.mean(F.softplus(-fake_logits))\n",
        "    return torch.mean(F.softplus(-1.01 * fake_logits))\n",
    ),
    "an optimiser": (
        'make_optimizer(config, self.generator, config.lr_g)',
        'make_optimizer(config, self.generator, 0.9 * config.lr_g)',
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SOURCE_CHANGES)
def test_one_line_of_the_source(what: str, copy: Path) -> None:
    doctoring.edit_source(copy, *SOURCE_CHANGES[what])
    found = findings_of(copy)
    assert found
    assert any((f.place or "").startswith("source/train.py") for f in found)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(r"\log(1-\sigma", r"\log(1+\sigma"),
        lambda text: text.replace("L_G = -", "L_G = "),
        lambda text: text.replace(r"\frac{1}{m}", r"\frac{1}{2m}", 1),
    ],
)
def test_one_formula_of_the_document(change: Callable[[str], str], copy: Path) -> None:
    page = copy / "documents" / "method.md"
    text = page.read_text()
    assert change(text) != text
    page.write_text(change(text))
    (finding,) = findings_of(copy)
    assert finding.code == "LOG004"
    line = int((finding.place or "").rpartition(":")[2])
    assert "L_" in "".join(page.read_text().splitlines()[line - 1 : line + 3])


def test_one_snapshot_moved_in_time(copy: Path) -> None:
    first, second = snapshot_steps(copy)[2:4]
    doctoring.copy_snapshot(copy, first, second)
    found = findings_of(copy)
    assert found
    assert all(f.place and f.place.startswith(f"snapshots/{second:08d}") for f in found)
    assert any(f"{first:,}" in f.message or str(first) in f.message for f in found)
