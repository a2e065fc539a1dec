"""Numbers that a model returns beside its predictions, such as a loss and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class ModelOutputs:
    """Means of the single numbers that a model returned, over its passes in training mode.

    >>> import torch
    >>> class Net(nn.Module):
    ...     def forward(self, x):
    ...         return {"loss": x.mean(), "prediction": x}
    >>> net = Net()
    >>> outputs = ModelOutputs(net)
    >>> for x in (1.0, 3.0):
    ...     _ = net(torch.full((4,), x))
    >>> outputs.take()
    {'loss': tensor(2.)}
    """

    def __init__(self, model: nn.Module) -> None:
        self._sums: dict[str, Tensor] = {}
        self._passes: dict[str, int] = {}
        self._hook = model.register_forward_hook(self._add)

    def take(self) -> dict[str, Tensor]:
        """Means since the last call, 0-d tensors on their device."""
        means = {name: total / self._passes[name] for name, total in self._sums.items()}
        self._sums, self._passes = {}, {}
        return means

    def close(self) -> None:
        """Stop listening."""
        self._hook.remove()

    def _add(self, model: nn.Module, inputs: Any, outputs: Any) -> None:
        if not model.training or not isinstance(outputs, Mapping):
            return
        for name, value in outputs.items():
            if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
                number = value.detach().reshape(())
                self._sums[name] = self._sums[name] + number if name in self._sums else number
                self._passes[name] = self._passes.get(name, 0) + 1
