"""Moves: the small set of bounded changes that a learnt controller chooses among."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlcc.control.adjustable import Adjustable, Bounds, Restartable
from dlcc.typing import Floats

FIRST_R1, USUAL_R1, LEAST_R1 = 0.1, 1.0, 1e-3
RATE_FIELDS = ("lr_g", "lr_d")
OF_OPTIMIZER = {"sgd": 20.0}
"""Factor of the usual rates, which are Adam's, by the name of an optimiser that needs others."""
MOVE_FIGURES = (
    "lr_g_change",
    "lr_d_change",
    "r1_change",
    "g_every_change",
    "d_every_change",
    "anew",
)
"""Names of the figures of a change of settings, see `change_figures`."""


@dataclass(frozen=True)
class Move:
    """Change of settings: by factors, which mean the same at every rate, or to usual values.

    >>> Move("both rates / 4", lr_g=0.25, lr_d=0.25).of({"lr_g": 0.02, "lr_d": 0.04, "r1": 0.0})
    {'lr_g': 0.005, 'lr_d': 0.01}
    >>> Move("more R1", r1=4.0).of({"lr_g": 0.02, "r1": 0.0})
    {'r1': 0.1}
    >>> Move("usual rates", rates=(2e-3, 2e-3)).of({"lr_g": 0.2, "lr_d": 0.002, "d_every": 2})
    {'lr_g': 0.002, 'd_every': 1.0}
    """

    name: str
    """Name in words."""
    lr_g: float = 1.0
    """Factor of the generator's rate."""
    lr_d: float = 1.0
    """Factor of the discriminator's rate."""
    r1: float = 1.0
    """Factor of R1's weight; above 1 a weight of 0 becomes .1, below 1 one up to .1 becomes 0."""
    rates: tuple[float, float] | None = None
    """Rates of generator and discriminator that are set with Adam; every player is then updated in
    every step."""
    anew: bool = False
    """Whether the training begins anew, with its first weights."""
    usual_r1: bool = False
    """Whether R1's weight comes to lie between .1 and 1."""

    def of(self, settings: Mapping[str, float], optimizer: str = "adam") -> dict[str, float]:
        """Compute the new values of the settings that it changes, before bounds.

        Args:
            settings: Setting -> present value; settings that are not there stay out.
            optimizer: Name of the optimiser, which usual rates depend on.

        Returns:
            Setting -> new value, of those that change.
        """
        found: dict[str, float] = {}
        for k, (field, factor) in enumerate(zip(RATE_FIELDS, (self.lr_g, self.lr_d), strict=True)):
            if field in settings:
                usual = None if self.rates is None else self.rates[k]
                scale = OF_OPTIMIZER.get(optimizer, 1.0)
                found[field] = settings[field] * factor if usual is None else scale * usual
        if "r1" in settings:
            found["r1"] = self._weight(settings["r1"])
        if self.rates is not None:
            found |= {field: 1.0 for field in ("g_every", "d_every") if field in settings}
        return {field: value for field, value in found.items() if value != settings[field]}

    def _weight(self, r1: float) -> float:
        """New weight of R1, between none and the first in one move."""
        if self.usual_r1:
            return min(USUAL_R1, max(FIRST_R1, r1))
        if self.r1 > 1:
            return max(FIRST_R1, self.r1 * r1)
        return 0.0 if self.r1 < 1 and r1 <= FIRST_R1 else self.r1 * r1


NOTHING = 0
"""Index of the move that changes nothing."""
MOVES = (
    Move("nothing"),
    Move("both rates / 4", lr_g=0.25, lr_d=0.25),
    Move("both rates x 4", lr_g=4.0, lr_d=4.0),
    Move("discriminator's rate / 4", lr_d=0.25),
    Move("generator's rate / 4", lr_g=0.25),
    Move("more R1", r1=4.0),
    Move("less R1", r1=0.25),
    Move("usual rates", rates=(2e-3, 2e-3)),
    Move("usual rates and R1", rates=(2e-3, 2e-3), usual_r1=True),
    Move("a faster discriminator and R1", rates=(1e-3, 4e-3), usual_r1=True),
    Move("anew, usual rates", rates=(2e-3, 2e-3), anew=True),
    Move("anew, usual rates and R1", rates=(2e-3, 2e-3), usual_r1=True, anew=True),
    Move("anew, a faster discriminator and R1", rates=(1e-3, 4e-3), usual_r1=True, anew=True),
)
"""Moves to choose among; the first changes nothing."""


def change_figures(
    before: Mapping[str, float], after: Mapping[str, float], *, anew: bool = False
) -> Floats:
    """Describe a change of settings by what it does, whatever bounds left of the move, [6].

    Args:
        before: Setting -> value before.
        after: Setting -> value after, of those that changed or of all.
        anew: Whether the training begins anew.

    Returns:
        Binary logarithms of the factors of both rates, decades between the weights of R1, of which
        those under a thousandth count as that, binary logarithms of the factors of how often
        players are updated, 0 for a setting that is not there; and 1 where it begins anew, else 0.

    >>> change_figures({"lr_g": 0.02, "lr_d": 0.02}, {"lr_g": 0.005}).tolist()
    [-2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    found = []
    for name in MOVE_FIGURES[:-1]:
        field = name.removesuffix("_change")
        old = before.get(field, 0.0)
        new = after.get(field, old)
        if field == "r1":
            found.append(math.log10(max(new, LEAST_R1) / max(old, LEAST_R1)))
        else:
            found.append(math.log2(new / old) if old > 0 and new > 0 else 0.0)
    return np.array([*found, float(anew)])


def changes_of_moves(
    settings: Mapping[str, float], bounds: Mapping[str, Bounds], optimizer: str = "adam"
) -> Floats:
    """Describe what each of `MOVES` would change within bounds, [moves, 6].

    Args:
        settings: Setting -> present value.
        bounds: Setting -> bounds; what is not there stays as it is.
        optimizer: Name of the optimiser.

    Returns:
        `change_figures` of every move; 0 throughout where bounds leave nothing of it.
    """
    return np.array(
        [
            change_figures(settings, moved(settings, move, bounds, optimizer), anew=move.anew)
            for move in MOVES
        ]
    )


def make_move(
    adjustable: Adjustable, move: Move, bounds: Mapping[str, Bounds], optimizer: str = "adam"
) -> None:
    """Make a move: begin anew where it does, and change settings within bounds.

    Args:
        adjustable: Training that is steered.
        move: Move to make.
        bounds: Setting -> bounds of those that may change.
        optimizer: Name of the optimiser.
    """
    changes = moved(adjustable.settings(), move, bounds, optimizer)
    if move.anew and isinstance(adjustable, Restartable):
        adjustable.begin_anew()
    if changes:
        adjustable.adjust(**changes)


def moved(
    settings: Mapping[str, float],
    move: Move,
    bounds: Mapping[str, Bounds],
    optimizer: str = "adam",
) -> dict[str, float]:
    """Compute what a move makes of settings within bounds: the new values of those that change."""
    wanted = move.of(settings, optimizer)
    within = {f: bounds[f].clip(value) for f, value in wanted.items() if f in bounds}
    return {field: value for field, value in within.items() if value != settings[field]}
