"""Quantities of a recorded loss by what papers call them: D(x), D(G(z)), x, its reconstruction, μ.

What a batch is follows from what went into a player, never from a name in the code. Where a
quantity can be read in several ways, as an output that is a logit or a probability, each is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcc.errors import TraceError
from dlcc.tracing.losses import ASSUMED, DRAWN, FAKE, MIXED, REAL, StepLoss, Variable

Drawn = Mapping[Variable, Tensor]
"""Variable of a loss -> numbers put in for it."""

_REALS = (REAL, ASSUMED)
_PROBABILITY = 1e-3  # how far drawn probabilities keep from 0 and 1


@dataclass(frozen=True)
class Reading:
    """One way to bind what papers write to the variables of a loss."""

    groups: Mapping[str, tuple[Variable, ...]]
    """Name such as `D(x)` or `x` -> variables that hold its rows."""
    logits: bool
    """Whether D in the paper is the sigmoid of what the player returns."""
    halves: tuple[str, str] | None = None
    """Meaning of the halves of the encoder's output, such as (`mu`, `log_variance`)."""

    def values(self, drawn: Drawn) -> dict[str, Tensor]:
        """Give the numbers [rows, features] of each quantity."""
        found = {}
        for name, variables in self.groups.items():
            rows = torch.cat([_flat(drawn.get(v, v.recorded)) for v in variables])
            found[name] = (
                torch.sigmoid(rows) if self.logits and name in ("D(x)", "D(G(z))") else rows
            )
        if self.halves and "code" in found:
            code = found.pop("code")
            size = code.shape[1] // 2
            found |= dict(zip(self.halves, (code[:, :size], code[:, size:]), strict=True))
        return _with_deviation(found)

    def draw(self, loss: StepLoss, scale: float, generator: torch.Generator) -> Drawn:
        """Draw numbers for every variable of a loss, of the sort that it holds."""
        found = {}
        for variable in loss.variables:
            shape, recorded = variable.recorded.shape, variable.recorded
            if bool(((recorded >= 0) & (recorded <= 1)).all()) and recorded.numel() > 1:
                uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
                found[variable] = uniform * (1 - 2 * _PROBABILITY) + _PROBABILITY
            else:
                found[variable] = scale * torch.randn(
                    shape, generator=generator, dtype=torch.float64
                )
        return found


def readings(loss: StepLoss) -> list[Reading]:
    """List the ways to bind what papers write to the variables of a loss, the likeliest first.

    Raises:
        TraceError: Players or batches cannot be told apart.
    """
    adversarial = _adversarial(loss)
    groups = adversarial if adversarial else _reconstruction(loss)
    if not groups:
        raise TraceError("what went into the players cannot be told")
    outputs = [v for name in ("D(x)", "D(G(z))") for v in groups.get(name, ())]
    logits = [False, True] if outputs else [False]
    halves: Sequence[tuple[str, str] | None] = [None]
    if "code" in groups:
        halves = list(_halves())
    return [Reading(groups, sigmoid, half) for half in halves for sigmoid in logits]


def assumed(loss: StepLoss) -> bool:
    """Whether some rows are taken for real only because no player made them."""
    return any(v.role == ASSUMED for v in loss.variables)


def _halves() -> Iterator[tuple[str, str]]:
    for spread in ("log_variance", "log_sigma", "sigma", "softplus_sigma"):
        yield "mu", spread
        yield spread, "mu"


def _adversarial(loss: StepLoss) -> dict[str, tuple[Variable, ...]]:
    """Bind the outputs and gradients of the one player that judges; empty without such a player."""
    outputs = [v for v in loss.variables if v.sort == "output"]
    judges = {
        v.player
        for v in outputs
        if v.role in (FAKE, *_REALS) and _is_number(v.recorded) and not v.path
    } or {v.player for v in outputs if v.role in (FAKE, *_REALS) and _is_number(v.recorded)}
    if len(judges) != 1:
        return {}
    (judge,) = judges
    groups: dict[str, list[Variable]] = {}
    for variable in loss.variables:
        is_features = variable.sort == "output" and not _is_number(variable.recorded)
        if variable.player == judge and is_features:
            continue
        if variable.player == judge and variable.sort in ("output", "gradient"):
            name = {FAKE: "D(G(z))", MIXED: "D(mixed)"}.get(variable.role, "D(x)")
            prefix = "gradient " if variable.sort == "gradient" else ""
            groups.setdefault(f"{prefix}{name}", []).append(variable)
        elif variable.sort == "data":
            groups.setdefault("x", []).append(variable)
        elif variable.sort == "output" and variable.role in (DRAWN, MIXED, FAKE):
            groups.setdefault("G(z)", []).append(variable)
    return {name: tuple(found) for name, found in groups.items()}


def _reconstruction(loss: StepLoss) -> dict[str, tuple[Variable, ...]]:
    """Bind data, their code and their reconstruction; empty where there are none."""
    data = [v for v in loss.variables if v.sort == "data"]
    outputs = [v for v in loss.variables if v.sort == "output"]
    wide = [v for v in outputs if data and _flat(v.recorded).shape == _flat(data[0].recorded).shape]
    codes = [v for v in outputs if v not in wide]
    if not data or not wide:
        return {}
    made = (wide[0],)
    found: dict[str, tuple[Variable, ...]] = {"x": (data[0],), "hatx": made, "G(z)": made}
    if len(codes) == 1:
        found["code"] = (codes[0],)
    elif len(codes) == 2:
        found |= {"mu": (codes[0],), "log_variance": (codes[1],)}
    return found


def _is_number(recorded: Tensor) -> bool:
    """Whether each row is one number, or a map of patches' numbers."""
    return recorded.ndim >= 1 and (recorded.ndim == 1 or recorded[0].numel() == 1)


def _flat(values: Tensor) -> Tensor:
    return values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)


def _with_deviation(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the deviation, whatever the code keeps in its place."""
    spreads: Mapping[str, Callable[[Tensor], Tensor]] = {
        "log_variance": lambda v: torch.exp(v / 2),
        "log_sigma": torch.exp,
        "softplus_sigma": torch.nn.functional.softplus,
    }
    for name, to_deviation in spreads.items():
        if name in found:
            found["sigma"] = to_deviation(found[name])
    return found
