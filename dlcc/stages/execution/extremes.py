"""Outputs of players on inputs that no batch brings: extreme ones and random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import ForeignCodeError, ForeignCodeStopped
from dlcc.sandbox import Session
from dlcc.stages.execution.compare import Tensors

Inputs = NDArray[np.float32]

_ROWS = 256  # of each Monte Carlo input
_SCALES = (1.0, 10.0, 100.0)
_NUDGE = 1e-3  # length of the step along which sensitivity is measured
# Constant inputs. A sound network may overflow beyond ±1e6: those are shown, and no finding.
_CONSTANTS = {"0": 0.0, "1e-40": 1e-40, "1e3": 1e3, "-1e3": -1e3, "1e6": 1e6, "-1e6": -1e6}
_BEYOND = {"1e30": 1e30, "-1e30": -1e30, "inf": np.inf, "-inf": -np.inf}


@dataclass(frozen=True)
class PlayerExtremes:
    """Outputs of one player on extreme inputs."""

    player: str
    finite: Mapping[str, float] = field(default_factory=dict)
    """Input -> share of finite outputs."""
    largest: Mapping[str, float | None] = field(default_factory=dict)
    """Input -> largest finite output in size; None where none is finite."""
    sensitivity: float | None = None
    """Largest |f(x + δ) − f(x)| / |δ| at standard normal x."""
    reason: str | None = None
    """Reason why the player was not tried; None where it was."""

    @property
    def overflowing(self) -> tuple[str, ...]:
        """Names of ordinary finite inputs with outputs that are not finite."""
        return tuple(
            name for name, share in self.finite.items() if share < 1 and name not in _BEYOND
        )


def try_player(
    session: Session, player: str, weights: Tensors, rng: np.random.Generator
) -> PlayerExtremes:
    """Run one player, in its present state, on all inputs.

    Args:
        session: Session of the sandbox with the training inside.
        player: Name of the player.
        weights: Weights of all players, by `player/name`.
        rng: Generator of the Monte Carlo inputs.
    """
    width = input_width(player, weights)
    if width is None:
        return PlayerExtremes(
            player,
            reason="its first weight is no matrix, so that the shape of its inputs is not known",
        )
    inputs = make_inputs(width, rng)
    nudged = inputs["normal ×1"] + _nudges(width, rng)
    stacked = np.concatenate([*inputs.values(), nudged])
    try:
        outputs = session.forward(player, stacked)
    except ForeignCodeStopped:
        raise
    except ForeignCodeError as error:
        return PlayerExtremes(player, reason=str(error))
    if outputs.size == 0:
        return PlayerExtremes(player, reason="it gives outputs without a number")
    flat = outputs.astype(np.float64).reshape(len(stacked), -1)
    finite, largest, at = {}, {}, 0
    for name, rows in inputs.items():
        part = flat[at : at + len(rows)]
        at += len(rows)
        sound = np.isfinite(part)
        finite[name] = float(sound.mean()) if part.size else 1.0
        largest[name] = float(np.abs(part[sound]).max()) if sound.any() else None
        if name == "normal ×1":
            moved = np.linalg.norm(flat[-_ROWS:] - part, axis=1)
    return PlayerExtremes(player, finite, largest, _largest_finite(moved / _NUDGE))


def input_width(player: str, weights: Tensors) -> int | None:
    """Number of inputs of a player: columns of its first weight, if that is a matrix, else None."""
    matrices = [
        array
        for name, array in weights.items()
        if name.startswith(f"{player}/") and array.ndim >= 2
    ]
    return int(matrices[0].shape[1]) if matrices and matrices[0].ndim == 2 else None


def make_inputs(width: int, rng: np.random.Generator) -> dict[str, Inputs]:
    """Make inputs [rows, width] by name: one row of each constant, 256 of each normal."""
    inputs = {
        name: np.full((1, width), value, dtype=np.float32)
        for name, value in {**_CONSTANTS, **_BEYOND}.items()
    }
    for scale in _SCALES:
        drawn = rng.standard_normal((_ROWS, width), dtype=np.float32)
        inputs[f"normal ×{scale:g}"] = drawn * np.float32(scale)
    return inputs


def first_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names of the players behind weights `player/name`, in the order of their first weight."""
    return tuple(dict.fromkeys(name.partition("/")[0] for name in names))


def _nudges(width: int, rng: np.random.Generator) -> Inputs:
    directions = rng.standard_normal((_ROWS, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return (_NUDGE * directions).astype(np.float32)


def _largest_finite(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else None
