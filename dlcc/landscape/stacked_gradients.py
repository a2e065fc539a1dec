"""Gradients of each row of a batch at many sets of one net's parameters, from one pass of all.

Inputs and output gradients of a layer's calls are those of sets · n rows, which closed forms do not
tell from rows of one net; what has no closed form goes through `torch.func.vmap` over sets and
rows.
"""

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
    """The exact 2-norm of each row's gradient, [sets, n].

    Args:
        model: its architecture, its buffers, and its own values of parameters that `params` leaves
            out; it stays as it is.
        params: name -> [sets, *shape]; gradients are with respect to these.
        per_sample_loss: of the model and a batch, the loss of each row, [n].
        batch: n rows, the same for all sets; or a batch for each, its tensors [sets, n, ...].
        own_batches: whether it is the latter.

    Raises:
        ValueError: `params` does not fit the model, a layer in training has buffers to write to, as
            a batch normalisation, the loss is not one finite number a row, or it takes a gradient
            of the model itself, as a gradient penalty does.
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
    """Each row's gradient times `project` [parameters, k], the same for all sets, [sets, n, k].

    The rows of `project` are in the order of `model.parameters()`.

    Raises:
        ValueError: as for `per_sample_gradient_norms_stacked`, or `project` has another number of
            rows.
    """
    stacked = StackedModel.of(model, params, per_sample_loss, batch, own_batches)
    found = stacked_backward(stacked).projected(project)
    return found.view(stacked.n, -1, found.shape[1])
