"""Ways of each parameter into a model's layers, directly or through a parametrisation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap
from torch.nn.utils import parametrize

from dlcc.landscape._engine.closed_forms import GradientForm, LayerCall, Summed, closed_forms_of
from dlcc.landscape._engine.fallback import without_vmap_warnings
from dlcc.landscape._engine.hooks import HookedPass, graph_entries
from dlcc.landscape._engine.structure import ModelStructure


def closed_forms(done: HookedPass) -> dict[int, list[GradientForm]]:
    """Closed forms of each parameter's calls, by its id."""
    found: dict[int, list[GradientForm]] = {}
    for call in done.calls:
        if call.output_gradients is None or len(call.inputs) != len(done.losses):
            continue
        for attribute, form in closed_forms_of(call).items():
            for p, own in _parameters_behind(call, attribute, form):
                found.setdefault(id(p), []).append(own)
    return found


def _parameters_behind(
    call: LayerCall, attribute: str, form: GradientForm
) -> Iterator[tuple[nn.Parameter, GradientForm]]:
    """Parameters that a layer's tensor is made of, with how rows add to each."""
    if parametrize.is_parametrized(call.module, attribute):
        made = call.module.get_submodule(f"parametrizations.{attribute}")
        for name, p in made.named_parameters(recurse=False):
            yield p, _vjp_through(call, attribute, name, form)
    elif isinstance(value := getattr(call.module, attribute), nn.Parameter):
        yield value, form


def entries_per_call(structure: ModelStructure, name: str) -> int:
    """Number of places at which a parameter enters into the tensor that is made of it."""
    made, _, original = name.rpartition(".")
    holder = structure.model.get_submodule(made)
    if not isinstance(holder, parametrize.ParametrizationList):
        return 1
    if name not in structure.entries_per_call:
        with torch.enable_grad(), _resting(holder):
            entries = graph_entries(holder())
        structure.entries_per_call[name] = entries[id(holder.get_parameter(original))]
    return structure.entries_per_call[name]


def _vjp_through(call: LayerCall, attribute: str, original: str, form: GradientForm) -> Summed:
    """Rows' contributions to the parameter under a tensor, from those to the tensor, by its vjp."""
    made = call.module.get_submodule(f"parametrizations.{attribute}")
    buffers = {
        name.removeprefix(f"{attribute}."): value
        for name, value in call.parametrization.items()
        if name.startswith(f"{attribute}.")
    }

    def rows(part: slice) -> Tensor:
        def tensor(value: Tensor) -> Tensor:
            found: Tensor = functional_call(made, {**buffers, original: value}, ())
            return found

        with torch.no_grad(), _resting(made), without_vmap_warnings():
            value, vjp_of_tensor, *_ = vjp(tensor, made.get_parameter(original).detach())
            gradients = form.rows(part)
            found: Tensor = vmap(vjp_of_tensor)(gradients.reshape(len(gradients), *value.shape))[0]
        return found

    return Summed(rows)


@contextmanager
def _resting(made: nn.Module) -> Iterator[None]:
    """Hold the power iterations of a parametrisation still."""
    modes = [(m, m.training) for m in made.modules()]
    try:
        made.eval()
        yield
    finally:
        for m, training in modes:
            m.training = training
