"""Gradients of each row of a batch: exact norms, projections, and what they say of the noise.

No matrix [n, parameters] is ever held. A pass forward and back gives what goes into every layer and
the slopes at its output; from these a row's gradient follows in closed form (`layers`), of a few
rows at a time where it has to be made at all. What has no closed form goes through
`torch.func.vmap`, for those parameters alone.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap
from torch.nn.utils import parametrize

from dlcc.landscape.anatomy import Anatomy
from dlcc.landscape.batches import PerSampleLoss
from dlcc.landscape.fallback import by_vmap, without_advice
from dlcc.landscape.layers import Form, Sum, Use, forms_of
from dlcc.landscape.rows import RowGradients
from dlcc.landscape.taps import Pass, entries_of, tapped

NUMBERS_AT_ONCE = 1 << 18
"""Numbers of all gradients up to which they are made as one matrix: a megabyte in single
precision."""


@dataclass(frozen=True)
class GradientNoise:
    """How the gradients of rows scatter around their mean."""

    norms: Tensor
    """Of each row's gradient, [n]."""
    mean_norm: float
    """‖ḡ‖ of the mean gradient of the batch."""
    trace: float
    """Of the covariance of the rows' gradients, unbiased."""
    scale: float
    """Gradient-noise scale tr Σ / ‖G‖² in rows (McCandlish et al. 2018, eq. 2.9), with the unbiased
    ‖ḡ‖² − tr Σ / n for ‖G‖² (appendix A.1); infinite where that is not positive."""
    frozen: tuple[str, ...]
    """Batch normalisations in training, measured with the batch's statistics held fixed."""


@dataclass(frozen=True)
class RowPass:
    """One pass of a batch, and what it tells of each row's gradient."""

    n: int
    gradients: Mapping[str, RowGradients]
    """Of each trained parameter, in the order of `model.parameters()`."""
    frozen: tuple[str, ...]
    """Batch normalisations in training, measured with the batch's statistics held fixed."""

    @classmethod
    def of(cls, model: nn.Module | Anatomy, per_sample_loss: PerSampleLoss, batch: Any) -> RowPass:
        """Take the pass.

        Args:
            model: or its anatomy, kept from an earlier pass. Nothing of it changes. A batch
                normalisation in training couples the rows: its statistics are those of the batch,
                held fixed, and `frozen` names it.
            per_sample_loss: of the model and the batch, the loss of each row, [n].
            batch: n rows, in any form that `per_sample_loss` takes.

        Raises:
            ValueError: the loss is not one number a row (as NotFiniteError: not a finite one),
                nothing is trained, the model lies on two devices, or the loss takes a gradient of
                the model itself, as a gradient penalty does.
        """
        anatomy = model if isinstance(model, Anatomy) else Anatomy(model)
        model = anatomy.model
        done = tapped(anatomy, per_sample_loss, batch)
        n, closed = len(done.losses), _closed_forms(done)
        gradients = {}
        for name, p in anatomy.trained.items():
            forms = closed.get(id(p), [])
            if len(forms) * _entries_of_use(anatomy, name) != done.entries[id(p)]:  # elsewhere too
                forms = [by_vmap(model, per_sample_loss, batch, name, done)]
            like = done.losses.new_empty(0, dtype=p.dtype)
            gradients[name] = RowGradients(n, p.numel(), like, forms)
        frozen: tuple[str, ...] = ()
        if done.frozen:
            frozen = tuple(name for name, m in model.named_modules() if m in done.frozen)
        return cls(n, gradients, frozen)

    @cached_property
    def _whole(self) -> Tensor | None:
        """The gradients as a matrix [n, parameters], where it is so small that to call for its
        parts would take longer than to make it."""
        if self.n * sum(gradients.size for gradients in self.gradients.values()) > NUMBERS_AT_ONCE:
            return None
        return torch.cat([gradients.rows() for gradients in self.gradients.values()], dim=1)

    def layer_norms(self) -> dict[str, Tensor]:
        """Of each module with trained parameters of its own, the 2-norms [n]."""
        squared: dict[str, Tensor] = {}
        for name, gradients in self.gradients.items():
            layer, norms = _layer_of(name), gradients.squared_norms()
            squared[layer] = squared[layer] + norms if layer in squared else norms
        return {layer: total.sqrt() for layer, total in squared.items()}

    def norms(self) -> Tensor:
        """Over all trained parameters, [n]."""
        if self._whole is not None:
            norms: Tensor = torch.linalg.vector_norm(self._whole, dim=1)
            return norms
        return torch.stack(list(self.layer_norms().values())).square().sum(dim=0).sqrt()

    def projected(self, directions: Tensor) -> Tensor:
        """The gradients times `directions` [parameters, k], [n, k].

        Raises:
            ValueError: there are not as many rows as trained parameters.
        """
        sizes = [gradients.size for gradients in self.gradients.values()]
        if directions.ndim != 2 or len(directions) != sum(sizes):
            raise ValueError(
                f"project has the shape {list(directions.shape)}; the model trains {sum(sizes)} "
                f"numbers: expected [{sum(sizes)}, k]"
            )
        if self._whole is not None:
            return self._whole @ directions.to(self._whole)
        found = directions.new_zeros(self.n, directions.shape[1])
        ends = itertools.accumulate(sizes)
        for gradients, end in zip(self.gradients.values(), ends, strict=True):
            own = directions[end - gradients.size : end].to(gradients.like)
            found += gradients.projected(own.T.contiguous())
        return found

    def noise(self) -> GradientNoise:
        """Norms, the trace of the gradients' covariance and the noise scale.

        Raises:
            ValueError: there is one row.
        """
        n = self.n
        if n < 2:
            raise ValueError("a batch of 1 row has no covariance; give at least 2 rows")
        if self._whole is not None:
            squared = torch.linalg.vector_norm(self._whole, dim=1, dtype=torch.float64).square()
            of_mean = float(self._whole.mean(dim=0).double().square().sum())
        else:
            found = [gradients.squared_norms_and_mean() for gradients in self.gradients.values()]
            squared = torch.stack([norms.double() for norms, _ in found]).sum(dim=0)
            of_mean = float(sum(mean.double().square().sum() for _, mean in found))
        trace = (float(squared.mean()) - of_mean) * n / (n - 1)
        trace = 0.0 if trace < 0 else trace  # by rounding; NaN stays
        signal = of_mean - trace / n
        return GradientNoise(
            norms=squared.sqrt(),
            mean_norm=of_mean**0.5,
            trace=trace,
            scale=float("inf") if signal <= 0 else trace / signal,
            frozen=self.frozen,
        )


def per_sample_gradient_norms(
    model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any
) -> Tensor:
    """Exact 2-norms of each row's gradient over all trained parameters, [n].

    Args:
        model: nothing of it changes. A batch normalisation in training couples the rows: its
            statistics are those of the batch, held fixed, and a warning says so.
        per_sample_loss: of the model and the batch, the loss of each row, [n].
        batch: n rows, in any form that `per_sample_loss` takes.

    Raises:
        ValueError: the loss is not one finite number a row, nothing is trained, or the model lies
            on two devices.
    """
    return _warned(RowPass.of(model, per_sample_loss, batch)).norms()


def per_layer_gradient_norms(
    model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any
) -> dict[str, Tensor]:
    """The same for each module that has trained parameters of its own: name -> norms [n].

    Raises:
        ValueError: as for `per_sample_gradient_norms`.
    """
    return _warned(RowPass.of(model, per_sample_loss, batch)).layer_norms()


def per_sample_gradients(
    model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any, *, project: Tensor
) -> Tensor:
    """Each row's gradient times `project`, [n, k].

    Args:
        model: as for `per_sample_gradient_norms`.
        per_sample_loss: likewise.
        batch: likewise.
        project: [parameters, k], its rows in the order of the trained ones of
            `model.parameters()`.

    Raises:
        ValueError: as for `per_sample_gradient_norms`, or `project` has another number of rows.
    """
    return _warned(RowPass.of(model, per_sample_loss, batch)).projected(project)


def gradient_noise(model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any) -> GradientNoise:
    """Norms, the trace of the gradients' covariance and the noise scale, from one pass.

    Raises:
        ValueError: as for `per_sample_gradient_norms`, or the batch has one row.
    """
    return RowPass.of(model, per_sample_loss, batch).noise()


def _warned(done: RowPass) -> RowPass:
    """Say what was not measured as it is trained."""
    if done.frozen:
        warnings.warn(
            f"batch normalisation in training ({', '.join(done.frozen)}) couples the rows of a "
            "batch: measured with the batch's statistics held fixed",
            stacklevel=3,
        )
    return done


# --- which way each parameter goes ----------------------------------------------------------------


def _closed_forms(done: Pass) -> dict[int, list[Form]]:
    """id of a parameter -> the closed forms of its uses."""
    found: dict[int, list[Form]] = {}
    for use in done.uses:
        if use.slopes is None or len(use.inputs) != len(done.losses):  # not in the losses
            continue
        for attribute, form in forms_of(use).items():
            for p, own in _parameters_behind(use, attribute, form):
                found.setdefault(id(p), []).append(own)
    return found


def _parameters_behind(use: Use, attribute: str, form: Form) -> Iterator[tuple[nn.Parameter, Form]]:
    """The parameters that a layer's tensor is made of, with how rows add to each."""
    if parametrize.is_parametrized(use.module, attribute):
        made = use.module.get_submodule(f"parametrizations.{attribute}")
        for name, p in made.named_parameters(recurse=False):
            yield p, _pulled_back(use, attribute, name, form)
    elif isinstance(value := getattr(use.module, attribute), nn.Parameter):
        yield value, form


def _entries_of_use(anatomy: Anatomy, name: str) -> int:
    """At how many places a parameter enters into one use of the tensor that is made of it."""
    made, _, original = name.rpartition(".")
    holder = anatomy.model.get_submodule(made)
    if not isinstance(holder, parametrize.ParametrizationList):
        return 1
    if name not in anatomy.entries_of_use:
        with torch.enable_grad(), _resting(holder):
            entries = entries_of(holder())
        anatomy.entries_of_use[name] = entries[id(holder.get_parameter(original))]
    return anatomy.entries_of_use[name]


def _pulled_back(use: Use, attribute: str, original: str, form: Form) -> Sum:
    """How rows add to what a parametrisation makes a tensor of, from how they add to the tensor."""
    made = use.module.get_submodule(f"parametrizations.{attribute}")
    buffers = {
        name.removeprefix(f"{attribute}."): value
        for name, value in use.parametrization.items()
        if name.startswith(f"{attribute}.")
    }

    def rows(part: slice) -> Tensor:
        def tensor(value: Tensor) -> Tensor:
            found: Tensor = functional_call(made, {**buffers, original: value}, ())
            return found

        with torch.no_grad(), _resting(made), without_advice():
            value, pull, *_ = vjp(tensor, made.get_parameter(original).detach())
            slopes = form.rows(part)
            found: Tensor = vmap(pull)(slopes.reshape(len(slopes), *value.shape))[0]
        return found

    return Sum(rows)


@contextmanager
def _resting(made: nn.Module) -> Iterator[None]:
    """No power iteration goes on in a parametrisation."""
    modes = [(m, m.training) for m in made.modules()]
    try:
        made.eval()
        yield
    finally:
        for m, training in modes:
            m.training = training


def _layer_of(parameter: str) -> str:
    """The name of the module that a parameter belongs to, parametrised or not."""
    layer, parametrised, _ = parameter.partition(".parametrizations.")
    return layer if parametrised else parameter.rpartition(".")[0]
