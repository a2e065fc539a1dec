"""Products of large matrices, by the quickest library at hand.

On processors of AMD torch's own single-precision product (MKL) takes a path of half the width;
oneDNN, which torch's convolutions go through, does not. Its product is bound as an operator that
torch's compiler uses; where that is missing, or the matrices are small, torch's own does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_LARGE = 1 << 20
"""Multiplications from which the other library's call saves more than it costs."""


def by_transposed(a: Tensor, b: Tensor) -> Tensor:
    """a bᵀ of a [m, k] and b [n, k], [m, n]."""
    if not _is_large(a, b):
        return a @ b.T
    found: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return found


def batched_by_transposed(a: Tensor, b: Tensor) -> Tensor:
    """a bᵀ of a [c, m, k] and b [c, n, k], [c, m, n]."""
    if not _is_large(a[0], b[0]):
        return a @ b.transpose(1, 2)
    pairs = zip(a.unbind(), b.unbind(), strict=True)
    return torch.stack([by_transposed(x, y) for x, y in pairs])


@contextmanager
def quick_linear() -> Iterator[None]:
    """Within it linear maps without a graph go through `by_transposed`."""
    with _QuickLinear():
        yield


class _QuickLinear(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is F.linear and not kwargs and not torch.is_grad_enabled():
            x, weight, *bias = args
            if x.ndim == 2 and x.dtype == weight.dtype and _is_large(x, weight):
                out = by_transposed(x, weight)
                return out if not bias or bias[0] is None else out.add_(bias[0])
        return func(*args, **(kwargs or {}))


def _is_large(a: Tensor, b: Tensor) -> bool:
    """Whether a [m, k] and b [n, k] are large, and the other library there for them."""
    if a.dtype != torch.float32 or a.device.type != "cpu" or a.numel() * len(b) < _LARGE:
        return False
    return bool(torch.backends.mkldnn.enabled) and hasattr(torch.ops.mkldnn, "_linear_pointwise")
