"""Gradients of rows for parameters that no closed form is known of: one row at a time, by vmap."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.utils._pytree import tree_map

from dlcc.landscape.layers import Sum
from dlcc.landscape.taps import PerSampleLoss


class _OneRow(nn.Module):
    """The loss of one row, as a module: so that its parameters can be put in from outside."""

    def __init__(self, model: nn.Module, per_sample_loss: PerSampleLoss) -> None:
        super().__init__()
        self.model = model
        self.per_sample_loss = per_sample_loss

    def forward(self, row: Any) -> Tensor:
        alone = tree_map(lambda x: x.unsqueeze(0) if isinstance(x, Tensor) else x, row)
        return self.per_sample_loss(self.model, alone).squeeze(0)


def by_vmap(
    model: nn.Module,
    per_sample_loss: PerSampleLoss,
    batch: Any,
    name: str,
    frozen: Mapping[nn.Module, tuple[Tensor, Tensor]],
) -> Sum:
    """How rows add to the gradient of the parameter `name`."""
    alone = _OneRow(model, per_sample_loss)
    parameter = model.get_parameter(name).detach()

    def loss(value: Tensor, row: Any) -> Tensor:
        found: Tensor = functional_call(alone, {f"model.{name}": value}, (row,))
        return found

    def rows(part: slice) -> Tensor:
        some = tree_map(lambda x: x[part] if isinstance(x, Tensor) else x, batch)
        dims = tree_map(lambda x: 0 if isinstance(x, Tensor) else None, some)
        with torch.no_grad(), _held(model, frozen), without_advice():
            found: Tensor = vmap(grad(loss), (None, dims), randomness="different")(parameter, some)
        return found

    return Sum(rows)


@contextmanager
def without_advice() -> Iterator[None]:
    """Without torch's word to its developers that an operation has no batching rule yet."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield


@contextmanager
def _held(model: nn.Module, frozen: Mapping[nn.Module, tuple[Tensor, Tensor]]) -> Iterator[None]:
    """No layer counts or iterates; batch normalisations stay at the statistics of the batch."""
    modes = [(m, m.training) for m in model.modules()]
    kept = [(m, m.running_mean, m.running_var) for m in frozen]
    try:
        for m, _ in modes:
            if not isinstance(m, nn.modules.dropout._DropoutNd):
                m.training = False
        for m, (mean, variance) in frozen.items():
            m.running_mean, m.running_var = mean, variance
        yield
    finally:
        for m, training in modes:
            m.training = training
        for layer, *statistics in kept:
            layer.running_mean, layer.running_var = statistics
