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


UPDATES, UPDATE_NORM = "/updates", "/update_norm"
"""Endings of the quantities that are tracked of each player."""
NORM_EVERY = 16
"""Rows from one norm to the next: taking one costs as much as twenty rows of a small network."""


class UpdateTracker:
    """Counter of optimiser steps, and measure of the change of weights, per player."""

    def __init__(self, players: Mapping[str, nn.Module]) -> None:
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self._weights = {name: _Weights(module) for name, module in players.items()}
        self.totals = [0] * len(players)
        """Optimiser steps of each player so far."""
        self._players_of: WeakKeyDictionary[Optimizer, tuple[int, tuple[int, ...]]]
        self._players_of = WeakKeyDictionary()
        self._hook = register_optimizer_step_post_hook(self._count)
        self.counted = tuple(f"{player}{UPDATES}" for player in players)
        self.measured = tuple(f"{player}{UPDATE_NORM}" for player in players)
        self.columns = (*self.counted, *self.measured)

    def take_counts(self) -> dict[str, int]:
        """Optimiser steps of each player since the last call."""
        counts, self.totals = self.totals, [0] * len(self.totals)
        return dict(zip(self._weights, counts, strict=True))

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
            self.totals[player] += 1

    def _owners(self, optimizer: Optimizer) -> tuple[int, ...]:
        """Find the players that own any parameter of an optimiser, by identity."""
        stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
        weights = enumerate(self._weights.values())
        return tuple(player for player, one in weights if one.owns_any(stepped))


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
    """Writer of the tracker's counts, a row a step, and of its norms, at every so many rows.

    Norms are also taken at snapshots, of the row before: so that those between two snapshots say
    how far the way between them was.
    """

    def __init__(self, writer: SeriesWriter, players: Mapping[str, nn.Module]) -> None:
        self.tracker = UpdateTracker(players)
        self.appender = writer.appender(self.tracker.counted)
        self._norms = writer.appender(self.tracker.measured)
        self._writer = writer
        last = max(appender.last_step for appender in writer)
        self._from_here = last < 0
        """Whether norms count from a state that the record has: the start, or a snapshot."""
        self._measured = True
        self._left = NORM_EVERY
        self._logged = self._totals_before(last + 1)
        self.tracker.totals = self._logged.copy()

    def add(self, step: int) -> None:
        """Log updates so far, and where they are due the norms."""
        self.appender.append(step, self._in_order(self.tracker.totals))
        self._logged = self.tracker.totals.copy()
        self._left -= 1
        if self._left <= 0 or not self._measured or not self._from_here:
            self._add_norms(step)

    def at_snapshot(self, step: int) -> None:
        """Log norms of the row before a snapshot's step, if the state is the one after that row."""
        if self._left < NORM_EVERY and self.appender.last_step == step - 1:
            self._add_norms(step - 1)

    def rewind(self, step: int, *, measured: bool) -> None:
        """Go on from the totals before `step`; the jump back to old weights is no update.

        Args:
            step: Step that the rewind goes to.
            measured: Whether norms count from the weights before that step.
        """
        before = self._totals_before(step)
        since = zip(before, self.tracker.totals, self._logged, strict=True)
        self.tracker.totals = [total + now - logged for total, now, logged in since]
        self._logged = before
        self._measured = measured

    def rebase(self) -> None:
        """Measure the next norms from the weights as they are now."""
        self.tracker.rebase()
        self._measured = self._from_here = True
        self._left = NORM_EVERY

    def _in_order(self, totals: Sequence[int]) -> Sequence[float]:
        if self.appender.columns == self.tracker.counted:
            return totals
        named = dict(zip(self.tracker.counted, totals, strict=True))
        return [named[name] for name in self.appender.columns]

    def _add_norms(self, step: int) -> None:
        """Log the norms since those before; numbers on accelerators stay there."""
        taken = self.tracker.take_norms()
        row, on_accelerator = {}, {}
        for player, norm in taken.items():
            name = f"{player}{UPDATE_NORM}"
            if self._measured and norm.device.type != "cpu":
                on_accelerator[name] = norm
            row[name] = norm.item() if self._measured and name not in on_accelerator else math.nan
        columns = self._norms.columns
        pending = pending_numbers(on_accelerator, columns)
        self._norms.append(step, [row[name] for name in columns], pending)
        self._measured = self._from_here = True
        self._left = NORM_EVERY

    def _totals_before(self, step: int) -> list[int]:
        """Totals of the last rows before a step, in whatever file they are."""
        self._writer.flush()
        found = dict.fromkeys(self.tracker.counted, (-1, 0))
        for appender in self._writer:
            if not found.keys().isdisjoint(appender.columns):
                file = read_series_file(appender.path)
                rows = np.flatnonzero(file.kept() & (file.steps < step))
                for name, values in zip(file.columns, file.values, strict=True):
                    if name in found and len(rows):
                        last = int(file.steps[rows[-1]]), int(values[rows[-1]])
                        found[name] = max(found[name], last)
        return [total for _, total in found.values()]
