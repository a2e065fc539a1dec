"""Step with noise on what players return: runs beside the training's code, inside the sandbox.

Nothing but values is looked at: each loss, and its gradient in the noise. What the operations of a
recorded step give for the same noise must agree (`dlcc.tracing.second_opinion`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from dlcc.engine.compiler import uncompiled
from dlcc.tracing.differentiation import watched_differentiation
from dlcc.tracing.memory import plain_tensor

Place = tuple[int, int]
"""Number of a call of a player, and the place of a tensor among those that it returned."""


class DisturbedStep:
    """Disturber of one training step; a context manager.

    Args:
        players: Player -> its module.
        noise: Place -> what is added to the tensor there, of its shape.
        updated: Weights after each optimiser's step as it was without noise, by `player/weight`;
            each optimiser's step ends with these, so that the losses that follow are the same
            functions.

    >>> player = torch.nn.Linear(3, 1)
    >>> with DisturbedStep({"model": player}, {(0, 0): torch.ones(2, 1)}, []) as step:
    ...     player(torch.zeros(2, 3)).sub(player.bias).sum().backward()
    >>> [float(v) for v in step.values], step.gradients[0][0, 0].flatten().tolist()
    ([2.0], [1.0, 1.0])
    """

    def __init__(
        self,
        players: Mapping[str, nn.Module],
        noise: Mapping[Place, Tensor],
        updated: Sequence[Mapping[str, Tensor]],
    ) -> None:
        self._players, self._updated = players, updated
        self._weights = {
            f"{player}/{name}": weight
            for player, module in players.items()
            for name, weight in module.named_parameters()
        }
        self._ids = {id(weight) for weight in self._weights.values()}
        self._noise = {place: n.clone().requires_grad_() for place, n in noise.items()}
        self._under_way: list[int] = []
        self._begun = self._updates = self._quiet = 0
        self.values: list[Tensor] = []
        """Losses that were differentiated in weights, in order, float64."""
        self.gradients: list[dict[Place, Tensor]] = []
        """Gradient of each of them in the noise at each place that it depends on."""

    def __enter__(self) -> Self:
        from torch.optim.optimizer import register_optimizer_step_post_hook

        with ExitStack() as stack:
            stack.enter_context(uncompiled())
            for module in self._players.values():
                for part in module.modules():
                    enter = part.register_forward_pre_hook(self._enter, prepend=True)
                    stack.callback(enter.remove)
                    stack.callback(part.register_forward_hook(self._leave).remove)
            stack.callback(register_optimizer_step_post_hook(self._after_update).remove)
            stack.enter_context(watched_differentiation(self))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    # ------------------------------------------------------------------------------------ players

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._under_way.append(self._begun)
        self._begun += 1

    def _leave(self, module: nn.Module, args: Any, output: Any) -> Any:
        number = self._under_way.pop()
        if self._quiet:
            return None
        parts, structure = tree_flatten(output)
        tensors = [k for k, part in enumerate(parts) if isinstance(part, Tensor)]
        for place, k in enumerate(tensors):
            noise = self._noise.get((number, place))
            if noise is not None:
                parts[k] = parts[k] + noise.to(parts[k].dtype)
        return tree_unflatten(parts, structure)

    def _after_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._updates < len(self._updated):
            with torch.no_grad():
                for name, weight in self._updated[self._updates].items():
                    self._weights[name].copy_(weight)
        self._updates += 1

    # ------------------------------------------------------------------------------------- losses

    def is_weight(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is a weight of a player."""
        return id(plain_tensor(tensor)) in self._ids

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Note nothing in the block."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def differentiated(self, tensors: list[Any], seeds: list[Any], inputs: Any) -> None:
        """Note the values of losses, and their gradients in the noise."""
        if self._quiet:
            return
        with self.quiet():
            for tensor in map(plain_tensor, tensors):
                total = tensor.sum()
                self.values.append(total.detach().double())
                self.gradients.append(self._in_noise(total))

    def _in_noise(self, total: Tensor) -> dict[Place, Tensor]:
        if not total.requires_grad or not self._noise:
            return {}
        places = list(self._noise)
        found = torch.autograd.grad(
            total, [self._noise[p] for p in places], retain_graph=True, allow_unused=True
        )
        return {p: g for p, g in zip(places, found, strict=True) if g is not None}

    def left(self) -> None:
        """Do nothing: what weights are left with is not looked at."""

    def taken(self, outputs: list[Any], inputs: list[Any], seeds: list[Any], made: Any) -> None:
        """Do nothing: gradients within the step are the code's own."""

    def transformed(self) -> None:
        """Do nothing: such a step is not followed anyway."""
