"""Penalties of AKDE-BO: what is added to a loss, before its strength.

Each takes the network, the batches and a function that gives the loss of each row; the gradients of
rows are those by the last linear layer, in closed form (`dlcc.landscape.last_layer`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcc.control.akde_bo.density import mean_instability
from dlcc.landscape.density import sparsity
from dlcc.landscape.last_layer import (
    covariance_trace,
    directions,
    last_layer_gradients,
    last_linear,
    layer_pass,
)
from dlcc.recipes.image_gans.usual_gan import squared_slope

RowLoss = Callable[[nn.Module, Tensor], Tensor]
"""Function from a network and a batch to the loss of each row, [n]."""
DIRECTIONS = 4


@dataclass(frozen=True)
class Part:
    """Batch of rows that are alike, with their loss.

    >>> Part(torch.zeros(2, 3), lambda model, x: model(x)[:, 0]).rows.shape
    torch.Size([2, 3])
    """

    rows: Tensor
    """Batch [n, ...]."""
    loss: RowLoss
    """Loss of each row."""


@dataclass(frozen=True)
class RowGradients:
    """Rows' losses, and their gradients by the last linear layer, with a graph.

    >>> part = Part(torch.ones(2, 3), lambda model, x: model(x)[:, 0])
    >>> row_gradients(nn.Linear(3, 1), [part]).gradients().shape
    torch.Size([2, 4])
    """

    layer: nn.Linear
    """Last linear layer."""
    losses: Tensor
    """Losses of the rows, [n]."""
    inputs: Tensor
    """Inputs of the layer, [n, inputs]."""
    deltas: Tensor
    """Gradients of the losses at its outputs, [n, outputs]."""

    def gradients(self, k: int | None = None, seed: int = 0) -> Tensor:
        """Compute the rows' gradients [n, size], or [n, k] along k fixed orthonormal directions.

        Args:
            k: Number of directions; None for the gradients as they are.
            seed: Seed of the directions.
        """
        project = None if k is None else directions(self.layer, k, seed)
        return last_layer_gradients(self.inputs, self.deltas, project)

    def trace(self) -> Tensor:
        """Compute the trace of the gradients' covariance, a scalar."""
        return covariance_trace(self.inputs, self.deltas)


def row_gradients(model: nn.Module, parts: Sequence[Part]) -> RowGradients:
    """Run the rows through a network, and take their gradients by its last linear layer.

    Args:
        model: Network; batches of different parts go through it one after the other.
        parts: Batches with their losses.

    Returns:
        Losses and gradients of all rows, with a graph.

    >>> part = Part(torch.ones(2, 3), lambda model, x: model(x)[:, 0].square())
    >>> row_gradients(nn.Linear(3, 1), [part, part]).losses.shape
    torch.Size([4])
    """
    layer = last_linear(model)
    found = []
    for part in parts:
        with layer_pass(layer) as seen:
            losses = part.loss(model, part.rows)
        assert seen.input is not None
        assert seen.output is not None
        (delta,) = torch.autograd.grad(losses.sum(), seen.output, create_graph=True)
        found.append((losses, seen.input, delta))
    losses, inputs, deltas = (torch.cat(each) for each in zip(*found, strict=True))
    return RowGradients(layer, losses, inputs, deltas)


def instability_penalty(rows: RowGradients, *, plain: bool = False, seed: int = 0) -> Tensor:
    """Compute the mean of I over the rows (AKDE-BO, section 3.3, the term after λ).

    Args:
        rows: Gradients of rows.
        plain: Whether to leave out the projection, for small nets.
        seed: Seed of the projection.

    Returns:
        A scalar with a graph.

    >>> part = Part(torch.randn(8, 3), lambda model, x: model(x)[:, 0].square())
    >>> bool(instability_penalty(row_gradients(nn.Linear(3, 1), [part])) > 0)
    True
    """
    gradients = rows.gradients(None if plain else DIRECTIONS, seed)
    return mean_instability(gradients, plain=plain).to(rows.losses)


def sparsity_penalty(rows: RowGradients, *, seed: int = 0) -> Tensor:
    """Compute the mean of o_i ℓ_i: added λ times, rows are reweighted by 1 + λ o_i.

    o_i is minus the logarithm of the density that the other rows' gradients make at row i's,
    standardised and clipped to ±3, without a graph.

    Args:
        rows: Gradients of rows.
        seed: Seed of the projection.

    Returns:
        A scalar with a graph.

    >>> part = Part(torch.randn(8, 3), lambda model, x: model(x)[:, 0].square())
    >>> sparsity_penalty(row_gradients(nn.Linear(3, 1), [part])).shape
    torch.Size([])
    """
    weights = sparsity(rows.gradients(DIRECTIONS, seed).detach()).standardised
    return (weights * rows.losses).mean()


def slope_penalty(model: nn.Module, parts: Sequence[Part], *, of_outputs: bool) -> Tensor:
    """Compute ½ Σ E‖∇ₓ f‖² over the parts (R1 and R2, Mescheder et al. 2018, eq. 9).

    Args:
        model: Network.
        parts: Batches with their losses.
        of_outputs: Whether f is the network's output, as of a discriminator, or else the rows'
            loss.

    Returns:
        A scalar with a graph.

    >>> model, part = nn.Linear(3, 1), Part(torch.randn(8, 3), lambda model, x: model(x)[:, 0])
    >>> slopes = slope_penalty(model, [part], of_outputs=True)
    >>> bool(torch.isclose(slopes, model.weight.square().sum() / 2))
    True
    """
    total = torch.zeros(())
    for part in parts:
        rows = part.rows.detach().requires_grad_()
        f = model(rows) if of_outputs else part.loss(model, rows)
        total = total + squared_slope(f, rows).mean() / 2
    return total
