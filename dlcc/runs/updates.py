"""Count of optimiser steps and size of weight changes per player; the training is not touched.

No random numbers, no gradients, no work on the training's own tensors: bits stay what they were.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from dlcc.runs.pending import pending_numbers
from dlcc.runs.series_reader import read_series_file
from dlcc.runs.series_writer import SeriesWriter

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


class UpdateTracker:
    """Counter of optimiser steps, and measure of the change of weights, per player."""

    def __init__(self, players: Mapping[str, nn.Module]) -> None:
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self._weights = {name: _Weights(module) for name, module in players.items()}
        self._counts = dict.fromkeys(players, 0)
        self._players_of: WeakKeyDictionary[Optimizer, tuple[int, tuple[str, ...]]]
        self._players_of = WeakKeyDictionary()
        self._hook = register_optimizer_step_post_hook(self._count)
        self.columns = tuple(
            f"{player}/{quantity}" for player in players for quantity in ("updates", "update_norm")
        )

    def take_counts(self) -> dict[str, int]:
        """Optimiser steps of each player since the last call."""
        counts, self._counts = self._counts, dict.fromkeys(self._counts, 0)
        return counts

    def take_norms(self) -> dict[str, Tensor]:
        """L2 norm of each player's change of weights since the last call, as 0-d tensors."""
        return {player: weights.take_norm() for player, weights in self._weights.items()}

    def rebase(self) -> None:
        """Measure changes from the weights as they are now."""
        for weights in self._weights.values():
            weights.rebase()

    def close(self) -> None:
        """Stop counting."""
        self._hook.remove()

    def _count(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        groups = len(optimizer.param_groups)
        known = self._players_of.get(optimizer)
        if known is None or known[0] != groups:
            known = (groups, self._owners(optimizer))
            self._players_of[optimizer] = known
        for player in known[1]:
            self._counts[player] += 1

    def _owners(self, optimizer: Optimizer) -> tuple[str, ...]:
        """Find the players that own any parameter of an optimiser, by identity."""
        stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
        return tuple(
            player for player, weights in self._weights.items() if weights.owns_any(stepped)
        )


class _Weights:
    """Parameters of one player, and a copy of their earlier values."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self.rebase()

    def owns_any(self, identities: set[int]) -> bool:
        return any(id(parameter) in identities for parameter in self._module.parameters())

    @torch.no_grad()
    def rebase(self) -> None:
        from torch.nn.parameter import is_lazy

        groups = defaultdict(list)
        for parameter in self._module.parameters():
            if not is_lazy(parameter):
                groups[parameter.device].append(parameter)
        self._groups = list(groups.values())
        self._previous = [_flat(group) for group in self._groups]

    @torch.no_grad()
    def take_norm(self) -> Tensor:
        if not self._groups:
            return torch.tensor(math.nan)
        current = [_flat(group) for group in self._groups]
        if any(
            now.shape != before.shape or now.device != before.device
            for now, before in zip(current, self._previous, strict=True)
        ):  # the module was moved to another device, or its layers were resized
            self.rebase()
            return torch.tensor(math.nan)
        norms = [_norm(a - b) for a, b in zip(current, self._previous, strict=True)]
        self._previous = current
        if len(norms) == 1:
            return norms[0]
        return _norm(torch.stack([norm.cpu() for norm in norms]))


def _flat(parameters: Sequence[Tensor]) -> Tensor:
    """Copy all numbers of the parameters into one buffer: three operations a row, not three a
    layer."""
    # Of one parameter flattening makes a view, not a copy.
    flat: Tensor = torch._C._nn.flatten_dense_tensors(list(parameters))
    return flat.clone() if len(parameters) == 1 else flat


def _norm(numbers: Tensor) -> Tensor:
    """Compute the L2 norm; half precision in float32, where its squares do not overflow."""
    half = numbers.dtype in (torch.float16, torch.bfloat16)
    norm: Tensor = torch.linalg.vector_norm(numbers, dtype=torch.float32 if half else None)
    return norm


class UpdateRows:
    """Writer of one row a step with the tracker's measures, into a file of its own."""

    def __init__(self, writer: SeriesWriter, players: Mapping[str, nn.Module]) -> None:
        self.tracker = UpdateTracker(players)
        self.appender = writer.appender(self.tracker.columns)
        self._writer = writer
        self._measured = True
        self._totals = self._totals_before(self.appender.last_step + 1)

    def add(self, step: int) -> None:
        """Log updates since the row before; numbers on accelerators stay there."""
        row = {}
        on_accelerator = {}
        norms = self.tracker.take_norms()
        for player, count in self.tracker.take_counts().items():
            self._totals[player] += count
            row[f"{player}/updates"] = self._totals[player]
            norm = norms[player]
            if not self._measured or norm.device.type == "cpu":
                row[f"{player}/update_norm"] = norm.item() if self._measured else math.nan
            else:
                row[f"{player}/update_norm"] = math.nan
                on_accelerator[f"{player}/update_norm"] = norm
        self._measured = True
        columns = self.appender.columns
        self.appender.append(
            step, [row[name] for name in columns], pending_numbers(on_accelerator, columns)
        )

    def rewind(self, step: int) -> None:
        """Go on from the totals before `step`; the jump back to old weights is no update."""
        self._totals = self._totals_before(step)
        self._measured = False

    def rebase(self) -> None:
        """Measure the next row from the weights as they are now."""
        self.tracker.rebase()
        self._measured = True

    def _totals_before(self, step: int) -> dict[str, float]:
        self._writer.flush()
        file = read_series_file(self.appender.path)
        rows = np.flatnonzero(file.kept() & (file.steps < step))
        return {
            name.removesuffix("/updates"): float(values[rows[-1]]) if len(rows) else 0.0
            for name, values in zip(file.columns, file.values, strict=True)
            if name.endswith("/updates")
        }
