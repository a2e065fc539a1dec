"""Products of large matrices, by the quickest library at hand.

On processors of AMD torch's own single-precision product (MKL) takes a path of half the width;
oneDNN, which torch's convolutions go through, does not. Its product is bound as an operator that
torch's compiler uses; where that is missing, or the matrices are small, torch's own does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_LARGE = 1 << 20
"""Multiplications from which the other library's call saves more than it costs."""


def by_transposed(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a bᵀ of a [m, k] and b [n, k], [m, n]; plus bias [n]."""
    if not is_large(a, b):
        return F.linear(a, b, bias)
    found: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return found


def batched_by_transposed(a: Tensor, b: Tensor) -> Tensor:
    """a bᵀ of a [c, m, k] and b [c, n, k], [c, m, n]."""
    if not is_large(a[0], b[0]):
        return a @ b.transpose(1, 2)
    pairs = zip(a.unbind(), b.unbind(), strict=True)
    return torch.stack([by_transposed(x, y) for x, y in pairs])


class QuickLinear(TorchFunctionMode):
    """Within it, large linear maps go through `by_transposed`, and so do their derivatives."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is F.linear and not kwargs and args[0].ndim == 2:
            x, weight, *bias = args
            if x.dtype == weight.dtype and is_large(x, weight):
                out = _Product.apply(x, weight, False, True)  # type: ignore[no-untyped-call]
                return out if not bias or bias[0] is None else out + bias[0]
        return func(*args, **(kwargs or {}))


class _Product(torch.autograd.Function):
    """op(a) op(b), with op(a) = aᵀ or a, to be derived any number of times.

    What comes out is never the transpose of what lies in memory: sums of both would be slow.
    torch gives `apply` no types.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, b: Tensor, turn_a: bool, turn_b: bool) -> Tensor:
        return by_transposed(a.T if turn_a else a, b if turn_b else b.T)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool, bool], output: Tensor) -> None:
        a, b, ctx.turn_a, ctx.turn_b = inputs
        ctx.save_for_backward(a, b)

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (a, b), turn_a, turn_b = ctx.saved_tensors, ctx.turn_a, ctx.turn_b
        of_a, of_b = ctx.needs_input_grad[:2]
        back_a = (b, slopes, turn_b, True) if turn_a else (slopes, b, False, not turn_b)
        back_b = (slopes, a, True, turn_a) if turn_b else (a, slopes, not turn_a, False)
        return (
            _Product.apply(*back_a) if of_a else None,  # type: ignore[no-untyped-call]
            _Product.apply(*back_b) if of_b else None,  # type: ignore[no-untyped-call]
            None,
            None,
        )


def is_large(a: Tensor, b: Tensor) -> bool:
    """Whether a [m, k] and b [n, k] are large, and the other library there for them."""
    if a.dtype != torch.float32 or a.device.type != "cpu" or a.numel() * len(b) < _LARGE:
        return False
    if torch.is_autocast_enabled("cpu"):
        return False
    return bool(torch.backends.mkldnn.enabled) and hasattr(torch.ops.mkldnn, "_linear_pointwise")
