"""Losses of players as a mode shapes them: the batches with their losses, and what is added."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from dlcc.control.akde_bo import penalties
from dlcc.control.akde_bo.penalties import Part, RowLoss
from dlcc.errors import OptionError
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES


@dataclass(frozen=True)
class ShapedLoss:
    """Losses of players, and the penalty of a mode."""

    mode: str
    """Name of the mode."""
    players: Mapping[str, nn.Module]
    """Player -> network."""
    losses: Mapping[str, RowLoss]
    """Player -> loss of each row, of those that are given `batch=`."""
    objective: str
    """Loss of a discriminator that is given `real=` and `fake=`."""
    plain: bool
    """Whether gradients' density is computed without a projection."""
    seed: int
    """Seed of the projection."""
    measures_trace: bool
    """Whether the trace of the gradients' covariance is asked for, even where the mode does
    without."""

    def parts(self, player: str, tensors: Mapping[str, Any]) -> list[Part]:
        """Pair the batches of a player with their losses.

        Raises:
            OptionError: The player or its tensors are unknown.
        """
        if player not in self.players:
            raise OptionError(
                f"control: there is no player {player!r}; the players are {', '.join(self.players)}"
            )
        if "real" in tensors and "fake" in tensors:
            rows = ADVERSARIAL_LOSSES[self.objective]
            return [
                Part(tensors["real"], lambda model, x: rows.real(model(x).flatten())),
                Part(tensors["fake"], lambda model, x: rows.fake(model(x).flatten())),
            ]
        if "batch" in tensors and player in self.losses:
            return [Part(tensors["batch"], self.losses[player])]
        raise OptionError(
            f"control: penalty({player!r}) was given {', '.join(tensors) or 'nothing'}; give real= "
            "and fake= for a discriminator, or batch= for a player whose loss is in losses="
        )

    def penalty(
        self,
        model: nn.Module,
        parts: list[Part],
        note_trace: Callable[[float], None],
        *,
        of_outputs: bool,
    ) -> Tensor | None:
        """Compute the mode's penalty before its strength; None where gradients are not finite."""
        sculpts = self.mode == "sculpt"
        if not sculpts or self.measures_trace:
            rows = penalties.row_gradients(model, parts)
            trace = float(rows.trace().detach())
            note_trace(trace)
            if not math.isfinite(trace):
                return None
        if sculpts:
            return penalties.slope_penalty(model, parts, of_outputs=of_outputs)
        if self.mode == "reweight":
            return penalties.sparsity_penalty(rows, seed=self.seed)
        return penalties.instability_penalty(rows, plain=self.plain, seed=self.seed)
