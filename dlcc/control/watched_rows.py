"""Rows that a controller watches: numbers, or tensors that are read when a window ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlcc.health.windows import QUANTITIES
from dlcc.typing import Floats

_PLAIN = frozenset((float, int))


def is_plain(row: Mapping[str, Any]) -> bool:
    """Whether a row holds nothing but Python numbers."""
    return _PLAIN.issuperset(map(type, row.values()))


def detached(row: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a row without autograd graphs: the training may write into its tensors."""
    return {n: v.detach().clone() if hasattr(v, "detach") else v for n, v in row.items()}


def column(rows: Sequence[Mapping[str, Any]], name: str) -> Floats:
    """Collect the values [n] of a quantity from the rows that have it."""
    values = [row[name] for row in rows if name in row]
    if values and hasattr(values[0], "detach"):
        import torch

        return np.asarray(torch.stack([v.reshape(()) for v in values]).double().cpu())
    return np.array(values, dtype=np.float64)


def rows_before(series: Mapping[str, Any], step: int) -> dict[int, dict[str, float]]:
    """Turn recorded columns into rows before a step: step -> quantity -> value."""
    rows: dict[int, dict[str, float]] = {}
    for name, recorded in series.items():
        if name in QUANTITIES or name.startswith("control/"):
            for at, value in zip(recorded.steps.tolist(), recorded.values.tolist(), strict=True):
                if at < step:
                    rows.setdefault(at, {})[name] = value
    return rows
