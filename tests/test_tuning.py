"""A search for settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("optuna")

from dlcc.errors import OptionError
from dlcc.estimate import Estimate
from dlcc.kinds.gan import GAN
from dlcc.records import Outcome
from dlcc.reruns import pool as pools
from dlcc.reruns.outcome import Judge, Recorded
from dlcc.reruns.pool import Paused, SandboxPool
from dlcc.reruns.sandbox_program import SandboxProgram
from dlcc.sandbox import Level
from dlcc.stage import Deadline
from dlcc.tuning import Dimension, Tuned, Tuning, quality, space_of
from tests.advice.own_code import CODE, CONFIG
from tests.sandbox.in_process import InProcessSession

LENGTH = 24


class SlowIsGood:
    """A judge whose outcome is the better the less the loss moves in a step."""

    reference = None

    def __call__(self, recorded: Recorded, length: int) -> Outcome:
        loss = recorded.series.columns["discriminator/loss"].values
        good = float(np.exp(-np.abs(np.diff(loss)).max()))
        return Outcome("healthy", good, good)


class Predicted:
    """A predictor for whom nothing, or everything, is hopeless."""

    def __init__(self, hopeless: bool) -> None:
        self.judge, self.hopeless = SlowIsGood(), hopeless

    def __call__(self, *_: Any) -> Estimate:
        return Estimate.beta(1, 99) if self.hopeless else Estimate.beta(99, 1)


def search(
    folder: Path, monkeypatch: pytest.MonkeyPatch, most: int, *, hopeless: bool = False, **more: Any
) -> Tuned:
    monkeypatch.setattr(pools, "Session", InProcessSession)
    (folder / "train.py").write_text(CODE)
    program = SandboxProgram(
        "source/train.py:build", {"source/train.py": folder / "train.py"}, Level.NONE, None, GAN,
        ("generator/loss", "discriminator/loss"),
    )  # fmt: skip
    space = space_of(CONFIG, "adversarial", {"opt.lrD": (0.001, 8.0)})
    predictor: Any = Predicted(hopeless)
    with SandboxPool(program, LENGTH, 1, Deadline(60), folder / "kept") as pool:
        file = folder / "study.journal"
        return Tuning(CONFIG, LENGTH, space, pool, predictor, file, "own", **more).run(most=most)


def test_it_begins_with_what_is_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = search(tmp_path, monkeypatch, 1)
    assert first.best == {"opt.lrD": 0.01}
    assert first.present == first.value
    again = search(tmp_path, monkeypatch, 6)
    assert (again.trials, again.present) == (6, first.present)
    assert again.trainings == pytest.approx(5)
    assert again.value >= first.value


def test_what_will_fail_is_stopped_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = search(tmp_path, monkeypatch, 4, hopeless=True)
    assert (found.trials, found.stopped, found.best) == (4, 4, {})
    assert found.trainings == pytest.approx(1)


@pytest.mark.parametrize("pruner", ["median", "none"])
def test_other_pruners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruner: str) -> None:
    found = search(tmp_path, monkeypatch, 3, hopeless=True, pruner=pruner)
    assert found.trials - found.stopped >= 1


def test_what_the_code_refuses_is_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dimension, "suggest", lambda self, trial: trial.suggest_float("x", 6, 7))
    found = search(tmp_path, monkeypatch, 2)
    assert (found.trials, found.refused) == (0, 2)


def test_a_file_that_is_no_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study.journal").mkdir()
    with pytest.raises(OptionError, match="no study can be kept"):
        search(tmp_path, monkeypatch, 1)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"lrD": (1.0, 2.0)}, "no such key; it has opt.lrD"),
        ({"loss": (1.0, 2.0)}, "expected a key with a number"),
        ({"alpha": (0.5, 0.1)}, "lower bound first"),
        ({"alpha": (0.5, 0.9)}, "the present value 0.02 lies outside"),
    ],
)
def test_bounds_that_make_no_sense(bounds: Any, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        space_of(CONFIG, "adversarial", bounds)


def test_keys_that_the_code_does_not_read_are_not_searched() -> None:
    assert [d.path for d in space_of(CONFIG, "adversarial", {}, [CODE])] == [
        "opt.lrD", "betas.0", "lambda_gp",
    ]  # fmt: skip
    with pytest.raises(OptionError, match="does not read"):
        space_of(CONFIG, "adversarial", {"r1": (0.0, 1.0)}, [CODE])
    with pytest.raises(OptionError, match="name what to search"):
        space_of({"width": 3}, "adversarial", {})


def test_quality_of_nothing_finite_is_the_worst() -> None:
    class Nan(SlowIsGood):
        def __call__(self, recorded: Recorded, length: int) -> Outcome:
            return Outcome("diverged", float("nan"), 0.0)

    predictor: Any = Predicted(hopeless=False)
    judge: Judge | Any = Nan()
    predictor.judge = judge
    assert quality(predictor, Paused(1, Any), 1) == 0.0  # type: ignore[arg-type]
