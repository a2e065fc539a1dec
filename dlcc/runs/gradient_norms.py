"""Norms of the players' gradients, taken when their optimisers step; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class GradientNorms:
    """L2 norms of the gradients with which optimisers last stepped, by player.

    >>> net = nn.Linear(1, 1, bias=False)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> norms = GradientNorms({"model": net}, [optimizer])
    >>> net.weight.grad = torch.tensor([[3.0]])
    >>> optimizer.step()
    >>> norms.take()
    {'model': tensor(3.)}
    """

    def __init__(
        self, players: Mapping[str, nn.Module], optimizers: Iterable[torch.optim.Optimizer]
    ) -> None:
        self._taken: dict[str, Tensor] = {}
        self._owner = {id(p): name for name, net in players.items() for p in net.parameters()}
        self._hooks = [o.register_step_pre_hook(self._measure) for o in optimizers]

    def take(self) -> dict[str, Tensor]:
        """Norms since the last call, 0-d tensors on their device; players that rested have none."""
        taken, self._taken = self._taken, {}
        return taken

    def close(self) -> None:
        """Stop measuring."""
        for hook in self._hooks:
            hook.remove()

    @torch.no_grad()
    def _measure(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        gradients: dict[str, list[Tensor]] = {}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                owner = self._owner.get(id(parameter))
                if owner is not None and parameter.grad is not None:
                    gradients.setdefault(owner, []).append(parameter.grad)
        scale = getattr(optimizer, "grad_scale", None)  # of a scaler whose optimiser unscales
        for player, found in gradients.items():
            norm = _norm(found)
            self._taken[player] = norm if scale is None else norm / scale


def _norm(gradients: list[Tensor]) -> Tensor:
    """Norm over all gradients, of whatever layout and device, in one fused call where it can be."""
    dense = [g.coalesce().values() if g.is_sparse else g for g in gradients]
    norms = torch._foreach_norm(dense)
    first = norms[0]
    together = torch.stack([norm.to(first.device, torch.float32) for norm in norms])
    total: Tensor = torch.linalg.vector_norm(together)
    return total
