"""Second opinion on a recorded step: its losses and their gradients where players return more.

A loss may depend on what players return by something that no operation shows, such as a number that
the code read out of a tensor and went on with. Then its recorded operations are the loss at one
point, and at no other. So the code does the step once more with noise on what players return, and
what its operations give for the same noise must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcc.errors import TraceError
from dlcc.tracing.cutting import outermost_calls
from dlcc.tracing.disturbed_step import Place
from dlcc.tracing.graph import Call, Operation, StepGraph, Update, Use
from dlcc.tracing.rerun import Rerun, looseness

_SPREAD = 0.3  # of the noise, in standard deviations of what it is added to
_SHIFT = 0.5  # of all of it, in the same
_INWARD = 0.3  # share of the way to the middle, where outputs must stay within [0, 1]
_TOLERANCE = 1e-3
_LARGEST = 1 << 22


def noise_for(graph: StepGraph, leaves: Mapping[int, Tensor], seed: int) -> dict[Place, Tensor]:
    """Draw noise for what the players of a step return.

    Outputs that all lie in [0, 1] stay within: they may be probabilities.

    Args:
        graph: Recorded step.
        leaves: Leaf's index -> its numbers.
        seed: Seed of the noise.

    Returns:
        Place -> noise in float32, of the shape there; nothing where it would be too much.

    Raises:
        TraceError: The step cannot be run again.
    """
    generator = torch.Generator().manual_seed(seed)
    plain, found, seen = Rerun(graph, leaves), {}, set()
    for call in outermost_calls(graph, graph.roots):
        for k, node in enumerate(call.outputs):
            value = plain.value(node).detach()
            if node not in seen and value.is_floating_point() and value.numel():
                found[call.number, k] = _noise(value.float(), generator)
            seen.add(node)  # what a player returns as it was given is disturbed once
    return found if sum(n.numel() for n in found.values()) <= _LARGEST else {}


def _noise(value: Tensor, generator: torch.Generator) -> Tensor:
    if bool(((value >= 0) & (value <= 1)).all()):
        share = torch.rand(value.shape, generator=generator) * _INWARD
        return share * (0.5 - value)
    spread = float(value.std()) if value.numel() > 1 else 0.0
    if not spread > 0:
        spread = max(1e-3, float(value.abs().max()))
    each = torch.randn(value.shape, generator=generator)
    return spread * (_SPREAD * each + _SHIFT)  # noise alone would leave means as they are


def differences(
    graph: StepGraph,
    leaves: Mapping[int, Tensor],
    noise: Mapping[Place, Tensor],
    values: Sequence[float],
    gradients: Sequence[Mapping[Place, Tensor]],
) -> dict[int, str]:
    """Compare what the code gives under noise with what its recorded operations give.

    Args:
        graph: Recorded step.
        leaves: Leaf's index -> its numbers.
        noise: Place -> noise that was added there.
        values: Loss at each root of the graph, as the code has it.
        gradients: Its gradient in the noise at places that it depends on.

    Returns:
        Number of a root -> how both differ, in words; roots that agree are left out.

    Raises:
        TraceError: The step cannot be run again, or another number of losses was told.
    """
    if not len(values) == len(gradients) == len(graph.roots):
        raise TraceError(f"{len(values)} losses, where the step has {len(graph.roots)}")
    found = {}
    for number, told in enumerate(values):
        words = _difference(graph, leaves, noise, number, told, gradients[number])
        if words:
            found[number] = words
    return found


def differing_roots(update: Update, found: Mapping[int, str]) -> str:
    """Say how a loss of an optimiser's step differs under noise; empty where none does."""
    return next((found[root] for root in update.roots if root in found), "")


def _difference(
    graph: StepGraph,
    leaves: Mapping[int, Tensor],
    noise: Mapping[Place, Tensor],
    number: int,
    told: float,
    gradients: Mapping[Place, Tensor],
) -> str:
    root = graph.roots[number]
    again = _Disturbed(graph, leaves, noise)
    total = again.disturbed(root.node).sum()
    mine = float(total.detach())
    if not (np.isfinite(mine) and np.isfinite(told)):
        return ""
    loose = _TOLERANCE * looseness(graph)
    if abs(mine - told) > loose * (abs(mine) + abs(told) + again.size):
        return f"its value where players return a little more is {told:.6g}, not {mine:.6g}"
    places = [place for place in gradients if place in noise]
    if root.own_gradient or not total.requires_grad or not places:
        return ""
    ours = torch.autograd.grad(total, [again.noise[p] for p in places], allow_unused=True)
    for place, slope in zip(places, ours, strict=True):
        theirs = gradients[place].double().flatten()
        own = torch.zeros_like(theirs) if slope is None else slope.double().flatten()
        largest = float(torch.maximum(own.abs().max(), theirs.abs().max()))
        if own.shape != theirs.shape or float((own - theirs).abs().max()) > 10 * loose * largest:
            return "its gradient where players return a little more is another one"
    return ""


class _Disturbed(Rerun):
    """Rerun with noise on what players return: for all that comes after, not within the player."""

    def __init__(
        self, graph: StepGraph, leaves: Mapping[int, Tensor], noise: Mapping[Place, Tensor]
    ) -> None:
        super().__init__(graph, leaves)
        self.noise = {place: n.clone().requires_grad_() for place, n in noise.items()}
        self._places: dict[int, tuple[Call, Place]] = {
            node: (call, (call.number, k))
            for call in sorted(graph.calls, key=lambda c: -c.number)
            for k, node in enumerate(call.outputs)
            if (call.number, k) in noise
        }
        self._sums: dict[int, Tensor] = {}
        self._inside: tuple[int, ...] = ()
        self.size = 0.0
        """Size of what players return at most: losses may be small differences of it."""

    def disturbed(self, node: int) -> Tensor:
        """Compute the value of a node, with the noise that is added to it."""
        self.value(node)
        return self._with_noise(node)

    def _with_noise(self, node: int) -> Tensor:
        if node not in self._places:
            return self._made[node]
        if node not in self._sums:
            value = self._made[node]
            self._sums[node] = value + self.noise[self._places[node][1]].to(value.dtype)
            self.size = max(self.size, float(value.detach().abs().max()))
        return self._sums[node]

    def _used(self, use: Use) -> Tensor:
        if use.node not in self._places or self._places[use.node][0].number in self._inside:
            return super()._used(use)
        value = self._with_noise(use.node)
        return value if use.grad else value.detach()

    def _run(self, node: Operation) -> Tensor:
        self._inside = node.inside
        return super()._run(node)

    def _gradient(self, node: Operation) -> Tensor:
        self._inside = node.inside
        return super()._gradient(node)


def told_losses(
    made: Mapping[str, Any], count: int
) -> tuple[list[float], list[dict[Place, Tensor]]]:
    """Sort out what the sandbox told of a disturbed step.

    Args:
        made: Arrays by name: `value/ROOT` and `gradient/ROOT/CALL/PLACE`.
        count: Number of losses.

    Raises:
        TraceError: A loss is missing, or a name is none.
    """
    try:
        values = [float(np.asarray(made[f"value/{k}"]).reshape(())) for k in range(count)]
        gradients: list[dict[Place, Tensor]] = [{} for _ in range(count)]
        for name, array in made.items():
            kind, *numbers = name.split("/")
            if kind == "gradient":
                root, call, place = map(int, numbers)
                gradients[root][call, place] = torch.from_numpy(np.array(array))
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise TraceError(f"a disturbed step was told wrongly ({error})") from None
    return values, gradients
