"""Changes applied to code of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.advice import apply_own
from dlcc.advice.apply_own import OwnCode, begun_change, is_whole
from dlcc.advice.change import Change
from dlcc.errors import OptionError
from dlcc.runs import Recorder, Run
from dlcc.sandbox import Level
from tests.advice.own_code import record
from tests.conftest import made_once
from tests.sandbox.in_process import InProcessSession


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply_own, "Session", InProcessSession)


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of code of one's own, which nobody writes to."""

    def make(folder: Path) -> None:
        folder.mkdir()
        record(folder)

    return Run.open(made_once(tmp_path_factory, "own-code", make) / "run")


def applied(own: Run, change: dict[str, Any], out: Path, step: int | None = None) -> int:
    snapshot = next((s for s in own.snapshots() if s.step == step), None)
    code = OwnCode.of(own)
    return code.train(Change(change), out, Level.NONE, seed=5, snapshot=snapshot)[1]


def losses(run: Run) -> list[float]:
    return list(run.series().columns["discriminator/loss"].values)


def test_a_change_is_trained_and_recorded_as_a_run(own: Run, tmp_path: Path) -> None:
    assert applied(own, {"opt.lrD": 0.5}, tmp_path / "new") == 0
    new = Run.open(tmp_path / "new")
    assert new.manifest.config == {**own.manifest.config, "opt": {"lrD": 0.5}, "seed": 5}
    assert new.manifest.training == own.manifest.training
    assert new.length == own.length
    assert new.source_files().keys() == own.source_files().keys()
    assert len(losses(new)) == own.length
    assert new.sample_steps()
    assert is_whole(new.path)
    assert [(k, p.class_name, p.parameters) for k, p in new.manifest.players.items()] == [
        (k, p.class_name, p.parameters) for k, p in own.manifest.players.items()
    ]


def test_unchanged_it_is_the_run_that_it_was(own: Run, tmp_path: Path) -> None:
    """Weights, states and rows to the bit: what is recorded from outside is what happened."""
    seed = own.manifest.config["seed"]
    OwnCode.of(own).train(Change({}), tmp_path / "new", Level.NONE, seed=seed)
    new = Run.open(tmp_path / "new")
    assert losses(new) == losses(own)
    mine, theirs = (run.snapshots()[-1] for run in (new, own))
    for name, weights in theirs.weights("discriminator").items():
        assert np.array_equal(mine.weights("discriminator")[name], weights)
    assert mine.state()["variables"] == theirs.state()["variables"]


def test_it_goes_on_from_a_snapshot_with_the_changed_rate(own: Run, tmp_path: Path) -> None:
    assert applied(own, {"opt.lrD": 0.5}, tmp_path / "new", step=20) == 20
    new = Run.open(tmp_path / "new")
    assert new.series().columns["discriminator/loss"].steps.tolist() == list(range(20, 60))
    assert losses(new)[0] == losses(own)[20]  # before the first changed update
    assert losses(new)[2] != losses(own)[22]
    groups = new.snapshots()[-1].state()["objects"]["od"]["param_groups"]
    assert groups[0]["lr"] == 0.5


def test_what_takes_no_effect_from_there_starts_again(own: Run, tmp_path: Path) -> None:
    assert applied(own, {"lambda_gp": 0.5}, tmp_path / "new", step=20) == 0


def test_killed_and_called_again_it_goes_on(
    own: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, killed_at = Recorder.log, 31

    def killed(self: Recorder, step: int, values: Any) -> None:
        if step == killed_at:
            raise KeyboardInterrupt
        log(self, step, values)

    monkeypatch.setattr(Recorder, "log", killed)
    with pytest.raises(KeyboardInterrupt):
        applied(own, {"opt.lrD": 0.5}, tmp_path / "new")
    monkeypatch.setattr(Recorder, "log", log)
    change = begun_change(own, tmp_path / "new")
    assert change is not None
    assert dict(change.fields) == {"opt.lrD": 0.5}
    assert not is_whole(tmp_path / "new")
    applied(own, dict(change.fields), tmp_path / "new")
    applied(own, {"opt.lrD": 0.5}, tmp_path / "whole")
    assert losses(Run.open(tmp_path / "new")) == losses(Run.open(tmp_path / "whole"))


def test_a_change_that_the_code_refuses_is_one_sentence(own: Run, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"refuses opt.lrD 0.01 -> 9: .*too fast"):
        applied(own, {"opt.lrD": 9.0}, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_run_of_something_else_was_not_begun_from_it(
    own: Run, small_run: Path, tmp_path: Path
) -> None:
    assert begun_change(own, small_run) is None
    assert begun_change(own, tmp_path / "nothing") is None
    (small_run / "source" / "train.py").unlink()
    silent = Run.open(small_run)
    with pytest.raises(OptionError, match="does not: record with"):
        OwnCode.of(silent)
