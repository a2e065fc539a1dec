"""Losses that know their model and their batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcc.landscape.batches import count_rows, described


@dataclass(frozen=True)
class ModelLoss:
    """Loss that can be evaluated at several points at once, and leaves its model as it was.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Linear(1, 1)
    >>> loss = ModelLoss(model, lambda m, x: (m(x) - m(x)).mean() + 1, torch.zeros(3, 1))
    >>> loss().item()
    1.0
    """

    model: nn.Module
    """Network whose parameters the loss depends on."""
    loss: Callable[[nn.Module, Any], Tensor]
    """Function of the model and a batch: a scalar, or the loss of each row [n] if `per_sample`."""
    batch: Any
    """Rows in any form that `loss` takes."""
    per_sample: bool = False
    """Whether each row has a loss of its own, in which no other row has a part: their mean is
    taken, of parts of the batch one after the other where a layer's outputs are large."""

    def __call__(self) -> Tensor:
        """Evaluate the loss at the model's parameters.

        Returns:
            A scalar.

        Raises:
            ValueError: the loss is not one number a row, though it is `per_sample`.

        >>> import torch
        >>> from torch import nn
        >>> ModelLoss(nn.Identity(), lambda m, x: m(x).sum(), torch.ones(3))().item()
        3.0
        """
        return self.over([self.batch])

    def over(self, parts: Sequence[Any]) -> Tensor:
        """Evaluate the loss over all parts of the batch.

        Args:
            parts: batches, one where the loss is not `per_sample`.

        Returns:
            A scalar.

        Raises:
            ValueError: the loss is not one number a row, though it is `per_sample`.

        >>> import torch
        >>> from torch import nn
        >>> loss = ModelLoss(nn.Identity(), lambda m, x: m(x), torch.arange(4.0), per_sample=True)
        >>> loss.over([torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0])]).item()
        1.5
        """
        if not self.per_sample:
            (whole,) = parts
            return self.loss(self.model, whole)
        return torch.cat([_check_rows(self.loss(self.model, part), part) for part in parts]).mean()


def _check_rows(losses: Any, batch: Any) -> Tensor:
    """Losses of a batch's rows [n], finite or not."""
    n = count_rows(batch)
    if not isinstance(losses, Tensor) or losses.ndim != 1 or n not in (None, len(losses)):
        rows = "n" if n is None else n
        raise ValueError(
            f"the loss is {described(losses)}; with per_sample, expected one a row, [{rows}]"
        )
    return losses
