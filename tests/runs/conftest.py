"""A small training that uses everything a state can hold, and rows as they are read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlcc.runs import Run

LOSS = {"model/loss": 1.0}


def column(path: Path, name: str) -> list[float]:
    values: list[float] = Run.open(path).series().columns[name].values.tolist()
    return values


class SmallTraining:
    """A regression with AdamW, batch normalisation, dropout and a running average."""

    def __init__(self, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.model = nn.Sequential(
            nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)
        )
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.players = {"model": self.model}
        self.average = float("nan")

    def step(self, step: int) -> dict[str, float]:
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        self.optimizer.zero_grad()
        loss = (self.model(x) ** 2).mean()  # dropout draws from the global generator
        loss.backward()
        self.optimizer.step()
        self.average = loss.item()
        return {"model/loss": loss.item()}

    def sample(self, n: int, seed: int) -> torch.Tensor:
        return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))

    def probe(self, step: int) -> dict[str, torch.Tensor]:
        torch.rand(3)  # what a careless probe does to the global generator
        return {"model/loss": torch.tensor(float(step)), "model/outputs": torch.ones(8, 2)}

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]


@pytest.fixture
def training() -> SmallTraining:
    """A training of a few numbers, not begun."""
    return SmallTraining()


@pytest.fixture
def make_training() -> type[SmallTraining]:
    """What makes such a training anew, as a resumed program would."""
    return SmallTraining
