"""Slopes of a player: how far its outputs move with its inputs, where these are, and around."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.typing import Floats

Arrays = Sequence[NDArray[Any]]
Call = Callable[[Arrays, Arrays], tuple[Arrays, Arrays]]
"""Function from inputs, and weights of the outputs or none, to outputs and gradients."""

NOISES = (0.01, 0.1, 1.0)
"""Sizes of noise, in standard deviations of the recorded inputs."""
_DRAWS = 4
_ITERATIONS = 3
_STEP = 1e-2  # of a difference, in standard deviations of the inputs
_Z95 = 1.96
_LARGE = 10.0  # units of a gradient norm from which on it may explode


@dataclass(frozen=True)
class GradientNorm:
    """Norm of the gradient of a random unit sum of the outputs with respect to a row's inputs."""

    mean: float | None
    """Mean over rows and draws; None where one is not finite."""
    error: float | None
    """Half of the 95 % interval of the mean over draws."""


@dataclass(frozen=True)
class Slopes:
    """Slopes of a player."""

    pairs: float | None
    """Largest |f(x) − f(y)| / |x − y| of two recorded rows: a lower bound of the Lipschitz
    constant."""
    local: float | None
    """Largest singular value of a row's Jacobian that power iteration reached: another one."""
    norms: Mapping[str, GradientNorm]
    """Gradient norm at the recorded inputs, `0`, and with noise of each size, such as `0.01`."""
    unit: float
    """Gradient norm that moves outputs by their own spread, or a thousandth of their size, over the
    spread of the inputs: what is below it is no explosion."""

    @property
    def growth(self) -> float | None:
        """Gradient norm under the smallest noise, in units of that without; infinite where it is
        not finite there, None where there is none or it is small."""
        at, near = self.norms.get("0"), self.norms.get(f"{NOISES[0]:g}")
        if at is None or near is None or not at.mean:
            return None
        if near.mean is None:
            return np.inf
        return near.mean / at.mean if near.mean > _LARGE * self.unit else None


def measure_slopes(call: Call, inputs: Arrays, rng: np.random.Generator) -> Slopes | None:
    """Measure slopes at recorded inputs and around them; None for a player without any.

    Power iteration takes gradients forward by differences, so that code needs to be differentiable
    once: v = Jᵀu / |Jᵀu|, u = (f(x + hv) − f(x)) / |...|, row by row.

    Args:
        call: Function that calls the player.
        inputs: Recorded inputs, each [batch, ...].
        rng: Generator of directions and noise.

    >>> def doubled(inputs, weights):
    ...     return [2 * inputs[0]], [2 * w for w in weights]
    >>> slopes = measure_slopes(doubled, [np.eye(3)], np.random.default_rng(0))
    >>> round(slopes.pairs, 6), round(slopes.local, 6), round(slopes.norms["0.1"].mean, 6)
    (2.0, 2.0, 2.0)
    """
    outputs, _ = call(inputs, ())
    rows = len(outputs[0]) if outputs and outputs[0].ndim else 0
    differentiable = [i for i, a in enumerate(inputs) if a.dtype.kind == "f"]
    floats = [i for i in differentiable if inputs[i].ndim and len(inputs[i]) == rows]
    if not floats or not rows or any(x.ndim == 0 or len(x) != rows for x in outputs):
        return None
    spread = {i: float(np.std(inputs[i], dtype=np.float64)) or 1.0 for i in floats}
    directions = [_unit([rng.standard_normal(x.shape) for x in outputs]) for _ in range(_DRAWS)]

    def moved(by: Mapping[int, NDArray[Any]]) -> list[NDArray[Any]]:
        return [
            (a + by[i]).astype(a.dtype) if i in by else np.asarray(a) for i, a in enumerate(inputs)
        ]

    def pulled(at: Arrays, weights: Arrays) -> list[NDArray[Any]]:
        slopes = call(at, _as(weights, outputs))[1]
        return [s for i, s in zip(differentiable, slopes, strict=True) if i in floats]

    def norms(size: float) -> GradientNorm:
        found = []
        for u in directions:
            noise = {i: size * spread[i] * rng.standard_normal(inputs[i].shape) for i in floats}
            found.append(_row_norms(pulled(moved(noise), u)).mean())
        values = np.array(found)
        if not np.isfinite(values).all():
            return GradientNorm(None, None)
        error = _Z95 * values.std(ddof=1) / np.sqrt(len(values))
        return GradientNorm(float(values.mean()), float(error))

    def local() -> float | None:
        u, largest = directions[0], 0.0
        for _ in range(_ITERATIONS):
            slopes = pulled(inputs, u)
            size = _row_norms(slopes)
            if not np.isfinite(size).all():
                return None
            largest = max(largest, float(size.max()))
            ahead = _unit(slopes)
            by = {
                i: _STEP * spread[i] * np.sqrt(v[0].size) * v
                for i, v in zip(floats, ahead, strict=True)
            }
            reached, _ = call(moved(by), ())
            u = _unit(
                [np.subtract(b, a, dtype=np.float64) for a, b in zip(outputs, reached, strict=True)]
            )
        return largest

    by_size = {"0": norms(0.0)} | {f"{size:g}": norms(size) for size in NOISES}
    flat = np.concatenate([np.asarray(x, dtype=np.float64).ravel() for x in outputs])
    unit = max(flat.std(), 1e-3 * np.abs(flat).max()) / max(spread.values())
    pairs = _over_pairs([inputs[i] for i in floats], outputs)
    return Slopes(pairs, local(), by_size, float(unit))


def _over_pairs(inputs: Arrays, outputs: Arrays) -> float | None:
    """Find the steepest of all pairs of rows, of 32 at most."""
    x, y = (np.concatenate([_rows(a) for a in side], axis=1)[:32] for side in (inputs, outputs))
    i, j = np.triu_indices(len(x), 1)
    with np.errstate(all="ignore"):
        apart, moved = (np.linalg.norm(a[i] - a[j], axis=1) for a in (x, y))
        steep = (moved / apart)[apart > 0]
    if not steep.size or not np.isfinite(steep).all():
        return None
    return float(steep.max())


def _rows(array: NDArray[Any]) -> Floats:
    return np.asarray(array, dtype=np.float64).reshape(len(array), -1)


def _row_norms(arrays: Arrays) -> Floats:
    """Norm of each row over all arrays."""
    if not arrays:
        return np.zeros(1)
    with np.errstate(all="ignore"):
        squares = [np.square(_rows(a)).sum(axis=1) for a in arrays]
        return np.asarray(np.sqrt(np.sum(squares, axis=0)))


def _unit(arrays: Arrays) -> list[NDArray[Any]]:
    """Bring each row to length 1 over all arrays; rows of zeros stay."""
    size = _row_norms(arrays)
    size = np.where((size > 0) & np.isfinite(size), size, 1.0)
    return [a / size.reshape(-1, *[1] * (a.ndim - 1)) for a in arrays]


def _as(arrays: Arrays, like: Arrays) -> list[NDArray[Any]]:
    return [a.astype(b.dtype) for a, b in zip(arrays, like, strict=True)]
