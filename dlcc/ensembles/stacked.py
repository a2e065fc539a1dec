"""Networks stacked in N copies: all weights in one block [N, P], and batched products over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LEAK = 0.2  # of the discriminator's units below 0
NARROW = 4  # products with fewer columns are quicker the other way round: (BᵀAᵀ)ᵀ


class Layer(NamedTuple):
    """Fully connected layer of N networks: y = x W + b."""

    weight: Tensor
    """Weights W, [N, fan_in, fan_out]."""
    bias: Tensor
    """Biases b, [N, 1, fan_out]."""


class Layout:
    """Layout of a fully connected network's weights in a row [P]: per layer W, row by row, then b.

    `sizes` are the widths from the input to the output. In a solo network's `state_dict` layer l
    is "2l" (activations lie between), with W transposed.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.fans = tuple(pairwise(sizes))
        sections = [size for i, o in self.fans for size in (i * o, o)]
        self.starts = tuple(accumulate(sections, initial=0))
        self.size = self.starts[-1]
        """Number P of weights of one network."""

    def layers(self, block: Tensor) -> tuple[Layer, ...]:
        """Views of a block [N, P], layer by layer."""
        found = []
        for number, (i, o) in enumerate(self.fans):
            a, b, c = self.starts[2 * number : 2 * number + 3]
            weight = block[:, a:b].view(-1, i, o)
            found.append(Layer(weight, block[:, b:c].unsqueeze(1)))
        return tuple(found)

    def pack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Pack one network's tensors, in the order of `parameters()`, into a row [P]."""
        return torch.cat([(t.T if t.ndim == 2 else t).reshape(-1) for t in tensors])

    def unpack(self, row: Tensor) -> list[Tensor]:
        """Unpack a row [P] into copies of the tensors that `pack` takes."""
        parts = []
        for layer in self.layers(row.unsqueeze(0)):
            weight = layer.weight[0].T.clone(memory_format=torch.contiguous_format)
            parts += [weight, layer.bias[0, 0].clone()]
        return parts

    def names(self) -> list[str]:
        """Names of `pack`'s tensors in a solo network's `state_dict`."""
        return [f"{2 * k}.{part}" for k in range(len(self.fans)) for part in ("weight", "bias")]

    def pack_state(self, state: Mapping[str, Tensor]) -> Tensor:
        """Pack a solo network's `state_dict` into a row [P]."""
        return self.pack([state[name] for name in self.names()])

    def unpack_state(self, row: Tensor) -> dict[str, Tensor]:
        """Unpack a row [P] into a solo network's `state_dict`."""
        return dict(zip(self.names(), self.unpack(row), strict=True))


class Stack:
    """Stack of N networks of one layout, whose weights in `block` [N, P] change in place."""

    def __init__(self, layout: Layout, block: Tensor) -> None:
        self.layout = layout
        self.block = block
        self.layers = layout.layers(block)
        """Views of the weights, layer by layer."""
        self._gradient = torch.empty_like(block)
        self.slots = [Layer(*map(torch.empty_like, layer)) for layer in self.layers]
        """Gradients of the members' losses by `layers`; `Pass.by_weights` writes them."""
        self.leaves = [layer.weight.detach().requires_grad_() for layer in self.layers]
        """Weights W of the layers as leaves of autograd: what a gradient penalty depends on."""

    def add_gradient(self, losses: Tensor) -> None:
        """Add the gradients of losses [N] that depend on `leaves` to `slots`."""
        parts = torch.autograd.grad(losses, self.leaves, torch.ones_like(losses))
        for slot, part in zip(self.slots, parts, strict=True):
            slot.weight.add_(part)

    def gradient(self) -> Tensor:
        """Gradients that `slots` hold, as a block [N, P], which the next call writes anew."""
        parts = [part.flatten(1) for slot in self.slots for part in slot]
        return torch.cat(parts, dim=1, out=self._gradient)


class Pass:
    """Pass forwards and back through N networks with leaky rectifiers, for n rows.

    What is between the layers lies in buffers that each step uses anew: to ask for fresh memory
    takes longer than to fill it. Passes that share `room` overwrite each other's.
    """

    def __init__(self, stack: Stack, n: int, leak: float, room: Pass | None = None) -> None:
        self.stack = stack
        self._leak = leak
        members, widths = len(stack.block), [fan_out for _, fan_out in stack.layout.fans]
        sizes = [members * n * width for width in widths]
        self._room: list[list[Tensor]] = (
            [[stack.block.new_empty(size) for size in sizes] for _ in range(2)]
            if room is None
            else room._room
        )
        self._units, self._backs = (
            [part[:size].view(members, n, -1) for part, size in zip(parts, sizes, strict=True)]
            for parts in self._room
        )
        self._x = stack.block

    def forward(self, x: Tensor) -> Tensor:
        """Compute outputs [N, n, fan_out] of x [N, n, fan_in]."""
        self._x = x
        layers = self.stack.layers
        for layer, units in zip(layers[:-1], self._units, strict=False):
            x = torch.baddbmm(layer.bias, x, layer.weight, out=units)
            F.leaky_relu_(x, self._leak) if self._leak else x.relu_()
        last = layers[-1]
        if last.weight.shape[2] < NARROW:
            across = x.transpose(1, 2), last.weight.transpose(1, 2)
            return torch.baddbmm(last.bias.transpose(1, 2), across[1], across[0]).transpose(1, 2)
        return torch.baddbmm(last.bias, x, last.weight, out=self._units[-1])

    def by_weights(self, back: Tensor) -> None:
        """Write the stack's slots, from the gradient by the outputs of the last pass forwards."""
        inputs = [self._x, *self._units[:-1]]
        for number in reversed(range(len(inputs))):
            x, slot = inputs[number], self.stack.slots[number]
            if back.shape[2] < NARROW:
                slot.weight.copy_(torch.bmm(back.transpose(1, 2), x).transpose(1, 2))
            else:
                torch.bmm(x.transpose(1, 2), back, out=slot.weight)
            torch.sum(back, dim=1, keepdim=True, out=slot.bias)
            if number:
                back = self._through(number, back)

    def by_input(self, back: Tensor) -> Tensor:
        """Compute the gradient by x of the last pass forwards, from that by its outputs."""
        for number in reversed(range(1, len(self._units))):
            back = self._through(number, back)
        return torch.bmm(back, self.stack.layers[0].weight.transpose(1, 2))

    def _through(self, number: int, back: Tensor) -> Tensor:
        """Carry the gradient by a layer's outputs back to the outputs of the layer before."""
        weight, units = self.stack.layers[number].weight, self._units[number - 1]
        into = self._backs[number - 1]
        if back.shape[2] == 1:
            torch.mul(back, weight.transpose(1, 2), out=into)
        else:
            torch.bmm(back, weight.transpose(1, 2), out=into)
        aten = torch.ops.aten
        if self._leak:
            aten.leaky_relu_backward.grad_input(into, units, self._leak, True, grad_input=into)
        else:
            aten.threshold_backward.grad_input(into, units, 0, grad_input=into)
        return into


def generate(layers: Sequence[Layer], noise: Tensor, squash: bool) -> Tensor:
    """Generate samples [N, n, features] of noise [N, n, zdim], through tanh if `squash`."""
    x = noise
    for layer in layers[:-1]:
        x = torch.baddbmm(layer.bias, x, layer.weight).relu_()
    x = torch.baddbmm(layers[-1].bias, x, layers[-1].weight)
    return torch.tanh(x) if squash else x


def input_gradients(weights: Sequence[Tensor], biases: Sequence[Tensor], x: Tensor) -> Tensor:
    """Gradients ∇D(x) [N, n, features] of discriminators by x, differentiable by the weights.

    Weights are [N, fan_in, fan_out], biases [N, 1, fan_out], layer by layer.

    D is piecewise linear, so that its gradient is the product of the weights between the units' own
    slopes at x, and these stand still where the weights move a little.
    """
    gains = []
    with torch.no_grad():
        for weight, bias in zip(weights[:-1], biases, strict=False):
            x = torch.baddbmm(bias, x, weight)
            gains.append(torch.where(x > 0, x.new_ones(()), x.new_full((), LEAK)))
            F.leaky_relu_(x, LEAK)
    gradient = weights[-1].transpose(1, 2).expand(-1, x.shape[1], -1)
    for weight, gain in zip(weights[-2::-1], reversed(gains), strict=True):
        gradient = torch.bmm(gradient * gain, weight.transpose(1, 2))
    return gradient
