"""A scale and a shift of normal draws, fitted to two moments of a Gaussian in the plane."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcc.recipes.options import Options, option

CENTRE, SPREAD = (3.0, -1.0), (0.5, 2.0)


@dataclass(frozen=True)
class Config(Options):
    """The configuration."""

    lr: float = option(0.05, "learning rate of Adam", low=0.0, high=1.0)
    steps: int = option(400, "length", low=20, high=100_000)
    batch: int = option(128, "rows of a batch", low=2, high=10_000)
    seed: int = option(0, "seed of everything", low=0, high=2**31 - 1)


class Drift(nn.Module):
    """x = exp(s)·z + b, [n, 2]."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))

    def forward(self, z: Tensor) -> Tensor:
        return self.scale.exp() * z + self.shift


class LineTraining:
    """The training; batches are functions of (seed, step)."""

    def __init__(self, config: Config) -> None:
        self.config, self.model = config, Drift()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr)

    @property
    def players(self) -> Mapping[str, nn.Module]:
        return {"model": self.model}

    def step(self, step: int) -> Mapping[str, float]:
        draws = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        z, x = (torch.randn(self.config.batch, 2, generator=draws) for _ in range(2))
        data = x * torch.tensor(SPREAD) + torch.tensor(CENTRE)
        made = self.model(z)
        loss = (made.mean(0) - data.mean(0)).square().sum() + (
            made.std(0) - data.std(0)
        ).square().sum()
        self.optimizer.zero_grad()
        loss.backward()
        norm = sum(float(p.grad.square().sum()) for p in self.model.parameters()) ** 0.5
        self.optimizer.step()
        return {"model/loss": float(loss.detach()), "model/grad_norm": norm}

    def sample(self, n: int, seed: int) -> Tensor:
        draws = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            return self.model(torch.randn(n, 2, generator=draws))

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def build(config: Mapping[str, Any]) -> LineTraining:
    """The training of a configuration."""
    return LineTraining(Config.parse(config))
