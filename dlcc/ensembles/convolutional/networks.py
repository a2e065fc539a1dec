"""Convolutional players of N members: the networks of `usual_gan` with grouped convolutions.

What all members have lies beside each other as channels, [n, N·C, side, side], with the channels
innermost in memory; group i of a convolution is member i. Weights are rows of a block [N, P].

Images are held as *cells*: with a border of zeros, and the four pixels of each 2×2 square as
channels, [n, N·4C, side/2 + 1, side/2 + 1]. Of these a convolution of size 4 and stride 2 is one of
size 2 and stride 1, and its transpose makes them, which takes about half the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import is_parametrized

from dlcc.recipes.image_gans.usual_gan import SLOPE

NORM_EPS, NORM_MOMENTUM = 1e-5, 0.1  # torch's defaults of batch norm
SPECTRAL_EPS = 1e-12  # and of spectral norm

Members = Tensor | None
"""Numbers of the members that a call of networks has to do with, in order; None for all."""


class Affine(NamedTuple):
    """Layer with weights: convolution, fully connected layer or batch norm of N networks."""

    weight: Tensor
    """Weights [N, ...] as a solo network has them, a leaf of autograd that is a view of a block."""
    bias: Tensor
    """Biases [N, features], the same."""
    kept: tuple[Tensor, ...]
    """Buffers [N, ...]: running mean, running variance and number of calls of batch norm; u and v
    of spectral norm; nothing else."""


class Stack:
    """Stack of N networks of one architecture, whose weights in `block` [N, P] change in place."""

    def __init__(self, networks: Sequence[nn.Module], dtype: torch.dtype) -> None:
        self._shapes = [p.shape for p in networks[0].parameters()]
        ends = list(accumulate(shape.numel() for shape in self._shapes))
        self._spans = list(zip([0, *ends], ends, strict=False))
        self.block = torch.empty(len(networks), ends[-1], dtype=dtype)
        """Weights [N, P], in the order of a network's `parameters()`."""
        self.buffers = [
            torch.stack([b.to(dtype) if b.is_floating_point() else b for b in own])
            for own in zip(*(network.buffers() for network in networks), strict=True)
        ]
        """Buffers [N, ...], in the order of a network's `buffers()`."""
        self.leaves = [
            part.view(len(networks), *shape).detach().requires_grad_()
            for part, shape in zip(self._split(self.block), self._shapes, strict=True)
        ]
        """Views of the weights as leaves of autograd, in the order of `parameters()`."""
        for i, network in enumerate(networks):
            self.load(i, network)
        self._gradient = torch.empty_like(self.block)
        self.layers = self._find_layers(networks[0])

    def _find_layers(self, network: nn.Module) -> list[Affine]:
        """Find the layers with weights, in order, of a network that `leaves` were made after."""
        leaves = dict(zip(map(id, network.parameters()), self.leaves, strict=True))
        buffers = dict(zip(map(id, network.buffers()), self.buffers, strict=True))
        layers = []
        for module in network.children():
            if parameters := {name: leaves[id(p)] for name, p in module.named_parameters()}:
                bias = parameters.pop("bias")
                (weight,) = parameters.values()
                layers.append(Affine(weight, bias, tuple(buffers[id(b)] for b in module.buffers())))
        return layers

    def names(self) -> list[str]:
        """Numbers of the tensors of weights, as torch's optimisers name them."""
        return [str(number) for number in range(len(self._shapes))]

    def pack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Pack one network's weights into a row [P]."""
        return torch.cat([tensor.flatten() for tensor in tensors])

    def unpack(self, row: Tensor) -> list[Tensor]:
        """Unpack a row [P] into copies of one network's weights."""
        parts = zip(self._split(row), self._shapes, strict=True)
        return [part.reshape(shape).clone() for part, shape in parts]

    def _split(self, rows: Tensor) -> list[Tensor]:
        """Split rows [..., P] into those of each tensor of weights, flattened."""
        return [rows[..., start:end] for start, end in self._spans]

    def gradient(self, losses: Tensor) -> Tensor:
        """Gradients of losses [N] by the weights, as a block [N, P] that the next call reuses."""
        parts = torch.autograd.grad(losses, self.leaves, torch.ones_like(losses))
        return torch.cat([part.flatten(1) for part in parts], dim=1, out=self._gradient)

    def load(self, i: int, network: nn.Module) -> None:
        """Take member i's weights and buffers from a network."""
        with torch.no_grad():
            self.block[i] = self.pack([*network.parameters()])
            for kept, buffer in zip(self.buffers, network.buffers(), strict=True):
                kept[i] = buffer

    def store(self, i: int, network: nn.Module) -> None:
        """Put member i's weights and buffers into a network."""
        with torch.no_grad():
            for kept, own in zip(self.unpack(self.block[i]), network.parameters(), strict=True):
                own.copy_(kept)
            for kept, buffer in zip(self.buffers, network.buffers(), strict=True):
                buffer.copy_(kept[i])


class BatchNorm:
    """Batch norm of N members, which may be told to take in the last batches once more."""

    def __init__(self, layer: Affine) -> None:
        self.layer = layer
        self._last: list[tuple[Members, Tensor, Tensor]] = []

    def __call__(self, x: Tensor, calls: Sequence[Members] = (None,)) -> Tensor:
        """Normalise x [n, V·C, side, side] by the batches of all V calls, each by itself."""
        weight, bias = _called(self.layer.weight, calls), _called(self.layer.bias, calls)
        mean, variance = x.new_zeros(2, x.shape[1])
        out = F.batch_norm(x, mean, variance, weight.flatten(), bias.flatten(), True, 1.0, NORM_EPS)
        sizes = [len(_of(self.layer.bias, members)) for members in calls]
        means, variances = (found.view_as(weight).split(sizes) for found in (mean, variance))
        self._last = list(zip(calls, means, variances, strict=True))
        self.follow()
        return out

    def follow(self) -> None:
        """Move the running statistics towards those of the last batches."""
        mean, variance, count = self.layer.kept
        for members, *news in self._last:
            for running, new in zip((mean, variance), news, strict=True):
                moved = _of(running, members) * (1 - NORM_MOMENTUM) + NORM_MOMENTUM * new
                _put(running, moved, members)
            _put(count, _of(count, members) + 1, members)


class Generators(Stack):
    """Generators of N members."""

    def __init__(self, networks: Sequence[nn.Module], dtype: torch.dtype) -> None:
        super().__init__(networks, dtype)
        self.norms = [BatchNorm(self.layers[1]), BatchNorm(self.layers[3])]

    def __call__(self, z: Tensor) -> Tensor:
        """Generate images of noise [N, n, zdim], as cells [n, N·4C, h, h]."""
        first, _, second, _, last = self.layers
        width = second.weight.shape[1]
        side = round((first.bias.shape[1] / width) ** 0.5)
        x = torch.baddbmm(first.bias.unsqueeze(1), z, first.weight.transpose(1, 2))
        x = beside(x.view(*x.shape[:2], width, side, side))
        x = whole(_doubled(self.norms[0](x).relu_(), second.weight, second.bias), len(z))
        x = _doubled(self.norms[1](x).relu_(), last.weight, last.bias)
        return (x * _inside(x, len(z))).tanh_()

    def follow(self) -> None:
        """Move the running statistics once more, as another call with the same noise does."""
        for norm in self.norms:
            norm.follow()


class Judgement(NamedTuple):
    """Outputs of discriminators in V calls of a member's network, and what they depend on."""

    logits: Tensor
    """Raw outputs [V, n]."""
    units: tuple[Tensor, ...]
    """Units of both convolutions, [n, V·C, side, side]."""
    dropped: tuple[Tensor, Tensor] | None
    """Factors of these by dropout, or None."""
    weights: tuple[Tensor, ...]
    """Weights [V, ...] of the three layers in the calls."""

    def squared_slopes(self, chosen: Tensor) -> Tensor:
        """Squared norms [chosen, n] of the gradients by the images of some of the V calls.

        They are differentiable by the weights. Discriminators without batch norm are piecewise
        linear: the gradient is the product of the weights between the units' slopes, which stand
        still where weights move a little.
        """
        first, second, last = (weight.index_select(0, chosen) for weight in self.weights)
        side = self.units[1].shape[2]
        back = last.view(1, -1, side, side) * self._gain(1, chosen)
        back = whole(_doubled(back, second), len(chosen)) * self._gain(0, chosen)
        back = _doubled(back, first)
        back = back * _inside(back, len(chosen))
        return _split(back, len(chosen)).square().sum((1, 2, 4)).T

    def _gain(self, number: int, chosen: Tensor) -> Tensor:
        """Slopes of the units of a convolution in some calls, times their factors."""
        count = len(self.logits)
        units = select(self.units[number].detach(), chosen, count)
        gain = torch.where(units > 0, units.new_ones(()), units.new_full((), SLOPE))
        if self.dropped is None:
            return gain
        return gain * select(self.dropped[number], chosen, count)


class Discriminators(Stack):
    """Discriminators of N members."""

    def __init__(self, networks: Sequence[nn.Module], dtype: torch.dtype) -> None:
        super().__init__(networks, dtype)
        first, second, *norm, last = self.layers
        self._convolutions, self._last = (first, second), last
        self._norm = BatchNorm(norm[0]) if norm else None
        self._spectral = is_parametrized(networks[0].get_submodule("0"))

    def __call__(
        self,
        images: Tensor,
        calls: Sequence[Members] = (None,),
        dropped: tuple[Tensor, Tensor] | None = None,
    ) -> Judgement:
        """Judge images as so many calls of the solo networks, one after the other, would.

        Args:
            images: Images as cells [n, V·4C, h, h], of the first call's members, then of the
                next's.
            calls: Members of each call, V in all; None for all N.
            dropped: Factors of the units of both convolutions, shaped as these.
        """
        x, units, weights = images, [], []
        for number, layer in enumerate(self._convolutions):
            weight, bias = self._weights(layer, calls), _called(layer.bias, calls)
            if number:
                x = F.conv2d(x, _joined(weight), bias.flatten(), 2, 1, groups=len(weight))
            else:
                x = F.conv2d(x, _of_cells(weight), bias.flatten(), groups=len(weight))
            if number and self._norm is not None:
                x = self._norm(x, calls)
            x = F.leaky_relu_(x, SLOPE)
            units.append(x)
            weights.append(weight)
            if dropped is not None:
                x = x * dropped[number]
        last = self._weights(self._last, calls)
        flat = _split(x, len(last)).flatten(1, 2)
        by_pixel = last.view(*flat.shape[2:], -1).permute(2, 0, 1)
        logits = (flat * by_pixel).sum((1, 3)).T + _called(self._last.bias, calls)
        return Judgement(logits, tuple(units), dropped, (*weights, last))

    def _weights(self, layer: Affine, calls: Sequence[Members]) -> Tensor:
        """Weights [V, ...] of a layer, which spectral norm divides by their largest gain."""
        if not self._spectral:
            return _called(layer.weight, calls)
        return torch.cat([self._divided(layer, members) for members in calls])

    def _divided(self, layer: Affine, members: Members) -> Tensor:
        """Weights of a call over their largest gain, as the next power iteration finds it."""
        weight = _of(layer.weight, members)
        matrix = weight.flatten(2)
        with torch.no_grad():
            v = _of(layer.kept[1], members).unsqueeze(2)
            u = F.normalize(torch.bmm(matrix, v), dim=1, eps=SPECTRAL_EPS)
            v = F.normalize(torch.bmm(matrix.transpose(1, 2), u), dim=1, eps=SPECTRAL_EPS)
            for kept, new in zip(layer.kept, (u, v), strict=True):
                _put(kept, new.squeeze(2), members)
        largest = torch.bmm(u.transpose(1, 2), torch.bmm(matrix, v))
        return weight / largest.view(-1, *[1] * (weight.ndim - 1))


def beside(images: Tensor) -> Tensor:
    """Lay members' images [N, n, C, side, side] beside each other: [n, N·C, side, side]."""
    return images.permute(1, 3, 4, 0, 2).flatten(3).permute(0, 3, 1, 2)


def _joined(weight: Tensor) -> Tensor:
    """Weights [N, out, in, 4, 4] of members as those of a grouped convolution."""
    return weight.permute(0, 1, 3, 4, 2).flatten(0, 1).permute(0, 3, 1, 2)


def _of_cells(weight: Tensor) -> Tensor:
    """Weights [N, out, in, 4, 4] as those of a grouped convolution of cells."""
    parts = _taps(weight)
    return parts.permute(0, 1, 3, 5, 4, 6, 2).flatten(4).flatten(0, 1).permute(0, 3, 1, 2)


def _taps(weight: Tensor) -> Tensor:
    """Weights [N, ., ., 4, 4] of the pixels of cells, [N, ., ., 2, 2, 2, 2]: per side the cell, and
    the pixel in it."""
    return weight.reshape(*weight.shape[:3], 2, 2, 2, 2)


def _split(x: Tensor, count: int) -> Tensor:
    """Split channels of [n, count·C, h, w] by members: [n, h, w, count, C]."""
    return torch.unflatten(x.permute(0, 2, 3, 1), 3, (count, -1))


def _doubled(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Transposed convolution of size 4 and stride 2 by weights [N, in, out, 4, 4], as cells.

    What it adds to the border is in the cells, too.
    """
    parts = _taps(weight).flip(3, 5)
    flat = parts.permute(0, 4, 6, 2, 3, 5, 1).flatten(0, 3).permute(0, 3, 1, 2)
    biases = None if bias is None else bias.unsqueeze(1).expand(-1, 4, -1).flatten()
    return F.conv2d(x, flat, biases, padding=1, groups=len(weight))


def _inside(cells: Tensor, count: int) -> Tensor:
    """Factors [count·4C, h, h] of cells that make their border 0."""
    channels, side = cells.shape[1:3]
    pixels = cells.new_ones(2, side)
    pixels[0, 0] = pixels[1, -1] = 0
    both = pixels.view(2, 1, side, 1) * pixels.view(1, 2, 1, side)
    all_of_them = both.view(1, 4, 1, side, side).expand(count, -1, channels // (4 * count), -1, -1)
    return all_of_them.reshape(channels, side, side)


def as_cells(images: Tensor) -> Tensor:
    """Images [n, C, side, side] as cells [n, 4C, h, h]."""
    n, channels, side = images.shape[:3]
    squares = F.pad(images, (1, 1, 1, 1)).view(n, channels, side // 2 + 1, 2, side // 2 + 1, 2)
    return squares.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)


def whole(cells: Tensor, count: int) -> Tensor:
    """Images [n, count·C, side, side] of cells, without the border."""
    found: Tensor = _Whole.apply(cells, count)  # type: ignore[no-untyped-call]
    return found


class _Whole(torch.autograd.Function):
    """Copy of cells' pixels to where they are in images, and back."""

    @staticmethod
    def forward(ctx: Any, cells: Tensor, count: int) -> Tensor:
        ctx.count = count
        n, channels, side, _ = cells.shape
        images = cells.new_empty(n, 2 * side - 2, 2 * side - 2, channels // 4)
        images = images.permute(0, 3, 1, 2)
        for pixels, part in _pairs(images, cells, count):
            pixels.copy_(part)
        return images

    @staticmethod
    def backward(ctx: Any, images: Tensor) -> tuple[Tensor, None]:
        n, channels, side, _ = images.shape
        cells = images.new_zeros(n, side // 2 + 1, side // 2 + 1, 4 * channels)
        cells = cells.permute(0, 3, 1, 2)
        for pixels, part in _pairs(images, cells, ctx.count):
            part.copy_(pixels)
        return cells, None


def _pairs(images: Tensor, cells: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Views of the pixels of each parity in images and in cells, [n, side/2, side/2, count, C]."""
    pixels = _split(images, count)
    parts = torch.unflatten(_split(cells, count), 4, (2, 2, -1))
    half = cells.shape[2] - 1
    for y, x in product(range(2), repeat=2):
        yield pixels[:, y::2, x::2], parts[:, y : y + half, x : x + half, :, 1 - y, 1 - x]


def select(x: Tensor, chosen: Tensor, count: int) -> Tensor:
    """Channels [n, chosen·C, side, side] of some of the `count` members that x has."""
    if len(chosen) == count:
        return x
    return _split(x, count).index_select(3, chosen).flatten(3).permute(0, 3, 1, 2)


def _called(x: Tensor, calls: Sequence[Members]) -> Tensor:
    """Rows [V, ...] of the members of all calls."""
    return torch.cat([_of(x, members) for members in calls])


def _of(x: Tensor, members: Members) -> Tensor:
    """Rows of some members, or all."""
    return x if members is None else x.index_select(0, members)


def _put(x: Tensor, rows: Tensor, members: Members) -> None:
    """Replace the rows of some members, or all."""
    if members is None:
        x.copy_(rows)
    else:
        x.index_copy_(0, members, rows)
