"""Coefficients of data and of noise in what went into a network, as diffusion models mix them.

x_t = a x_0 + b ε: a and b of every row are found by putting ones and zeros in for data and noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcc.tracing.losses import StepLoss, Variable
from dlcc.tracing.terms import CHANCE, GIVEN, Term

COEFFICIENTS = ("sigma", "sigma_t", "alpha_t", "alpha", "baralpha_t", "baralpha", "t")
"""Names of coefficients in formulas."""


@dataclass(frozen=True)
class Schedule:
    """Mix of data and noise that went into a network."""

    mixed: int
    """Node that went in."""
    data: int
    """Node of the data."""
    noise: int
    """Node of the noise."""
    time: int | None
    """Node of the time that went in beside it; None where none did."""
    squared: bool
    """Whether a formula's α_t is the square of the data's coefficient."""
    cumulative: bool = False
    """Whether the formula has an ᾱ_t, beside which α_t and σ_t are something else."""

    def coefficients(
        self, loss: StepLoss, drawn: Mapping[Variable, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Give the coefficients of data and of noise, [rows, 1] each."""
        data, noise = (loss.value(node).detach().double() for node in (self.data, self.noise))
        none = {self.data: torch.zeros_like(data), self.noise: torch.zeros_like(noise)}
        (zero,) = loss.at([self.mixed], drawn, none)
        found = []
        for node, like in ((self.data, data), (self.noise, noise)):
            (one,) = loss.at([self.mixed], drawn, {**none, node: torch.ones_like(like)})
            found.append(flat_rows(one - zero).mean(dim=1, keepdim=True))
        return found[0], found[1]

    def values(self, loss: StepLoss, drawn: Mapping[Variable, Tensor]) -> dict[str, Tensor]:
        """Give the coefficients by what formulas call them."""
        a, b = self.coefficients(loss, drawn)
        alpha = a.square() if self.squared else a
        found = {"sigma": b, "sigma_t": b, "alpha_t": alpha, "alpha": alpha}
        if self.cumulative:
            found = {}
        if torch.allclose(a.square() + b.square(), torch.ones_like(a), atol=1e-4):
            found |= {"baralpha_t": a.square(), "baralpha": a.square()}
        if torch.allclose(a + b, torch.ones_like(a), atol=1e-5) and self.time is not None:
            found["t"] = a if self.runs_to(loss, a) else b
        return found

    def runs_to(self, loss: StepLoss, coefficient: Tensor) -> bool:
        """Whether a coefficient grows with the time that went into the network."""
        return self.time is not None and _correlation(loss.value(self.time), coefficient) > 0

    def runs_from(self, loss: StepLoss, node: int) -> bool:
        """Whether data, or noise, is what a path begins with: its coefficient falls with time."""
        a, b = self.coefficients(loss, {})
        if self.time is None or node not in (self.data, self.noise):
            return False
        return _correlation(loss.value(self.time), a if node == self.data else b) < 0


def schedules(
    loss: StepLoss, mixed: Term, beside: Sequence[int], *, cumulative: bool
) -> list[Schedule]:
    """Find the coefficients of data and noise in what went into a network.

    Args:
        loss: Loss of a step.
        mixed: Term of what went in.
        beside: Nodes of what else went in, one of which may be the time.
        cumulative: Whether the formula has an ᾱ_t.

    Returns:
        Coefficients, twice where formulas may mean their squares; none where what went in is no
        such sum.
    """
    found = []
    data = [t.node for t in mixed.inputs if t.kind == GIVEN]
    noise = [t.node for t in mixed.inputs if t.kind == CHANCE]
    for one in data:
        for other in noise:
            if loss.value(one).shape != loss.value(other).shape:
                continue
            time = next((n for n in beside if _is_time(loss, n)), None)
            for squared in (False, True):
                schedule = Schedule(mixed.node, one, other, time, squared, cumulative)
                if _is_sum(loss, schedule):
                    found.append(schedule)
    return found


def flat_rows(values: Tensor) -> Tensor:
    """Flatten each row.

    >>> flat_rows(torch.zeros(2, 3, 4)).shape
    torch.Size([2, 12])
    """
    return values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)


def _is_sum(loss: StepLoss, schedule: Schedule) -> bool:
    a, b = schedule.coefficients(loss, {})
    data, noise, mixed = (
        flat_rows(loss.value(node).detach().double())
        for node in (schedule.data, schedule.noise, schedule.mixed)
    )
    same = a.shape[0] == data.shape[0] == mixed.shape[0] and data.shape == mixed.shape
    return same and torch.allclose(a * data + b * noise, mixed, rtol=1e-4, atol=1e-5)


def _is_time(loss: StepLoss, node: int) -> bool:
    value = loss.value(node)
    return value.ndim > 0 and value.numel() == len(value) and len(value) > 1


def _correlation(one: Tensor, other: Tensor) -> float:
    a, b = one.detach().double().flatten(), other.detach().double().flatten()
    if a.shape != b.shape:
        return 0.0
    return float(((a - a.mean()) * (b - b.mean())).sum())
