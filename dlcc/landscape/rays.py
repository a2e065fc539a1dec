"""Linear maps of a batch, at many points of a line or plane in the space of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

WIDE = 1 << 13
"""Numbers in a linear map's weight from which looking into its calls costs less than it saves."""


class Rays(TorchFunctionMode):
    """Linear maps of the batch itself, x (W + aD)ᵀ, as xWᵀ + a · xDᵀ.

    For convolutions it does not pay: with few channels, a sum takes as long.
    """

    def __init__(
        self,
        batch: Any,
        params: Sequence[Tensor],
        kept: Sequence[Tensor],
        directions: Sequence[Sequence[Tensor]],
    ) -> None:
        super().__init__()
        leaves = [x for x in tree_leaves(batch) if isinstance(x, Tensor)]
        self.batch = {_storage(x) for x in leaves} - {None}
        self.maps = {
            id(p): (kept[j], *(direction[j] for direction in directions))
            for j, p in enumerate(params)
            if self.batch and p.ndim == 2 and p.numel() >= WIDE
        }
        self.made: dict[Any, tuple[int | None, list[Tensor]]] = {}
        self.point: list[float] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is not F.linear or kwargs or id(args[1]) not in self.maps:
            return func(*args, **(kwargs or {}))
        x, weight, *bias = args
        if _storage(x) not in self.batch:
            return func(*args)
        key = (id(weight), x.data_ptr(), x.shape, x.stride())
        version, parts = self.made.get(key, (None, []))
        if version != x._version:  # something else was written into the batch
            parts = [F.linear(x, part) for part in self.maps[id(weight)]]
            self.made[key] = x._version, parts
        out = torch.add(parts[0], parts[1], alpha=self.point[0])
        for part, place in zip(parts[2:], self.point[1:], strict=True):
            out.add_(part, alpha=place)
        return out if not bias or bias[0] is None else out.add_(bias[0])


def _storage(x: Tensor) -> int | None:
    """Where a tensor's numbers lie, where they can be watched."""
    plain = x.layout == torch.strided and not x.is_inference()
    return x.untyped_storage().data_ptr() if plain else None
