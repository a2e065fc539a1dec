"""Gradients of rows by a network's last linear layer, in closed form and with a graph.

A row's gradient there is g_i = δ_i ⊗ (a_i, 1): what goes into the layer, and the gradient of the
row's loss at its output. So it costs next to nothing beside a pass, and unlike
`per_sample_gradients` it can be descended: a penalty on these gradients is a loss like any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn


@dataclass
class LayerPass:
    """Inputs and outputs of a linear layer in the last pass.

    >>> LayerPass().output is None
    True
    """

    input: Tensor | None = None
    """Inputs a of the layer, [n, inputs]."""
    output: Tensor | None = None
    """Outputs of the layer, [n, outputs]."""


def last_linear(model: nn.Module) -> nn.Linear:
    """Find the last linear layer of a network, in the order of its modules.

    Args:
        model: Network.

    Returns:
        The layer.

    Raises:
        ValueError: The network has none.

    >>> from torch import nn
    >>> last_linear(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 1))).in_features
    8
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no linear layer; expected one nn.Linear")
    return layers[-1]


@contextmanager
def layer_pass(layer: nn.Linear) -> Iterator[LayerPass]:
    """Keep what goes into a layer and what comes out, in passes inside the block.

    Args:
        layer: Layer of the network that is run.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> with layer_pass(last_linear(model)) as seen:
    ...     _ = model(torch.zeros(5, 3))
    >>> seen.input.shape, seen.output.shape
    (torch.Size([5, 2]), torch.Size([5, 1]))
    """
    seen = LayerPass()

    def keep(_layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.input, seen.output = inputs[0], output

    handle = layer.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


def directions(layer: nn.Linear, k: int, seed: int) -> Tensor:
    """Draw k orthonormal directions in the space of a linear layer's weights and biases.

    Args:
        layer: Layer.
        k: Number of directions, cut to the number of weights.
        seed: Seed that they are drawn by.

    Returns:
        Directions [k, outputs, inputs + 1]; the last column belongs to the bias.

    >>> from torch import nn
    >>> p = directions(nn.Linear(3, 2), 4, seed=0).flatten(1)
    >>> (p @ p.T).round(decimals=4).diagonal()
    tensor([1., 1., 1., 1.])
    """
    rows, columns = layer.out_features, layer.in_features + 1
    return _drawn(rows, columns, min(k, rows * columns), seed).to(layer.weight)


@lru_cache(maxsize=4)
def _drawn(rows: int, columns: int, k: int, seed: int) -> Tensor:
    """Orthonormal directions [k, rows, columns] in double precision."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(rows * columns, k, generator=generator, dtype=torch.float64)
    basis: Tensor = torch.linalg.qr(drawn).Q
    return basis.T.reshape(k, rows, columns)


def last_layer_gradients(inputs: Tensor, deltas: Tensor, project: Tensor | None = None) -> Tensor:
    """Compute the rows' gradients by a linear layer, as they are or projected.

    Args:
        inputs: What goes into the layer, [n, inputs].
        deltas: Gradients of the rows' losses at its outputs, [n, outputs].
        project: Directions [k, outputs, inputs + 1]; None for the gradients themselves.

    Returns:
        Gradients [n, outputs · (inputs + 1)], the bias's behind each output's weights; or their
        products with the directions, [n, k].

    >>> import torch
    >>> last_layer_gradients(torch.tensor([[2.0, 3.0]]), torch.tensor([[10.0]]))
    tensor([[20., 30., 10.]])
    """
    wide = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], dim=1)
    if project is None:
        return (deltas[:, :, None] * wide[:, None, :]).flatten(1)
    if deltas.shape[1] == 1:
        along: Tensor = wide @ project[:, 0].T
        return deltas * along
    along = torch.einsum("koj,nj->nko", project, wide)
    return (along * deltas[:, None, :]).sum(dim=2)


def covariance_trace(inputs: Tensor, deltas: Tensor) -> Tensor:
    """Compute the trace of the covariance of the rows' gradients by a linear layer.

    It is mean ‖δ_i‖² (‖a_i‖² + 1) − ‖ḡ‖², over n rows, times n / (n − 1): no gradient of a row is
    made.

    Args:
        inputs: What goes into the layer, [n, inputs], n at least 2.
        deltas: Gradients of the rows' losses at its outputs, [n, outputs].

    Returns:
        The trace, a scalar.

    >>> import torch
    >>> covariance_trace(torch.tensor([[1.0], [3.0]]), torch.ones(2, 1)).item()  # of 1 and 3
    2.0
    """
    n = len(inputs)
    squares = (deltas.square().sum(1) * (inputs.square().sum(1) + 1)).mean()
    mean = deltas.T @ inputs / n
    of_mean = mean.square().sum() + deltas.mean(dim=0).square().sum()
    return (squares - of_mean) * n / (n - 1) if n > 1 else squares * math.nan
