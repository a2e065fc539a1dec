"""Deviations between what was recorded and what was computed again: pure functions on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.typing import Floats

Tensors = Mapping[str, NDArray[Any]]


def deviations(recorded: NDArray[Any], replayed: NDArray[Any]) -> Floats:
    """Compute deviations |a − b| / max(|a|, 1) [...], elementwise.

    They are 0 for equal values, NaN equal to NaN, and infinite where the arrays differ in shape or
    type, or where one value is finite and the other is not.
    """
    if recorded.shape != replayed.shape or recorded.dtype != replayed.dtype:
        return np.full(recorded.shape or (1,), np.inf)
    if recorded.dtype.kind == "c":
        return np.maximum(
            *(
                deviations(getattr(recorded, part), getattr(replayed, part))
                for part in ("real", "imag")
            )
        )
    same = (recorded == replayed) | ((recorded != recorded) & (replayed != replayed))
    a, b = recorded.astype(np.float64), replayed.astype(np.float64)
    with np.errstate(all="ignore"):
        relative = np.abs(a - b) / np.maximum(np.abs(a), 1.0)
    tiny = np.nextafter(0.0, 1.0)  # integers beyond 2^53 may differ and be equal as floats
    relative = np.where(np.isfinite(relative), np.maximum(relative, tiny), np.inf)
    return np.where(same, 0.0, relative)


def worst_by_name(recorded: Tensors, replayed: Tensors) -> dict[str, float]:
    """Find the largest deviation of each tensor; infinite for one that only one side has."""
    return {
        name: _largest(deviations(recorded[name], replayed[name]))
        if name in recorded and name in replayed
        else np.inf
        for name in sorted({*recorded, *replayed})
    }


def _largest(values: Floats) -> float:
    return float(values.max()) if values.size else 0.0
