"""Matrix products and convolutions in another precision, as other machines compute them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

_TF32_DROPPED = 13  # of the 23 bits of a float32's fraction
_PRODUCTS = (
    *("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot"),
    *("convolution", "convolution_backward", "mkldnn_convolution"),
)


@contextmanager
def rounded_products(precision: str) -> Iterator[None]:
    """Compute matrix products and convolutions of float32 within the block in another precision.

    Sums stay in float32, as on accelerators; only what is multiplied is rounded.

    Args:
        precision: `float64`: computed in float64 and rounded back; `tf32`: of numbers with 10 bits
            of fraction; `bfloat16`: with 7.

    >>> a = torch.full((1, 1), 1 + 2**-9)
    >>> with rounded_products("tf32"):
    ...     same = (a @ torch.ones(1, 1) == a).item()
    >>> with rounded_products("bfloat16"):
    ...     same, (a @ torch.ones(1, 1)).item()
    (True, 1.0)
    """
    with _Products(_FORMS[precision]):
        yield


class _Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Mode in which what is multiplied is put into another form first."""

    def __init__(self, form: Callable[[Tensor], Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._form = form

    def __torch_dispatch__(
        self,
        function: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = function._schema.name.removeprefix("aten::")
        if name not in _PRODUCTS or not any(map(_is_single, pytree.tree_leaves(args))):
            return function(*args, **kwargs)
        given = pytree.tree_map(self._formed, (args, kwargs))
        made = function(*given[0], **given[1])
        return pytree.tree_map(_float32, made)

    def _formed(self, value: Any) -> Any:
        return self._form(value) if _is_single(value) else value


def _is_single(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.float32


def _float32(value: Any) -> Any:
    doubles = isinstance(value, Tensor) and value.dtype == torch.float64
    return value.float() if doubles else value


def _tf32(tensor: Tensor) -> Tensor:
    """Round to the nearest number with 10 bits of fraction; ties away from zero."""
    bits = tensor.contiguous().view(torch.int32)
    half = 1 << (_TF32_DROPPED - 1)
    rounded = ((bits + half) >> _TF32_DROPPED) << _TF32_DROPPED
    return torch.where(tensor.isfinite(), rounded.view(torch.float32), tensor)


_FORMS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "float64": lambda tensor: tensor.double(),
    "tf32": _tf32,
    "bfloat16": lambda tensor: tensor.bfloat16().float(),
}
