"""Controlled runs whose truth is known: they end well where D's rate was lowered."""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from dlcc.control.adjustable import bounds_of, usual_bounds
from dlcc.control.learning.controlled_runs import FIELDS, HEALTHY, ControlledRuns
from dlcc.control.learning.fitting import fit, policy_of
from dlcc.control.learning.moves import MOVES, moved
from dlcc.control.learning.policy import Policy
from dlcc.control.learning.situation import DECISIONS, RECORD_FIGURES, WINDOWS

MARGIN = 8  # column of the margin in a window
SLOWER_D = next(k for k, move in enumerate(MOVES) if move.name == "discriminator's rate / 4")
COLLAPSED = 3


def runs(n: int, seed: int = 0) -> ControlledRuns:
    """Draw runs: a large margin ends badly, unless D's rate ends at less than half its first."""
    rng = np.random.default_rng(seed)
    moves = rng.integers(sum(not move.anew for move in MOVES), size=(n, len(DECISIONS)))
    moves[rng.random(moves.shape) < 0.6] = 0
    windows = np.zeros((n, WINDOWS, 11), dtype=np.float32)
    windows[:, :, MARGIN] = (rng.random(n) < 0.5)[:, None]
    settings = np.empty((n, len(DECISIONS) + 1, len(FIELDS)))
    first = {"lr_g": 0.004, "lr_d": 0.004, "r1": 0.0, "g_every": 1.0, "d_every": 1.0}
    for i in range(n):
        now = dict(first)
        settings[i, 0] = list(now.values())
        for k in range(len(DECISIONS)):
            now |= moved(now, MOVES[moves[i, k]], bounds_of(first, usual_bounds(first)))
            settings[i, k + 1] = list(now.values())
    well = (windows[:, 0, MARGIN] == 0) | (settings[:, -1, 1] < 0.5 * first["lr_d"])
    return ControlledRuns(
        configs=np.array([json.dumps({"loss": "ns", "optimizer": "adam"})] * n),
        windows=windows,
        settings=settings,
        moves=moves,
        probabilities=np.full(moves.shape, 0.5),
        good=well.astype(np.float64),
        labels=np.where(well, HEALTHY, COLLAPSED),
    )


@cache
def policy() -> Policy:
    """Fit a policy on such runs."""
    return policy_of(fit(runs(600), RECORD_FIGURES, bags=5), RECORD_FIGURES)
