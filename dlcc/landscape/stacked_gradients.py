"""Gradients of each row of a batch at many sets of one net's parameters, from one pass of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dlcc.landscape._engine.stacked_backward import stacked_backward
from dlcc.landscape._engine.stacked_model import StackedModel
from dlcc.landscape.batches import PerSampleLoss


def per_sample_gradient_norms_stacked(
    model: nn.Module,
    params: Mapping[str, Tensor],
    per_sample_loss: PerSampleLoss,
    batch: Any,
    *,
    own_batches: bool = False,
) -> Tensor:
    """Compute the exact 2-norm of each row's gradient at each set of parameters.

    Args:
        model: architecture, its buffers, and its own values of parameters that `params` leaves out;
            it stays as it is.
        params: tensors [sets, *shape] by name, as `torch.func.stack_module_state` gives them;
            gradients are with respect to these.
        per_sample_loss: function of the model and a batch that gives the loss of each row, [n].
        batch: n rows, the same for all sets; or a batch for each, its tensors [sets, n, ...].
        own_batches: whether `batch` holds a batch for each set.

    Returns:
        Norms [sets, n].

    Raises:
        ValueError: `params` does not fit the model, a layer in training has buffers to write to, as
            a batch normalisation, the loss is not one number a row, or it takes a gradient of the
            model itself, as a gradient penalty does.
        NotFiniteError: a loss is not finite; the message names the set.

    >>> import torch
    >>> from torch import nn
    >>> model, params = nn.Linear(1, 1, bias=False), {"weight": torch.tensor([[[1.0]], [[2.0]]])}
    >>> loss = lambda m, x: m(x)[:, 0].square() / 2
    >>> per_sample_gradient_norms_stacked(model, params, loss, torch.tensor([[1.0], [3.0]]))
    tensor([[ 1.,  9.],
            [ 2., 18.]])
    """
    stacked = StackedModel.of(model, params, per_sample_loss, batch, own_batches)
    return stacked_backward(stacked).norms().view(stacked.n, -1)


def per_sample_gradients_stacked(
    model: nn.Module,
    params: Mapping[str, Tensor],
    per_sample_loss: PerSampleLoss,
    batch: Any,
    *,
    project: Tensor,
    own_batches: bool = False,
) -> Tensor:
    """Project each row's gradient at each set of parameters.

    Args:
        model: architecture, its buffers, and its own values of parameters that `params` leaves out;
            it stays as it is.
        params: tensors [sets, *shape] by name, as `torch.func.stack_module_state` gives them;
            gradients are with respect to these.
        per_sample_loss: function of the model and a batch that gives the loss of each row, [n].
        batch: n rows, the same for all sets; or a batch for each, its tensors [sets, n, ...].
        project: matrix [parameters, k], the same for all sets, its rows in the order of
            `model.parameters()`.
        own_batches: whether `batch` holds a batch for each set.

    Returns:
        Gradients times `project`, [sets, n, k].

    Raises:
        ValueError: `params` does not fit the model, a layer in training has buffers to write to, as
            a batch normalisation, the loss is not one number a row, `project` has not as many rows
            as there are parameters, or the loss takes a gradient of the model itself, as a gradient
            penalty does.
        NotFiniteError: a loss is not finite; the message names the set.

    >>> import torch
    >>> from torch import nn
    >>> model, params = nn.Linear(2, 1, bias=False), {"weight": torch.ones(3, 1, 2)}
    >>> loss, x = lambda m, x: m(x)[:, 0], torch.tensor([[3.0, 4.0]])
    >>> found = per_sample_gradients_stacked(model, params, loss, x, project=torch.ones(2, 1))
    >>> found.shape, found[0]
    (torch.Size([3, 1, 1]), tensor([[7.]]))
    """
    stacked = StackedModel.of(model, params, per_sample_loss, batch, own_batches)
    found = stacked_backward(stacked).projected(project)
    return found.view(stacked.n, -1, found.shape[1])
