"""Optimistic Adam: every update looks ahead by what changed since the last one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor


class OptimisticAdam(torch.optim.Adam):
    """Adam whose updates are extrapolated: θ ← θ − 2 u_t + u_{t−1}, u_t the usual update.

    It damps the rotation of two players around an equilibrium (Daskalakis et al. 2018, algorithm
    1). The first update is Adam's own. Arguments are those of `torch.optim.Adam`.

    >>> import torch
    >>> weight = torch.nn.Parameter(torch.zeros(1))
    >>> optimizer = OptimisticAdam([weight], lr=0.5)
    >>> for _ in range(2):
    ...     weight.grad = torch.ones(1)
    ...     optimizer.step()
    >>> weight.detach()  # Adam's updates are of .5 each; here the second is 2 · .5 − .5
    tensor([-1.])
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all parameters that have a gradient.

        Args:
            closure: Function that computes the loss again, as for `torch.optim.Adam`.

        Returns:
            The closure's loss; None without one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.clone() for p in moved]
        super().step()
        if not moved:
            return loss
        updates = torch._foreach_sub(before, moved)  # u_t
        last = [
            cast(Tensor, self._own(p).get("update", u)) for p, u in zip(moved, updates, strict=True)
        ]
        torch._foreach_sub_(moved, torch._foreach_sub(updates, last))
        for p, update in zip(moved, updates, strict=True):
            self._own(p)["update"] = update
        return loss

    def _own(self, parameter: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        return state
