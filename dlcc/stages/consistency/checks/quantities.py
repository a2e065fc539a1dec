"""Quantities of a recorded loss by what papers call them: D(x), D(G(z)), x, its reconstruction, μ.

What a batch is follows from what went into a player, never from a name in the code. Where a
quantity can be read in several ways, as an output that is a logit or a probability, each is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dlcc.errors import TraceError
from dlcc.tracing.losses import StepLoss, Variable
from dlcc.tracing.roles import ASSUMED, DRAWN, FAKE, MIXED, NOISY_FAKE, NOISY_REAL, REAL

Drawn = Mapping[Variable, Tensor]
"""Variable of a loss -> numbers put in for it."""

_NAMES = {
    FAKE: "D(G(z))",
    NOISY_FAKE: "D(G(z) + noise)",
    MIXED: "D(mixed)",
    NOISY_REAL: "D(x + noise)",
}
_GIVEN = (REAL, NOISY_REAL, ASSUMED)
_MADE = (DRAWN, MIXED, FAKE, NOISY_FAKE)
_LOGITS = (
    "D(x)",
    "D(G(z))",
    "D(x + noise)",
    "D(G(z) + noise)",
    "hatx",
)  # what may be a probability in a formula
POINTS = 24
"""Points at random at which a formula and a loss are compared."""
_SCALES = (0.3, 1.0, 3.0)
_PROBABILITY = 1e-3  # how far drawn probabilities keep from 0 and 1


@dataclass(frozen=True)
class Reading:
    """One way to bind what papers write to the variables of a loss."""

    groups: Mapping[str, tuple[Variable, ...]]
    """Name such as `D(x)` or `x` -> variables that hold its rows."""
    logits: bool
    """Whether D in the paper is the sigmoid of what the player returns."""
    halves: tuple[str, str] | None = None
    """Meaning of the halves of the encoder's output, or of its two outputs, such as (`mu`,
    `log_variance`)."""
    rescaled: bool = False
    """Whether x in the paper lies in [0, 1] where the code's data lie in [-1, 1]."""
    unusual: str = ""
    """Condition of this reading in words; empty for a usual one."""

    def values(self, drawn: Drawn) -> dict[str, Tensor]:
        """Give the numbers [rows, features] of each quantity."""
        found = {}
        for name, variables in self.groups.items():
            rows = torch.cat([_flat(drawn.get(v, v.recorded)) for v in variables])
            found[name] = torch.sigmoid(rows) if self.logits and name in _LOGITS else rows
        if self.rescaled:
            found["x"] = (found["x"] + 1) / 2
        if self.halves:
            found |= dict(zip(self.halves, _codes(found), strict=True))
        elif "code" in found:
            found["mu"] = found["code"]
        return _with_deviation(found)


def measured_points(loss: StepLoss) -> list[Drawn]:
    """Draw the points at which a loss is measured: as it was recorded, then at random."""
    generator = torch.Generator().manual_seed(0)
    drawn = [_draw(loss, _SCALES[k % len(_SCALES)], generator) for k in range(POINTS)]
    return [{v: v.recorded for v in loss.variables}, *drawn]


def _draw(loss: StepLoss, scale: float, generator: torch.Generator) -> Drawn:
    """Draw numbers for every variable of a loss, of the sort that it holds."""
    found = {}
    for variable in loss.variables:
        shape, recorded = variable.recorded.shape, variable.recorded
        if bool(((recorded >= 0) & (recorded <= 1)).all()) and recorded.numel() > 1:
            uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
            found[variable] = uniform * (1 - 2 * _PROBABILITY) + _PROBABILITY
        else:
            found[variable] = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    return found


def readings(loss: StepLoss) -> list[Reading]:
    """List the ways to bind what papers write to the variables of a loss, the likeliest first.

    Raises:
        TraceError: Players or batches cannot be told apart.
    """
    adversarial = _adversarial(loss)
    groups = adversarial if adversarial else _reconstruction(loss)
    if not groups:
        judges = sorted(judges_of(loss))
        if len(judges) > 1:
            raise TraceError(f"{' and '.join(judges)} judge: which one D is cannot be told")
        raise TraceError("what went into the players cannot be told")
    logits = [False, True] if any(name in groups for name in _LOGITS) else [False]
    halves: Sequence[tuple[str, str] | None] = [None]
    if "code" in groups or "second code" in groups:
        halves = [*_halves(), *([None] if "code" in groups else [])]
    scales = [False, True] if "hatx" in groups and _is_signed(groups["x"]) else [False]
    found = [
        Reading(groups, sigmoid, half, scaled)
        for scaled in scales
        for half in halves
        for sigmoid in logits
    ]
    true = [way for way in found if _multiplies_noise(way, loss)]
    return true or found


def unusual_readings(loss: StepLoss) -> list[Reading]:
    """List further ways, by which a formula means something else than the code shows.

    A right formula holds in one of these where it calls a variance σ, say.

    Raises:
        TraceError: Players or batches cannot be told apart.
    """
    usual = readings(loss)
    first = usual[0]
    if first.halves is None:
        return []
    why = "only where σ is something else than what noise is multiplied with"
    every = [replace(way, halves=half, unusual=why) for way in usual for half in _halves()]
    known = {(way.logits, way.halves) for way in usual}
    return [way for way in every if (way.logits, way.halves) not in known]


def _is_signed(data: tuple[Variable, ...]) -> bool:
    """Whether data lie in [-1, 1], on both sides of 0."""
    low, high = (float(f(data[0].recorded)) for f in (torch.min, torch.max))
    return -1 <= low < 0 < high <= 1


def _multiplies_noise(way: Reading, loss: StepLoss) -> bool:
    """Whether σ, as it is read, is what the step multiplied noise with."""
    sigma = way.values({}).get("sigma")
    return sigma is not None and any(
        _flat(factor).shape == sigma.shape and torch.allclose(_flat(factor), sigma, rtol=1e-4)
        for factor in loss.noise_factors
    )


def assumed(loss: StepLoss) -> bool:
    """Whether some rows are taken for real only because no player made them."""
    return any(v.role == ASSUMED for v in loss.variables)


def _halves() -> Iterator[tuple[str, str]]:
    for spread in ("log_variance", "log_sigma", "sigma", "softplus_sigma"):
        yield "mu", spread
        yield spread, "mu"


def _adversarial(loss: StepLoss) -> dict[str, tuple[Variable, ...]]:
    """Bind the outputs and gradients of the one player that judges; empty without such a player."""
    judges = judges_of(loss)
    if len(judges) != 1:
        return {}
    (judge,) = judges
    of_judge = [v for v in loss.variables if v.sort == "output" and v.player == judge]
    numbers = any(_is_number(v.recorded) for v in of_judge)
    groups: dict[str, list[Variable]] = {}
    for variable in loss.variables:
        is_output = variable.sort == "output"
        if variable.player == judge and is_output and numbers and not _is_number(variable.recorded):
            continue  # features beside the outputs
        if variable.player == judge and variable.sort in ("output", "gradient"):
            name = _NAMES.get(variable.role, "D(x)")
            prefix = "gradient " if variable.sort == "gradient" else ""
            groups.setdefault(f"{prefix}{name}", []).append(variable)
        elif variable.sort == "data":
            groups.setdefault("x", []).append(variable)
        elif is_output and variable.role in _MADE:
            groups.setdefault("G(z)", []).append(variable)
    return {name: tuple(found) for name, found in groups.items()}


def judges_of(loss: StepLoss) -> set[str]:
    """Players that judge what they are given: by one number, or by a map of fewer than they get."""
    outputs = [v for v in loss.variables if v.sort == "output" and v.role not in (DRAWN, MIXED)]
    numbers = [v for v in outputs if _is_number(v.recorded)]
    found = {v.player for v in numbers if not v.path} or {v.player for v in numbers}
    data = [v.recorded.shape for v in loss.variables if v.sort == "data"]
    maps = [v for v in outputs if v.role in (FAKE, NOISY_FAKE) and v.recorded.shape not in data]
    return found or {v.player for v in maps if _is_smaller(v)}


def gives_probabilities(loss: StepLoss) -> bool:
    """Tell whether all that the judging players returned lies in [0, 1]."""
    judges = judges_of(loss)
    judged = [v.recorded for v in loss.variables if v.sort == "output" and v.player in judges]
    return bool(judged) and all(bool(((j >= 0) & (j <= 1)).all()) for j in judged)


def _is_smaller(variable: Variable) -> bool:
    return variable.recorded.ndim > 1 and variable.recorded[0].numel() < variable.given


def _reconstruction(loss: StepLoss) -> dict[str, tuple[Variable, ...]]:
    """Bind data, their code and their reconstruction; empty where there are none."""
    data = [v for v in loss.variables if v.sort == "data"]
    outputs = [v for v in loss.variables if v.sort == "output"]
    wide = [v for v in outputs if data and _flat(v.recorded).shape == _flat(data[0].recorded).shape]
    wide = [v for v in wide if v.role not in _GIVEN] or wide  # a code may be as wide as data
    codes = [v for v in outputs if v not in wide]
    if not data or not wide:
        return {}
    made = (wide[0],)
    found: dict[str, tuple[Variable, ...]] = {"x": (data[0],), "hatx": made, "G(z)": made}
    if len(codes) == 1:
        found["code"] = (codes[0],)
    elif len(codes) == 2:
        found |= {"first code": (codes[0],), "second code": (codes[1],)}
    return found


def _is_number(recorded: Tensor) -> bool:
    """Whether each row is one number, or a map of patches' numbers."""
    return recorded.ndim >= 1 and (recorded.ndim == 1 or recorded[0].numel() == 1)


def _flat(values: Tensor) -> Tensor:
    return values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)


def _codes(found: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Take the halves of the encoder's output, or its two outputs."""
    if "code" in found:
        code = found.pop("code")
        size = code.shape[1] // 2
        return code[:, :size], code[:, size:]
    return found.pop("first code"), found.pop("second code")


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
