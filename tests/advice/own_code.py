"""A small GAN as a user might have written it, and a run of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from dlcc import Recorder

CODE = """
import torch
from torch import nn
from torch.nn.functional import softplus
import dlcc

def build(config):
    if config["opt"]["lrD"] > 5:
        raise ValueError("that is too fast")
    g, d = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    og = torch.optim.Adam(g.parameters(), config["alpha"], (config["betas"][0], 0.99))
    od = torch.optim.Adam(d.parameters(), config["opt"]["lrD"], (config["betas"][0], 0.99))
    unused = config["lambda_gp"]
    average = [p.detach().clone() for p in g.parameters()]

    def step(number):
        real = torch.randn(32, 2) + 3
        fake = g(torch.randn(32, 2))
        ld = softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()
        od.zero_grad(); ld.backward(); od.step()
        row = {"discriminator/loss": ld}
        if number % config["n_critic"] == 0:
            lg = softplus(-d(fake)).mean()
            og.zero_grad(); lg.backward(); og.step()
            row["generator/loss"] = lg
        with torch.no_grad():
            for a, p in zip(average, g.parameters()):
                a.lerp_(p, 1 - config["ema_decay"])
        return row

    def sample(n):
        return torch.randn(n, 2) @ average[0].T + average[1]

    return dlcc.Training.from_step({"generator": g, "discriminator": d}, step, sample=sample)
"""
CONFIG: dict[str, Any] = {
    "opt": {"lrD": 0.01}, "alpha": 0.02, "betas": [0.5, 0.99], "n_critic": 4, "ema_decay": 0.9,
    "lambda_gp": 0.0, "loss": "ns", "r1": 0.0, "seed": 3,
}  # fmt: skip


def record(folder: Path, length: int = 60, config: dict[str, Any] = CONFIG) -> Path:
    """Train the code in `folder/run`, and return that."""
    import importlib.util
    import sys

    file = folder / "mine.py"
    file.write_text(CODE)
    spec = importlib.util.spec_from_file_location("mine_of_tests", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mine_of_tests"] = module
    spec.loader.exec_module(module)
    reference = torch.randn(400, 2, generator=torch.Generator().manual_seed(0)) + 3
    with Recorder(
        folder / "run", build=module.build, config=json.loads(json.dumps(config)), length=length,
        objective={"kind": "gan"}, reference=reference,
    ) as recorder:  # fmt: skip
        recorder.train(snapshots=3, samples=64, sample_steps=8)
    return folder / "run"
