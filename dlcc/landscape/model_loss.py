"""A loss that knows its model and its batch, and in what portions it is best evaluated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcc.landscape.batches import count_rows


@dataclass(frozen=True)
class ModelLoss:
    """A loss that can be evaluated at several points at once, and leaves its model as it was."""

    model: nn.Module
    loss: Callable[[nn.Module, Any], Tensor]
    """Of the model and a batch, a scalar; or the loss of each row, [n], if `per_sample`."""
    batch: Any
    per_sample: bool = False
    """Whether each row has a loss of its own, in which no other row has a part: their mean is
    taken, of parts of the batch one after the other where a layer's outputs are large."""

    def __call__(self) -> Tensor:
        return self.over([self.batch])

    def over(self, parts: Sequence[Any]) -> Tensor:
        """Over all parts of the batch."""
        if not self.per_sample:
            (whole,) = parts
            return self.loss(self.model, whole)
        return torch.cat([_check_rows(self.loss(self.model, part), part) for part in parts]).mean()


def _check_rows(losses: Any, batch: Any) -> Tensor:
    """The losses of a batch's rows [n], finite or not."""
    n = count_rows(batch)
    if not isinstance(losses, Tensor) or losses.ndim != 1 or n not in (None, len(losses)):
        shape = list(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
        rows = "n" if n is None else n
        raise ValueError(f"the loss is {shape}; with per_sample, expected one a row, [{rows}]")
    return losses
