"""Gradients of rows for parameters without a closed form: one row at a time, by vmap."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.utils._pytree import tree_flatten, tree_unflatten

from dlcc.landscape._engine.closed_forms import Summed
from dlcc.landscape._engine.hooks import HookedPass
from dlcc.landscape.batches import PerSampleLoss, is_per_row
from dlcc.landscape.model_state import unchanged


class _OneRow(nn.Module):
    """Loss of one row, as a module: so that its parameters can be put in from outside."""

    def __init__(
        self, model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any, n: int
    ) -> None:
        super().__init__()
        self.model = model
        self.per_sample_loss = per_sample_loss
        leaves, self.spec = tree_flatten(batch)
        self.by_row = [is_per_row(x, n) for x in leaves]

    def forward(self, leaves: list[Any]) -> Tensor:
        alone = [
            x.unsqueeze(0) if by_row else x for x, by_row in zip(leaves, self.by_row, strict=True)
        ]
        return self.per_sample_loss(self.model, tree_unflatten(alone, self.spec)).squeeze(0)


def functional_call_tied(whole: nn.Module, values: Mapping[str, Tensor], *args: Any) -> Tensor:
    """Call a module with other values of its parameters, by all the names that each has.

    `functional_call` would leave a value in the place of the parameter where a module lies at two
    places of a model, as an activation with a parameter.
    """
    places: dict[int, list[str]] = {}
    for prefix, module in whole.named_modules():  # each once
        for name, p in module._parameters.items():
            places.setdefault(id(p), []).append(f"{prefix}.{name}".lstrip("."))
    tied = {
        place: value
        for name, value in values.items()
        for place in places[id(whole.get_parameter(name))]
    }
    found: Tensor = functional_call(whole, tied, args, tie_weights=False)
    return found


def by_vmap(
    model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any, name: str, done: HookedPass
) -> Summed:
    """Rows' contributions to the gradient of the parameter `name`, after a pass of the batch."""
    alone = _OneRow(model, per_sample_loss, batch, len(done.losses))
    parameter, leaves = model.get_parameter(name).detach(), tree_flatten(batch)[0]
    dims = [0 if by_row else None for by_row in alone.by_row]

    def loss(value: Tensor, row: list[Any]) -> Tensor:
        return functional_call_tied(alone, {f"model.{name}": value}, row)

    def one_by_one(part: slice) -> Tensor:
        trained, found = model.get_parameter(name), []
        for k in range(len(done.losses))[part]:
            row = [x[k : k + 1] if d == 0 else x for x, d in zip(leaves, dims, strict=True)]
            with torch.enable_grad(), unchanged(model), _held(model, done):
                losses = per_sample_loss(model, tree_unflatten(row, alone.spec))
                (gradients,) = torch.autograd.grad(losses.sum(), trained, allow_unused=True)
            found.append(torch.zeros_like(parameter) if gradients is None else gradients)
        return torch.stack(found)

    def rows(part: slice) -> Tensor:
        some = [x[part] if d == 0 else x for x, d in zip(leaves, dims, strict=True)]
        with torch.no_grad(), unchanged(model), _held(model, done), without_vmap_warnings():
            try:
                found: Tensor = vmap(grad(loss), (None, dims), randomness="different")(
                    parameter, some
                )
            except RuntimeError as error:  # such as a network beside the model, in training
                raise ValueError(
                    f"{name} has no closed form, and per_sample_loss cannot be taken a row at a "
                    f"time ({error}); leave other networks out of it: give what they make of the "
                    "batch instead"
                ) from error
        return found

    # vmap does not know recurrent networks
    recurrent = any(isinstance(m, nn.RNNBase) for m in model.modules())
    return Summed(one_by_one if recurrent else rows)


@contextmanager
def without_vmap_warnings() -> Iterator[None]:
    """Silence torch's word to its developers that an operation has no batching rule yet."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield


@contextmanager
def _held(model: nn.Module, done: HookedPass) -> Iterator[None]:
    """State of the model as in the pass: its buffers, and each call of a batch normalisation at its
    statistics; no layer counts or iterates."""
    modules = list(dict.fromkeys([*model.modules(), *done.frozen]))  # some may be of others
    modes = [(m, m.training) for m in modules]
    norms = [m for m in modules if isinstance(m, _NormBase)]
    kept = [(m, m.running_mean, m.running_var) for m in norms]
    derived = [(m, k, v) for m in model.modules() for k, v in vars(m).items() if _is_tensor(v)]
    calls = {m: iter(statistics) for m, statistics in done.frozen.items()}

    def step(module: nn.Module, args: tuple[Any, ...]) -> None:
        assert isinstance(module, _NormBase)
        module.running_mean, module.running_var = next(calls[module])

    hooks = [m.register_forward_pre_hook(step) for m in done.frozen]
    try:
        for m, name, after in done.buffers:
            if (buffer := m._buffers[name]) is None:  # the pass made it
                m._buffers[name] = after
            else:
                buffer.copy_(after)
        for m, training in modes:
            own = isinstance(m, _DropoutNd | _InstanceNorm) and training
            m.training = own
            if isinstance(m, _InstanceNorm) and own:  # of the row alone; nothing to keep
                m.running_mean = m.running_var = None
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for m, training in modes:
            m.training = training
        for layer, *statistics in kept:
            layer.running_mean, layer.running_var = statistics
        for m, attribute, value in derived:  # a weight that a hook of the layer makes
            setattr(m, attribute, value)


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)
