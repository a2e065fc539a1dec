"""Trials of settings: what is used in any way is told from what is ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import dlcc
from dlcc.evaluation import evaluate
from dlcc.records import Config, Obligations, Snapshots, Sources
from dlcc.runs import Run
from dlcc.stages.consistency.steps.own_code import OwnCode
from dlcc.stages.consistency.steps.setting_trials import SettingTrials

CONFIG = {
    "lr": 0.01,
    "ttur": 3.0,
    "beta1": 0.5,
    "beta2": 0.9,
    "weight_decay": 0.1,
    "grad_clip": 1e-3,
    "scheduler": "cosine",
    "noise_schedule": "cosine",
    "seed": 1,
}


def build(config: dict[str, Any]) -> dlcc.Training:
    """Training that uses most of its settings in ways of its own, and ignores some."""
    data = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    net = nn.Linear(3, 3)
    adam = torch.optim.Adam(net.parameters(), config["lr"] * config["ttur"], (0.7, 0.999))
    noise = {"cosine": 0.1, "linear": 0.2}[config["noise_schedule"]]

    def step(x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = net(x + noise * torch.randn_like(x))
        loss = (y - x).square().mean() + config["beta1"] * y.abs().mean()
        adam.zero_grad()
        loss.backward()
        for p in net.parameters():
            assert p.grad is not None
            p.grad.mul_((p.detach().norm() * config["grad_clip"] / p.grad.norm()).clamp(max=1))
        with torch.no_grad():
            for p in net.parameters():
                p.mul_(1 - config["lr"] * config["weight_decay"])
        adam.step()
        return {"model/loss": loss.detach()}

    return dlcc.Training.from_step(
        {"model": net}, step, sample=lambda n: net(torch.randn(n, 3)), data=data, batch=16
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("settings") / "run"
    with dlcc.Recorder(
        folder, build=build, length=12, objective={"kind": "vae"}, config=CONFIG
    ) as recorder:
        recorder.train(snapshots=4)
    return Run.open(folder)


@pytest.fixture(scope="module")
def trials(run: Run) -> Iterator[SettingTrials]:
    with OwnCode(
        Config.of(run, None),
        Sources.of(run, None),
        Snapshots.of(run, None),
        trust=True,
        seconds=lambda: 100.0,
    ) as code:
        yield SettingTrials(code)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("lr", "the training is another"),
        ("ttur", "the training is another"),
        ("beta1", "the training is another"),  # weighs a term of the loss
        ("weight_decay", "the training is another"),  # by hand
        ("noise_schedule", "the code fails"),
        ("beta2", ""),
        ("scheduler", ""),
    ],
)
def test_a_setting_is_used_where_changing_it_changes_anything(
    trials: SettingTrials, path: str, words: str
) -> None:
    why = trials(path, False)
    assert bool(why) == bool(words)
    assert words in why


def test_a_bound_is_tried_in_steps_from_the_snapshot(trials: SettingTrials) -> None:
    assert "another" in trials("grad_clip", True)
    assert trials("scheduler", True) == ""


def test_without_code_a_setting_may_be_used(run: Run) -> None:
    config, snapshots = Config.of(run, None), Snapshots.of(run, None)
    with OwnCode(config, None, snapshots, trust=True, seconds=lambda: 9.0) as code:
        assert "no code can be run" in SettingTrials(code)("beta2", False)


def test_only_what_is_ignored_is_accused(run: Run) -> None:
    evaluation = evaluate(run, only=["consistency"], trust=True, use_cache=False)
    found = [f.message for f in evaluation.report.findings if f.code == "LOG013"]
    assert [m.split()[3] for m in found] == ["beta2", "scheduler,"]
    assert all("Changing it changes nothing." in message for message in found)
    obligations = evaluation.record(Obligations)
    assert obligations is not None
    reasons = " ".join(o.reason or "" for o in obligations.items if o.id.startswith("rule/"))
    for name in ("lr = 0.01", "beta1 = 0.5"):
        assert name in reasons
