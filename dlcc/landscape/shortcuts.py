"""Calls that have a quicker way while a net is evaluated at many points of a line or a plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from dlcc.landscape.products import by_transposed

WIDE = 1 << 13
"""Numbers in a weight from which looking into calls costs less than it saves."""


class Shortcuts(TorchFunctionMode):
    """Within it, and without a graph:

    linear maps of the batch itself, x (W + aD)ᵀ, are xWᵀ + a · xDᵀ, where only a changes from point
    to point (for convolutions a sum takes as long as the map does);
    other large linear maps go through `by_transposed`;
    convolutions, if `channels_last`, get their weights and give their outputs in that layout, which
    oneDNN works in.
    """

    def __init__(
        self,
        batch: Any,
        params: Sequence[Tensor],
        kept: Sequence[Tensor],
        directions: Sequence[Sequence[Tensor]],
        *,
        channels_last: bool,
    ) -> None:
        super().__init__()
        leaves = [x for x in tree_leaves(batch) if isinstance(x, Tensor)]
        self.batch = {_storage(x) for x in leaves} - {None}
        wide = {p.ndim for p in params if p.numel() >= WIDE and p.device.type == "cpu"}
        self.convolved = {id(p) for p in params if p.ndim == 4 and p.dtype == torch.float32}
        self.channels_last = channels_last and 4 in wide and bool(self.convolved)
        self.maps = {
            id(p): (kept[j], *(direction[j] for direction in directions))
            for j, p in enumerate(params)
            if self.batch and p.ndim == 2 and p.numel() >= WIDE
        }
        self.useful = bool(self.maps) or 2 in wide or self.channels_last
        self.made: dict[Any, tuple[int, list[Tensor]]] = {}
        """What was made of tensors, with their versions then."""
        self.point: list[float] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if not kwargs and not torch.is_grad_enabled():
            if func is F.linear:
                return self._linear(*args)
            if func in (F.conv2d, F.conv_transpose2d) and self.channels_last:
                x, weight, *rest = args
                if id(weight) in self.convolved:
                    return func(x, self._laid_out(weight), *rest)
        return func(*args, **(kwargs or {}))

    def is_to_blame(self, error: RuntimeError) -> bool:
        """Whether it came of a view that assumes the usual layout of a convolution's output."""
        return self.channels_last and "view size is not compatible" in str(error)

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if id(weight) not in self.maps or _storage(x) not in self.batch:
            return _product(x, weight, bias)
        maps = self.maps[id(weight)]
        key = (id(weight), x.data_ptr(), x.shape, x.stride())
        parts = self._once(key, x, lambda: [_product(x, part) for part in maps])
        out = torch.add(parts[0], parts[1], alpha=self.point[0])
        for part, place in zip(parts[2:], self.point[1:], strict=True):
            out.add_(part, alpha=place)
        return out if bias is None else out.add_(bias)

    def _laid_out(self, weight: Tensor) -> Tensor:
        def copied() -> list[Tensor]:
            _, channels, height, width = weight.shape
            strides = (channels * height * width, 1, channels * width, channels)
            return [weight.new_empty_strided(weight.shape, strides).copy_(weight)]

        return self._once(id(weight), weight, copied)[0]

    def _once(self, key: Any, of: Tensor, make: Callable[[], list[Tensor]]) -> list[Tensor]:
        """What `make` gives, made anew only after something else was written into `of`."""
        version, made = self.made.get(key, (-1, []))
        if version != of._version:
            made = make()
            self.made[key] = of._version, made
        return made


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    plain = x.ndim == 2 and x.dtype == weight.dtype
    return by_transposed(x, weight, bias) if plain else F.linear(x, weight, bias)


def _storage(x: Tensor) -> int | None:
    """Where a tensor's numbers lie, where they can be watched."""
    plain = x.layout == torch.strided and not x.is_inference()
    return x.untyped_storage().data_ptr() if plain else None
