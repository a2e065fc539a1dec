"""Closed forms of what one row of a batch adds to a layer's gradient.

The gradient of a linear map or a convolution is a product: with the columns U that a weight meets
and the gradients D at the outputs, a row's is D Uᵀ, summed over the places that share the weight.
Its norm follows from the Gram matrices of U and D alone (Goodfellow 2015; Rochette et al. 2019),
which is cheaper where there are few places. Scales and biases of normalisations are sums over
places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Size, Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.instancenorm import _InstanceNorm


@dataclass
class LayerCall:
    """One call of a layer during a pass."""

    module: nn.Module
    """Layer that was called."""
    inputs: Tensor
    """Input of the layer, [n, ...]."""
    statistics: tuple[Tensor, Tensor] | None = None
    """Mean and variance [channels] that a batch normalisation used."""
    parametrization: Mapping[str, Tensor] = field(default_factory=dict)
    """Buffers that the layer's parametrisations used: a pass in training iterates them."""
    output_gradients: Tensor | None = None
    """Gradient of each row's loss at the layer's output, [n, ...]; None where nothing came back."""


@dataclass(frozen=True)
class OuterProduct:
    """Gradient of a row as D Uᵀ, in groups that have no weights in common."""

    groups: int
    q: int
    p: int
    places: int
    factors: Callable[[slice], tuple[Tensor, Tensor]]
    """D [c, groups, q, places] and U [c, groups, p, places] of a slice of the batch; the product
    [c, groups, q, p] is laid out as the parameter is."""

    @property
    def numbers(self) -> int:
        """Count of numbers in the factors of a row."""
        return self.groups * (self.q + self.p) * self.places

    def rows(self, part: slice) -> Tensor:
        """Gradients [c, groups, q, p]."""
        d, u = self.factors(part)
        if self.places == 1:
            return d * u.transpose(2, 3)
        d, u = d.flatten(0, 1), u.flatten(0, 1)
        return (d @ u.transpose(1, 2)).view(-1, self.groups, self.q, self.p)

    def projected(self, part: slice, directions: Tensor) -> Tensor:
        """Gradients of one place times `directions` [k, groups · q · p], [c, k]."""
        d, u = (x.squeeze(3) for x in self.factors(part))  # [c, groups, q] and [c, groups, p]
        k = len(directions)
        parts = []
        for group, own in enumerate(directions.view(k, self.groups, self.q, self.p).unbind(1)):
            halfway = u[:, group] @ own.reshape(k * self.q, self.p).T
            parts.append(torch.einsum("ckq,cq->ck", halfway.view(-1, k, self.q), d[:, group]))
        return torch.stack(parts).sum(dim=0)

    def total(self, part: slice) -> Tensor:
        """Sum of the gradients, [groups, q, p]."""
        d, u = (x.permute(1, 2, 0, 3).flatten(2) for x in self.factors(part))
        return d @ u.transpose(1, 2)


@dataclass(frozen=True)
class Summed:
    """Gradient of a row as a sum over places: nothing is saved by not making it."""

    rows: Callable[[slice], Tensor]
    """Function of a slice of the batch that gives the gradients [c, *shape of the parameter]."""


GradientForm = OuterProduct | Summed


def closed_forms_of(call: LayerCall) -> dict[str, GradientForm]:
    """Forms of how rows add to the gradients of a layer's parameters; none of an unknown layer."""
    module = call.module
    if isinstance(module, nn.Linear):
        return _linear(call, module)
    if isinstance(module, _ConvTransposeNd):
        return _transposed(call, module)
    if isinstance(module, _ConvNd):
        return _convolution(call, module)
    if isinstance(module, nn.Embedding):
        return _embedding(call, module)
    if isinstance(module, nn.LayerNorm | nn.GroupNorm | _InstanceNorm | _BatchNorm):
        return _normalisation(call, module)
    return {}


_KNOWN = frozenset(
    kind.forward
    for kind in (
        nn.Linear,
        nn.Conv1d,
        nn.Conv2d,
        nn.Conv3d,
        nn.ConvTranspose1d,
        nn.ConvTranspose2d,
        nn.ConvTranspose3d,
        nn.Embedding,
        nn.LayerNorm,
        nn.GroupNorm,
        _InstanceNorm,
        _BatchNorm,
    )
)


def is_known(module: nn.Module) -> bool:
    """Whether `closed_forms_of` knows this layer with these options."""
    if isinstance(module, nn.Embedding) and (module.scale_grad_by_freq or module.max_norm):
        return False
    return type(module).forward in _KNOWN  # not of a class that computes something else


def _output_gradients(call: LayerCall) -> Tensor:
    assert call.output_gradients is not None
    return call.output_gradients


# --- products -------------------------------------------------------------------------------------


def _linear(call: LayerCall, module: nn.Linear) -> dict[str, GradientForm]:
    n = len(call.inputs)
    u = call.inputs.reshape(n, -1, module.in_features).transpose(1, 2).unsqueeze(1)
    d = _output_gradients(call).reshape(n, -1, module.out_features).transpose(1, 2).unsqueeze(1)
    product = OuterProduct(
        1, module.out_features, module.in_features, u.shape[3], lambda part: (d[part], u[part])
    )
    return {"weight": product, "bias": Summed(lambda part: d[part].sum(dim=3).squeeze(1))}


def _convolution(call: LayerCall, module: _ConvNd) -> dict[str, GradientForm]:
    gradients, inputs = _output_gradients(call), call.inputs
    groups, dims = module.groups, len(module.kernel_size)
    p = inputs.shape[1] // groups * _volume(module.kernel_size)
    places = _volume(gradients.shape[2:])

    def factors(part: slice) -> tuple[Tensor, Tensor]:
        windows = _windows(
            _padded(inputs[part], module),
            module.kernel_size,
            module.stride,
            module.dilation,
            gradients.shape[2:],
        )
        return _blocks(gradients[part], groups, dims), _blocks(windows, groups, dims)

    product = OuterProduct(groups, gradients.shape[1] // groups, p, places, factors)
    return {
        "weight": product,
        "bias": Summed(lambda part: gradients[part].flatten(2).sum(dim=2)),
    }


def _transposed(call: LayerCall, module: _ConvTransposeNd) -> dict[str, GradientForm]:
    """Form of the convolution that the layer transposes: inputs and output gradients swap."""
    gradients, inputs = _output_gradients(call), call.inputs
    groups, dims = module.groups, len(module.kernel_size)
    p = gradients.shape[1] // groups * _volume(module.kernel_size)
    places = _volume(inputs.shape[2:])
    padding = [side for width in reversed(_numbers(module.padding)) for side in (width, width)]

    def factors(part: slice) -> tuple[Tensor, Tensor]:
        windows = _windows(
            F.pad(gradients[part], padding),
            module.kernel_size,
            module.stride,
            module.dilation,
            inputs.shape[2:],
        )
        return _blocks(inputs[part], groups, dims), _blocks(windows, groups, dims)

    product = OuterProduct(groups, inputs.shape[1] // groups, p, places, factors)
    return {
        "weight": product,
        "bias": Summed(lambda part: gradients[part].flatten(2).sum(dim=2)),
    }


def _padded(x: Tensor, module: _ConvNd) -> Tensor:
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    return F.pad(x, list(module._reversed_padding_repeated_twice), mode=mode)


def _windows(
    x: Tensor,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    places: Size,
) -> Tensor:
    """Windows that a kernel sees at each place: [c, channels, *kernel, *places], a view of x."""
    strides, sizes, steps = [*x.stride()[:2]], [*x.shape[:2]], x.stride()[2:]
    sizes += [*kernel, *places]
    strides += [step * d for step, d in zip(steps, dilation, strict=True)]
    strides += [step * s for step, s in zip(steps, stride, strict=True)]
    return x.as_strided(sizes, strides, x.storage_offset())


def _blocks(x: Tensor, groups: int, dims: int) -> Tensor:
    """Reshape [c, channels, ..., *places] to [c, groups, channels / groups · ..., places]."""
    places = _volume(x.shape[x.ndim - dims :])
    return x.reshape(len(x), groups, -1, places)


def _volume(sizes: tuple[int, ...] | Size) -> int:
    volume = 1
    for size in sizes:
        volume *= int(size)
    return volume


def _numbers(padding: str | tuple[int, ...]) -> tuple[int, ...]:
    assert not isinstance(padding, str)  # transposed convolutions know no padding by name
    return padding


# --- sums -----------------------------------------------------------------------------------------


def _embedding(call: LayerCall, module: nn.Embedding) -> dict[str, GradientForm]:
    n = len(call.inputs)
    tokens = call.inputs.reshape(n, -1)
    gradients = _output_gradients(call).reshape(n, -1, module.embedding_dim)
    if module.padding_idx is not None:
        gradients = gradients * (tokens != module.padding_idx).unsqueeze(2)

    def rows(part: slice) -> Tensor:
        found = gradients.new_zeros(len(tokens[part]), module.num_embeddings, module.embedding_dim)
        where = tokens[part].unsqueeze(2).expand(-1, -1, module.embedding_dim)
        return found.scatter_add_(1, where, gradients[part])

    return {"weight": Summed(rows)}


def _normalisation(
    call: LayerCall, module: nn.LayerNorm | nn.GroupNorm | _InstanceNorm | _BatchNorm
) -> dict[str, GradientForm]:
    gradients = _output_gradients(call)

    def over_places(x: Tensor) -> Tensor:
        if isinstance(module, nn.LayerNorm):
            return x.reshape(len(x), -1, *module.normalized_shape).sum(dim=1)
        return x.reshape(*x.shape[:2], -1).sum(dim=2)

    return {
        "weight": Summed(lambda part: over_places(gradients[part] * _normalised(call, part))),
        "bias": Summed(lambda part: over_places(gradients[part])),
    }


def _normalised(call: LayerCall, part: slice) -> Tensor:
    """Input of the layer as it is before scale and bias."""
    module, x = call.module, call.inputs[part]
    if isinstance(module, nn.LayerNorm):
        return F.layer_norm(x, module.normalized_shape, eps=module.eps)
    if isinstance(module, nn.GroupNorm):
        return F.group_norm(x, module.num_groups, eps=module.eps)
    assert isinstance(module, _BatchNorm | _InstanceNorm)
    if isinstance(module, _InstanceNorm):
        own = module.training or not module.track_running_stats
        mean, variance = (None, None) if own else (module.running_mean, module.running_var)
        return F.instance_norm(x, mean, variance, use_input_stats=own, eps=module.eps)
    assert call.statistics is not None
    return F.batch_norm(x, *call.statistics, eps=module.eps)
