"""Batches of rows in any form, and the losses of their rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

PerSampleLoss = Callable[[nn.Module, Any], Tensor]
"""Of a model and a batch of n rows, the loss of each row, [n]."""


class NotFiniteError(ValueError):
    """Losses that are not finite have no gradients to measure."""


def select_rows(batch: Any, rows: slice | list[int]) -> Any:
    """Some rows of a batch; parts of another length than its first tensor stay whole."""
    n = count_rows(batch)
    return tree_map(lambda x: x[rows] if n is not None and is_per_row(x, n) else x, batch)


def is_per_row(x: Any, n: int) -> bool:
    """Whether a part of a batch of n rows is a tensor with a row each."""
    return isinstance(x, Tensor) and x.ndim > 0 and len(x) == n


def count_rows(batch: Any) -> int | None:
    """How many rows a batch has: the length of the first tensor in it; None without one."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else None
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, list | tuple):
        return next((n for part in batch if (n := count_rows(part)) is not None), None)
    return None


def check_losses(losses: Any, batch: Any) -> Tensor:
    """The losses [n], or a ValueError that says what was given instead."""
    if not isinstance(losses, Tensor):
        raise ValueError(f"per_sample_loss gave {type(losses).__name__}, expected a tensor [n]")
    n = count_rows(batch)
    if losses.ndim != 1:
        raise ValueError(
            f"per_sample_loss gave a tensor of shape {list(losses.shape)}; expected one loss a row,"
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
