"""Controlled runs: GANs whose settings are changed at random on the way, and how they ended.

What a change does is learnt from these. At each of `DECISIONS` a run's settings are changed by a
move that is drawn, by known probabilities: nothing by `P_NOTHING`, or else any of the others; or,
where there is a policy already, mostly what that one would do. Kept are the figures of all windows,
settings, moves with their probabilities, and the outcome by the truth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlcc.control.adjustable import Adjustable, Bounds, bounds_of, usual_bounds
from dlcc.control.learning.controlled_runs import FIELDS, ControlledRuns
from dlcc.control.learning.moves import MOVES, NOTHING, make_move
from dlcc.control.learning.situation import DECISIONS, WINDOWS, Situation
from dlcc.control.rules import window_of
from dlcc.past_runs.build.draws import by_shares, log_uniform
from dlcc.past_runs.build.ensembled import Ensembled
from dlcc.past_runs.build.settings import SEEDS_APART, draw_group
from dlcc.records import LABELS
from dlcc.typing import Floats

P_NOTHING = 0.5
"""Probability of changing nothing at a decision, where moves are drawn without a policy."""
P_POLICY = 0.6
"""Probability of doing what a policy says; by the rest moves are drawn as without one."""
_LARGEST = {"width": 32, "batch": 32}  # a run of a larger one costs as much as three
_SOUND = 0.5
IMAGE_SHAPE: Mapping[str, Any] = {
    "data": "digits",
    "net": "conv",
    "norm": "generator",
    "width": 8,
    "batch": 16,
    "zdim": 16,
    "steps": 500,
}
"""Settings that GANs on images share: small and short enough for two seconds each."""
Choose = Callable[[Situation, Mapping[str, Bounds]], int]
"""Function from a situation and bounds to the index of a move."""


def small_group(seed: int, group: int, size: int) -> Ensembled:
    """Draw small GANs: data and shape by the group, of which none is larger than usual."""
    configs = draw_group(seed, group, size)
    small = [{**c, **{key: min(c[key], most) for key, most in _LARGEST.items()}} for c in configs]
    return Ensembled.small(small)


def image_group(seed: int, group: int, size: int) -> Ensembled:
    """Draw convolutional GANs on digits."""
    return Ensembled.on_digits([draw_image_setting(seed, group * 1000 + k) for k in range(size)])


def draw_image_setting(seed: int, number: int) -> dict[str, Any]:
    """Draw the settings of one GAN on images; half of them from where many a training ends well."""
    rng = np.random.default_rng([seed, number, 29])
    sound = bool(rng.random() < _SOUND)
    rate = log_uniform(rng, 4e-4, 3e-3) if sound else log_uniform(rng, 1e-5, 5e-2)
    ratio = log_uniform(rng, 0.5, 3.0) if sound else log_uniform(rng, 1 / 16, 16)
    return {
        **IMAGE_SHAPE,
        "loss": by_shares(rng, {"ns": 0.4, "hinge": 0.25, "ls": 0.2, "mm": 0.15}),
        "optimizer": by_shares(rng, {"adam": 0.8, "rmsprop": 0.2}),
        "lr_d": float(f"{rate:.3g}"),
        "lr_g": float(f"{rate * ratio:.3g}"),
        "beta1": by_shares(rng, {0.0: 0.3, 0.5: 0.5, 0.9: 0.2}),
        "r1": by_shares(rng, {0.0: 0.8, 0.1: 0.1, 1.0: 0.1}),
        "seed": seed * SEEDS_APART + number,
    }


def controlled(
    together: Ensembled,
    rng: np.random.Generator,
    choose: Choose | None = None,
    *,
    anew: float = 0.0,
) -> ControlledRuns:
    """Train an ensemble whose members are each controlled at random.

    Args:
        together: Trainings.
        rng: Generator of moves.
        choose: Policy that is mostly followed; None to draw all moves.
        anew: Probability of beginning anew, where moves are drawn.

    Returns:
        The runs.
    """
    drawn = _DrawnMoves(together, rng, choose, anew)
    ends = together.train(together.length // WINDOWS, drawn.look)
    texts = [json.dumps(dict(config), sort_keys=True) for config in together.configs]
    return ControlledRuns(
        configs=np.array(texts),
        windows=np.array(drawn.windows, dtype=np.float32).transpose(1, 0, 2),
        settings=np.array(drawn.settings).transpose(1, 0, 2),
        moves=np.array(drawn.moves).T,
        probabilities=np.array(drawn.chances).T,
        good=np.array([end.good for end in ends]),
        labels=np.array([LABELS.index(end.label) for end in ends]),
    )


class _DrawnMoves:
    """Moves drawn at the decisions of all members."""

    def __init__(
        self, together: Ensembled, rng: np.random.Generator, choose: Choose | None, anew: float
    ) -> None:
        self._together, self._rng, self._choose, self._anew = together, rng, choose, anew
        self._first = [dict(member.settings()) for member in together.members]
        self._bounds = [bounds_of(first, usual_bounds(first)) for first in self._first]
        self.windows: list[list[Floats]] = []
        self.settings = [_settings(together.members)]
        self.moves: list[list[int]] = []
        self.chances: list[list[float]] = []

    def look(self, step: int, values: Floats) -> None:
        """Take a window of all members in, and draw where a decision is due."""
        names = self._together.quantities
        columns = [values[:, i] for i in range(values.shape[1])]
        self.windows.append(
            [window_of(dict(zip(names, rows, strict=True))).figures for rows in columns]
        )
        if len(self.windows) in {round(share * WINDOWS) for share in DECISIONS}:
            moves = [self._move(i) for i in range(values.shape[1])]
            self.moves.append([move for move, _ in moves])
            self.chances.append([chance for _, chance in moves])
            self.settings.append(_settings(self._together.members))

    def _move(self, i: int) -> tuple[int, float]:
        """Draw and make a move of member i: its index and its probability."""
        member, config = self._together.members[i], self._together.configs[i]
        now, bounds = dict(member.settings()), self._bounds[i]
        advised = None
        if self._choose is not None:
            known = np.array([window[i] for window in self.windows])
            seen = Situation(len(known) / WINDOWS, known, config, self._first[i], now)
            advised = self._choose(seen, bounds)
        move, chance = _drawn(self._rng, advised, self._anew)
        make_move(member, MOVES[move], bounds, str(config["optimizer"]))
        return move, chance


def _settings(members: Any) -> Floats:
    """Settings `FIELDS` of all members, [n, 5]; how often players are updated is 1 where it cannot
    change."""
    everyone: list[Adjustable] = list(members)
    return np.array([[float(m.settings().get(f, 1.0)) for f in FIELDS] for m in everyone])


def _drawn(rng: np.random.Generator, advised: int | None, p_anew: float) -> tuple[int, float]:
    """Draw a move, and tell with which probability it was to be drawn."""
    anew = np.array([move.anew for move in MOVES])
    others = ~anew & (np.arange(len(MOVES)) != NOTHING)
    chances = np.where(anew, p_anew / anew.sum(), (1 - P_NOTHING - p_anew) / others.sum())
    chances[NOTHING] = P_NOTHING
    if advised is not None:
        chances = (1 - P_POLICY) * chances
        chances[advised] += P_POLICY
    move = int(rng.choice(len(MOVES), p=chances / chances.sum()))
    return move, float(chances[move])
