"""Inputs of a player that no batch brings, made after those that one brought: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.sandbox.recorded_call import CallTensor

Arrays = tuple[NDArray[Any], ...]

_DRAWS = 3  # of noise in the range of the batch
_MOST_CLASSES = 16
_CONSTANTS = {"1e-40": 1e-40, "1e3": 1e3, "-1e3": -1e3, "1e6": 1e6, "-1e6": -1e6}
# A sound network may overflow beyond ±1e6: those are shown, and no finding.
_BEYOND = {"1e30": 1e30, "-1e30": -1e30, "inf": np.inf, "-inf": -np.inf}
AS_RECORDED, ONE_ROW = "as recorded", "batch of one"


@dataclass(frozen=True)
class Variant:
    """Inputs of a player in place of those that were recorded."""

    name: str
    tensors: Arrays
    """Tensors that go into the player, in the order of the call's."""
    near: bool
    """Whether every number lies in the range of those that were recorded."""
    beyond: bool = False
    """Whether a sound player may give outputs that are not finite."""


def variants(tensors: Sequence[CallTensor], rng: np.random.Generator) -> Iterator[Variant]:
    """Make the inputs: constant, one-hot, random, large, and each class by itself.

    Where several tensors hold numbers of floating point, each is exchanged by itself, and all at
    once.

    Args:
        tensors: Tensors that were recorded.
        rng: Generator of the random inputs.
    """
    recorded = tuple(t.values for t in tensors)
    floats = [i for i, values in enumerate(recorded) if _is_varied(values)]
    groups = [(i,) for i in floats] if len(floats) > 1 else []
    for group in [*groups, *([tuple(floats)] if floats else [])]:
        which = "" if len(group) == len(floats) else f" in {tensors[group[0]].name}"
        made = [_of_floats(recorded[i], rng) for i in group]
        for name in dict.fromkeys(name for one in made for name in one):
            changed = list(recorded)
            for i, one in zip(group, made, strict=True):
                changed[i] = one.get(name, recorded[i])
            near = all(_within(changed[i], recorded[i]) for i in group)
            foreign = name in _BEYOND or any(
                _other_sign(changed[i], recorded[i]) or _overflows(changed[i], tensors[i].dtype)
                for i in group
            )
            yield Variant(name + which, tuple(changed), near, foreign)
    for i, tensor in enumerate(tensors):
        if tensor.values.dtype.kind in "iu" and tensor.values.size:
            which = "" if len(tensors) - len(floats) == 1 else f" in {tensor.name}"
            for name, values in _of_classes(tensor, rng).items():
                changed = list(recorded)
                changed[i] = values
                yield Variant(name + which, tuple(changed), near=True)


def one_row(tensors: Sequence[CallTensor], batch: int) -> Variant | None:
    """Make a batch of the first row alone; None where it cannot be told what a row is."""
    if any(t.values.dtype.kind == "b" or t.values.ndim == 0 for t in tensors) or batch < 2:
        return None
    if any(t.values.shape[0] != batch or t.values.shape[1:2] == (batch,) for t in tensors):
        return None
    return Variant(ONE_ROW, tuple(t.values[:1] for t in tensors), near=True)


def _of_floats(values: NDArray[Any], rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Make tensors in place of one of floating point, by name."""
    low, high = float(values.min()), float(values.max())
    mean, spread = (float(of(values, dtype=np.float64)) for of in (np.mean, np.std))

    def filled(value: float) -> NDArray[Any]:
        with np.errstate(over="ignore"):
            return np.full(values.shape, value, values.dtype)

    def drawn(times: float = 1.0) -> NDArray[Any]:
        return (mean + times * spread * rng.standard_normal(values.shape)).astype(values.dtype)

    made = {"0": filled(0.0), "least": filled(low), "largest": filled(high), "mean": filled(mean)}
    if values.ndim > 1:
        made["one-hot"] = _one_hot(values, low, high)
    for draw in range(1, _DRAWS + 1):
        made[f"noise {draw}"] = np.clip(drawn(), low, high).astype(values.dtype)
    with np.errstate(over="ignore"):
        made |= {f"recorded ×{times:g}": values * values.dtype.type(times) for times in (10, 1e3)}
    made |= {f"normal ×{times:g}": drawn(times) for times in (10, 100)}
    return made | {name: filled(value) for name, value in {**_CONSTANTS, **_BEYOND}.items()}


def _one_hot(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Fill with the least number, and the largest at another place of each row."""
    made = np.full((len(values), values[0].size), low, values.dtype)
    rows = np.arange(len(made))
    made[rows, (rows * 7919) % max(1, made.shape[1])] = high
    return made.reshape(values.shape)


def _of_classes(tensor: CallTensor, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Make tensors of one class each, and of all, for whole numbers."""
    values = tensor.values
    low, high = int(values.min()), int(values.max())
    if tensor.classes is not None:
        low, high = 0, max(high, min(tensor.classes - 1, np.iinfo(values.dtype).max))
    every = np.unique(np.linspace(low, high, min(_MOST_CLASSES, high - low + 1)).round())
    if tensor.classes is None:
        every = np.unique(values) if len(np.unique(values)) <= _MOST_CLASSES else every[[0, -1]]
    made = {f"class {int(one)}": np.full_like(values, int(one)) for one in every}
    made["classes drawn"] = rng.choice(every, values.shape).astype(values.dtype)
    return made


def _is_varied(values: NDArray[Any]) -> bool:
    """Whether a tensor may hold other numbers: what has infinities is a mask."""
    return bool(values.dtype.kind == "f" and values.size and np.isfinite(values).all())


def _other_sign(made: NDArray[Any], recorded: NDArray[Any]) -> bool:
    """Whether numbers have a sign, or are zero, where no recorded one is.

    A standard deviation, for one, has none.
    """
    low, high = recorded.min(), recorded.max()
    below = (low > 0 and (made <= 0).any()) or (low == 0 and (made < 0).any())
    return bool(below or (high < 0 and (made >= 0).any()) or (high == 0 and (made > 0).any()))


def _overflows(made: NDArray[Any], dtype: str) -> bool:
    """Whether a number is too large for the type that the player takes."""
    return dtype == "float16" and bool((np.abs(made) > np.finfo(np.float16).max).any())


def _within(made: NDArray[Any], recorded: NDArray[Any]) -> bool:
    return bool((made >= recorded.min()).all() and (made <= recorded.max()).all())
