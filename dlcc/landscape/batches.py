"""Batches of rows in any form, and the losses of their rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

PerSampleLoss = Callable[[nn.Module, Any], Tensor]
"""Loss of each row [n], of a model and a batch of n rows."""


class NotFiniteError(ValueError):
    """Losses, or products with their Hessian, that are not finite: there is nothing to measure.

    >>> from dlcc.landscape.batches import NotFiniteError
    >>> issubclass(NotFiniteError, ValueError)
    True
    """


def select_rows(batch: Any, rows: slice | list[int]) -> Any:
    """Choose rows of a batch; parts of another length than its first tensor stay whole.

    Args:
        batch: tensors [n, ...] in any nesting of lists, tuples and dictionaries.
        rows: which of the n.

    Returns:
        A batch of the same form.

    >>> import torch
    >>> select_rows({"x": torch.arange(4), "scale": 2.0}, slice(2))
    {'x': tensor([0, 1]), 'scale': 2.0}
    """
    n = count_rows(batch)
    return tree_map(lambda x: x[rows] if n is not None and is_per_row(x, n) else x, batch)


def is_per_row(x: Any, n: int) -> bool:
    """Whether a part of a batch of n rows is a tensor with a row each.

    Args:
        x: the part.
        n: rows of the batch.

    Returns:
        True for a tensor [n, ...].

    >>> import torch
    >>> is_per_row(torch.zeros(4, 2), 4), is_per_row(torch.tensor(1.0), 4)
    (True, False)
    """
    return isinstance(x, Tensor) and x.ndim > 0 and len(x) == n


def count_rows(batch: Any) -> int | None:
    """Count the rows of a batch.

    Args:
        batch: tensors [n, ...] in any nesting of lists, tuples and dictionaries.

    Returns:
        The length of the first tensor in it; None without one.

    >>> import torch
    >>> count_rows([torch.zeros(4, 2), torch.zeros(4)])
    4
    """
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else None
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, list | tuple):
        return next((n for part in batch if (n := count_rows(part)) is not None), None)
    return None


def check_losses(losses: Any, batch: Any) -> Tensor:
    """Check what a per-sample loss gave.

    Args:
        losses: expected to be a tensor [n].
        batch: n rows, of which they are the losses.

    Returns:
        The losses [n].

    Raises:
        ValueError: they are no tensor [n], or there is no row.
        NotFiniteError: one is not finite.

    >>> import torch
    >>> check_losses(torch.tensor([0.5, 1.0]), torch.zeros(2, 3))
    tensor([0.5000, 1.0000])
    """
    if not isinstance(losses, Tensor):
        raise ValueError(f"per_sample_loss gave {described(losses)}; expected a tensor [n]")
    n = count_rows(batch)
    if losses.ndim != 1:
        raise ValueError(
            f"per_sample_loss gave {described(losses)}; expected one loss a row,"
            f" [{n if n is not None else 'n'}]: use reduction='none' and average over all but the "
            "first dimension"
        )
    if n is not None and n != len(losses):
        raise ValueError(f"per_sample_loss gave {len(losses)} losses for a batch of {n} rows")
    if len(losses) == 0:
        raise ValueError("the batch is empty; give at least one row")
    if not torch.isfinite(losses).all():
        bad = int((~torch.isfinite(losses)).sum())
        raise NotFiniteError(
            f"{bad} of {len(losses)} losses are not finite; measure before the training diverges, "
            "or leave these rows out"
        )
    return losses


def described(value: object) -> str:
    """Say what a value is, for an error message.

    Args:
        value: anything that a closure of a user gave.

    Returns:
        Shape and type of a tensor, the lengths of a sequence of tensors, the type of anything else.

    >>> import torch
    >>> described(torch.zeros(2, 1))
    'a tensor [2, 1] of torch.float32'
    >>> described(1.5)
    'float 1.5'
    """
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)} of {value.dtype}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, bool | int | float | None):
        return f"{type(value).__name__} {value}" if value is not None else "None"
    return type(value).__name__
