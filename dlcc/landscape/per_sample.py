"""Gradients of each row of a batch: exact norms, projections, and what they say of the noise.

No matrix [n, parameters] of a large net is ever held. A pass forward and back gives what goes into
every layer and the gradients at its output; from these a row's gradient follows in closed form, of
a few rows at a time where it has to be made at all. Parameters without a closed form go through
`torch.func.vmap` (docs/landscape-engine.md).
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from dlcc.landscape._engine.fallback import by_vmap
from dlcc.landscape._engine.hooks import run_with_hooks
from dlcc.landscape._engine.parameter_gradients import ParameterGradients
from dlcc.landscape._engine.parametrisations import closed_forms, entries_per_call
from dlcc.landscape._engine.structure import ModelStructure
from dlcc.landscape.batches import PerSampleLoss

NUMBERS_AT_ONCE = 1 << 18
"""Numbers of a matrix that is made whole: a megabyte in single precision."""


@dataclass(frozen=True)
class GradientNoise:
    """Scatter of the rows' gradients around their mean.

    >>> import torch
    >>> noise = GradientNoise(torch.ones(4), mean_norm=0.5, trace=1.0, scale=8.0, frozen=())
    >>> noise.scale
    8.0
    """

    norms: Tensor
    """Norm of each row's gradient, [n]."""
    mean_norm: float
    """Norm ‖ḡ‖ of the mean gradient of the batch."""
    trace: float
    """Trace of the covariance of the rows' gradients, unbiased."""
    scale: float
    """Gradient-noise scale tr Σ / ‖G‖² in rows (McCandlish et al. 2018, eq. 2.9), with the unbiased
    ‖ḡ‖² − tr Σ / n for ‖G‖² (appendix A.1); infinite where that is not positive."""
    frozen: tuple[str, ...]
    """Batch normalisations in training, measured with the batch's statistics held fixed."""


@dataclass(frozen=True)
class PerSampleBackward:
    """Pass of a batch forward and back, and what it tells of each row's gradient.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Linear(1, 1, bias=False)
    >>> done = PerSampleBackward.of(model, lambda m, x: m(x)[:, 0], torch.tensor([[1.0], [-3.0]]))
    >>> done.norms()
    tensor([1., 3.])
    """

    n: int
    """Rows of the batch."""
    gradients: Mapping[str, ParameterGradients]
    """Rows' gradients by each trained parameter, in the order of `model.parameters()`."""
    frozen: tuple[str, ...]
    """Batch normalisations in training, measured with the batch's statistics held fixed."""

    @classmethod
    def of(
        cls, model: nn.Module | ModelStructure, per_sample_loss: PerSampleLoss, batch: Any
    ) -> PerSampleBackward:
        """Run the loss forward and back once, and keep what the gradients of rows are made of.

        Args:
            model: network, or its structure, kept from an earlier pass. Nothing of it changes. A
                batch normalisation in training couples the rows: its statistics are those of the
                batch, held fixed, and `frozen` names it.
            per_sample_loss: function of the model and the batch that gives the loss of each row,
                [n].
            batch: n rows, in any form that `per_sample_loss` takes.

        Returns:
            The pass, done.

        Raises:
            ValueError: the loss is not one number a row, nothing is trained, the model lies on two
                devices, or the loss takes a gradient of the model itself, as a gradient penalty
                does.
            NotFiniteError: a loss is not finite.

        >>> import torch
        >>> from torch import nn
        >>> PerSampleBackward.of(nn.Linear(2, 1), lambda m, x: m(x)[:, 0], torch.zeros(3, 2)).n
        3
        """
        structure = model if isinstance(model, ModelStructure) else ModelStructure(model)
        model = structure.model
        done = run_with_hooks(structure, per_sample_loss, batch)
        n, closed = len(done.losses), closed_forms(done)
        gradients = {}
        for name, p in structure.trained.items():
            forms = closed.get(id(p), [])
            if (
                len(forms) * entries_per_call(structure, name) != done.entries[id(p)]
            ):  # elsewhere too
                forms = [by_vmap(model, per_sample_loss, batch, name, done)]
            like = done.losses.new_empty(0, dtype=p.dtype)
            gradients[name] = ParameterGradients(n, p.numel(), like, forms)
        frozen: tuple[str, ...] = ()
        if done.frozen:
            frozen = tuple(name for name, m in model.named_modules() if m in done.frozen)
        return cls(n, gradients, frozen)

    @cached_property
    def _whole(self) -> Tensor | None:
        """Gradients as a matrix [n, parameters], where it is so small that to call for its parts
        would take longer than to make it."""
        if self.n * sum(gradients.size for gradients in self.gradients.values()) > NUMBERS_AT_ONCE:
            return None
        return torch.cat([gradients.rows() for gradients in self.gradients.values()], dim=1)

    def layer_norms(self) -> dict[str, Tensor]:
        """Compute the 2-norm of each row's gradient, layer by layer.

        Returns:
            Norms [n] of each module with trained parameters of its own, by its name.

        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(2, 1), nn.Tanh(), nn.Linear(1, 1))
        >>> done = PerSampleBackward.of(model, lambda m, x: m(x)[:, 0], torch.zeros(3, 2))
        >>> list(done.layer_norms())
        ['0', '2']
        """
        squared: dict[str, Tensor] = {}
        for name, gradients in self.gradients.items():
            layer, norms = _layer_of(name), gradients.squared_norms()
            squared[layer] = squared[layer] + norms if layer in squared else norms
        return {layer: total.sqrt() for layer, total in squared.items()}

    def norms(self) -> Tensor:
        """Compute the 2-norm of each row's gradient over all trained parameters.

        Returns:
            Norms [n].

        >>> import torch
        >>> from torch import nn
        >>> model, x = nn.Linear(2, 1, bias=False), torch.tensor([[3.0, 4.0]])
        >>> PerSampleBackward.of(model, lambda m, x: m(x)[:, 0], x).norms()
        tensor([5.])
        """
        if self._whole is not None:
            norms: Tensor = torch.linalg.vector_norm(self._whole, dim=1)
            return norms
        return torch.stack(list(self.layer_norms().values())).square().sum(dim=0).sqrt()

    def projected(self, directions: Tensor) -> Tensor:
        """Project each row's gradient on given directions.

        Args:
            directions: matrix [parameters, k], its rows in the order of the trained ones of
                `model.parameters()`.

        Returns:
            Gradients times `directions`, [n, k].

        Raises:
            ValueError: there are not as many rows as trained parameters.

        >>> import torch
        >>> from torch import nn
        >>> model, x = nn.Linear(2, 1, bias=False), torch.tensor([[3.0, 4.0]])
        >>> done = PerSampleBackward.of(model, lambda m, x: m(x)[:, 0], x)
        >>> done.projected(torch.eye(2))
        tensor([[3., 4.]])
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
        """Measure how the gradients scatter.

        Source: McCandlish et al. 2018, appendix A.1, the simple noise scale tr(Σ) / ‖G‖².

        Returns:
            Norms [n], the trace of the gradients' covariance and the noise scale in rows of a
            batch.

        Raises:
            ValueError: there is one row.

        >>> import torch
        >>> from torch import nn
        >>> model, x = nn.Linear(1, 1, bias=False), torch.tensor([[1.0], [3.0]])
        >>> noise = PerSampleBackward.of(model, lambda m, x: m(x)[:, 0], x).noise()
        >>> noise.mean_norm, noise.trace
        (2.0, 2.0)
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
    """Compute the exact 2-norm of each row's gradient over all trained parameters.

    Args:
        model: network; nothing of it changes. A batch normalisation in training couples the rows:
            its statistics are those of the batch, held fixed, and a warning says so.
        per_sample_loss: function of the model and the batch that gives the loss of each row, [n].
        batch: n rows, in any form that `per_sample_loss` takes.

    Returns:
        Norms [n].

    Raises:
        ValueError: the loss is not one number a row, nothing is trained, the model lies on two
            devices, or the loss takes a gradient of the model itself, as a gradient penalty does.
        NotFiniteError: a loss is not finite.

    >>> import torch
    >>> from torch import nn
    >>> x = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    >>> per_sample_gradient_norms(nn.Linear(2, 1, bias=False), lambda m, x: m(x)[:, 0], x)
    tensor([5., 2.])
    """
    return _warned(PerSampleBackward.of(model, per_sample_loss, batch)).norms()


def per_layer_gradient_norms(
    model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any
) -> dict[str, Tensor]:
    """Compute the exact 2-norm of each row's gradient, layer by layer.

    Args:
        model: network; nothing of it changes. A batch normalisation in training couples the rows:
            its statistics are those of the batch, held fixed, and a warning says so.
        per_sample_loss: function of the model and the batch that gives the loss of each row, [n].
        batch: n rows, in any form that `per_sample_loss` takes.

    Returns:
        Norms [n] of each module that has trained parameters of its own, by its name.

    Raises:
        ValueError: the loss is not one number a row, nothing is trained, the model lies on two
            devices, or the loss takes a gradient of the model itself, as a gradient penalty does.
        NotFiniteError: a loss is not finite.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(2, 1, bias=False))
    >>> per_layer_gradient_norms(model, lambda m, x: m(x)[:, 0], torch.tensor([[3.0, 4.0]]))
    {'0': tensor([5.])}
    """
    return _warned(PerSampleBackward.of(model, per_sample_loss, batch)).layer_norms()


def per_sample_gradients(
    model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any, *, project: Tensor
) -> Tensor:
    """Compute each row's gradient, projected on given directions.

    Args:
        model: network; nothing of it changes. A batch normalisation in training couples the rows:
            its statistics are those of the batch, held fixed, and a warning says so.
        per_sample_loss: function of the model and the batch that gives the loss of each row, [n].
        batch: n rows, in any form that `per_sample_loss` takes.
        project: matrix [parameters, k], its rows in the order of the trained ones of
            `model.parameters()`.

    Returns:
        Gradients times `project`, [n, k].

    Raises:
        ValueError: the loss is not one number a row, `project` has not as many rows as there are
            trained parameters, nothing is trained, the model lies on two devices, or the loss takes
            a gradient of the model itself, as a gradient penalty does.
        NotFiniteError: a loss is not finite.

    >>> import torch
    >>> from torch import nn
    >>> model, x = nn.Linear(2, 1, bias=False), torch.tensor([[3.0, 4.0]])
    >>> per_sample_gradients(model, lambda m, x: m(x)[:, 0], x, project=torch.ones(2, 1))
    tensor([[7.]])
    """
    return _warned(PerSampleBackward.of(model, per_sample_loss, batch)).projected(project)


def gradient_noise(model: nn.Module, per_sample_loss: PerSampleLoss, batch: Any) -> GradientNoise:
    """Measure the gradient noise of a batch, in one pass.

    Source: McCandlish et al. 2018, appendix A.1, the simple noise scale tr(Σ) / ‖G‖².

    Args:
        model: network; nothing of it changes. A batch normalisation in training couples the rows:
            its statistics are those of the batch, held fixed, and `frozen` of the result names it.
        per_sample_loss: function of the model and the batch that gives the loss of each row, [n].
        batch: n rows, at least 2, in any form that `per_sample_loss` takes.

    Returns:
        Norms [n], the trace of the gradients' covariance and the noise scale in rows of a batch.

    Raises:
        ValueError: the loss is not one number a row, the batch has one row, nothing is trained, the
            model lies on two devices, or the loss takes a gradient of the model itself, as a
            gradient penalty does.
        NotFiniteError: a loss is not finite.

    >>> import torch
    >>> from torch import nn
    >>> x = torch.tensor([[1.0], [3.0]])
    >>> noise = gradient_noise(nn.Linear(1, 1, bias=False), lambda m, x: m(x)[:, 0], x)
    >>> noise.trace, round(noise.scale, 3)
    (2.0, 0.667)
    """
    return PerSampleBackward.of(model, per_sample_loss, batch).noise()


def _warned(done: PerSampleBackward) -> PerSampleBackward:
    """Warn of what was not measured as it is trained."""
    if done.frozen:
        warnings.warn(
            f"batch normalisation in training ({', '.join(done.frozen)}) couples the rows of a "
            "batch: measured with the batch's statistics held fixed",
            stacklevel=3,
        )
    return done


def _layer_of(parameter: str) -> str:
    """Name of the module that a parameter belongs to, parametrised or not."""
    layer, parametrised, _ = parameter.partition(".parametrizations.")
    return layer if parametrised else parameter.rpartition(".")[0]
