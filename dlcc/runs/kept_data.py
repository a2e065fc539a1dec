"""Training data that a run holds beside its code, so that the code needs no disk to run again."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcc.runs.layout import TRAINING_DATA

MOST_BYTES = 128 << 20
"""Largest size of data that are kept: more is not copied into a sandbox."""


def is_loader(data: object) -> bool:
    """Tell whether data are given by a function that loads them.

    >>> is_loader(lambda: torch.ones(3)), is_loader(torch.ones(3))
    (True, False)
    """
    return isinstance(data, types.FunctionType)


def load(function: Callable[[], Any]) -> tuple[Any, dict[str, Tensor] | None]:
    """Load data by a function, or from the file that a run holds beside the function's.

    Args:
        function: Function of no arguments that returns training data.

    Returns:
        Data, and the tensors to keep, by name; None where they are kept already, are no arrays, or
        are too large.

    Raises:
        SnapshotError: The file is damaged.

    >>> data, kept = load(lambda: (torch.zeros(4, 2), torch.ones(4)))
    >>> len(data), sorted(kept)
    (2, ['tuple/0', 'tuple/1'])
    """
    file = Path(inspect.getsourcefile(function) or "").parent / TRAINING_DATA
    if file.is_file():
        from dlcc.runs.tensors import read_torch_tensors

        return _put_together(read_torch_tensors(file)), None
    data = function()
    return data, _taken_apart(data)


def _taken_apart(data: Any) -> dict[str, Tensor] | None:
    """Tensors of arrays by a name that says how they are put together."""
    if isinstance(data, np.ndarray | Tensor):
        named: dict[str, Any] = {"array/rows": data}
    elif isinstance(data, Mapping):
        named = {f"mapping/{key}": part for key, part in data.items()}
    elif isinstance(data, tuple | list):
        named = {f"tuple/{place}": part for place, part in enumerate(data)}
    else:
        return None
    if not named or not all(isinstance(part, np.ndarray | Tensor) for part in named.values()):
        return None
    tensors = {name: torch.as_tensor(part) for name, part in named.items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    return tensors if size <= MOST_BYTES else None


def _put_together(tensors: Mapping[str, Tensor]) -> Any:
    kind = next(iter(tensors)).partition("/")[0]
    parts = {name.partition("/")[2]: tensor for name, tensor in tensors.items()}
    if kind == "array":
        return parts["rows"]
    if kind == "mapping":
        return parts
    return tuple(parts[str(place)] for place in range(len(parts)))
