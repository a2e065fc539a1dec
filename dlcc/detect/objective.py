"""Objective of a game, as the run states it or as its series show it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlcc.detect.bounds import least_loss
from dlcc.detect.training_record import TrainingRecord, common
from dlcc.runs.series import Column

_LN2 = math.log(2)
_RELATIVE = ("relativistic", "began")
_NEAR_START = 0.3  # relative distance of a first loss from the level of an undecided discriminator
_FOLLOWS = 0.25  # relative distance of a loss from that of its mean outputs


@dataclass(frozen=True)
class GameObjective:
    """Objective of one adversarial pair.

    Levels of the discriminator's loss: `chance` where its output is undecided, `won` under which it
    tells nearly all apart. `generator_lost` is the generator's loss above which it loses.
    """

    name: str
    """Name: `ns`, `mm`, `ls`, `hinge`, `wgan`, `wgangp`, `relativistic`, `began`."""
    why: str
    """Reason in words."""
    sure: bool
    """Whether the run states the objective, or its series show it."""
    chance: float | None = None
    won: float | None = None
    generator_lost: float | None = None


def game_objective(record: TrainingRecord, pair: str = "") -> GameObjective:
    """Tell the objective of a pair.

    Args:
        record: Record of the training.
        pair: Ending of the pair's players, such as `_a`.

    Returns:
        Objective; where nothing tells, the one that most trainings have, marked as not sure.

    >>> from dlcc.runs.series import Series
    >>> losses = {"discriminator/loss": np.array([-1.0, -3.0])}
    >>> game_objective(TrainingRecord(Series.from_start(losses), "gan")).name
    'wgan'
    """
    d = record.loss_of(f"discriminator{pair}")
    g = record.loss_of(f"generator{pair}")
    if record.objective in _RELATIVE:
        return GameObjective(record.objective, record.stated_in, sure=True)
    if record.objective is not None:
        return _levels(record.objective, record.stated_in or "the run states it", d, sure=True)
    if _has_measure(record, pair):
        return GameObjective(
            "began", "the discriminator's convergence measure is logged", sure=True
        )
    shown = _by_outputs(record, pair, d)
    if shown is not None:
        return shown
    lowest = _lowest(d)
    if lowest < -1e-6:
        return GameObjective("wgan", "the discriminator's loss is negative", sure=True)
    lowest_g = _lowest(g)
    start = _by_start(d, g)
    if start is not None and lowest_g >= 0:
        return start
    if lowest_g < -1e-6:
        return _levels("hinge", "the generator's loss is negative, the discriminator's not", d)
    return _levels("ns", "neither loss is negative", d)


def _has_measure(record: TrainingRecord, pair: str) -> bool:
    """Whether a boundary-equilibrium GAN's own measure is logged, which is never negative."""
    column = record.get(f"discriminator{pair}/convergence")
    return column is not None and len(column.values) > 0 and _lowest(column) >= 0


def _lowest(column: Column | None) -> float:
    values = np.zeros(0) if column is None else column.values[np.isfinite(column.values)]
    return float(values.min()) if len(values) else 0.0


def _levels(name: str, why: str, d: Column | None, *, sure: bool = False) -> GameObjective:
    """Levels of an objective by its name; a mean of two sides has half the levels of a sum."""
    half = _is_mean(d, {"ns": 2 * _LN2, "mm": 2 * _LN2, "hinge": 2.0}.get(name))
    scale = 0.5 if half else 1.0
    if name in ("ns", "mm"):
        chance = 2 * _LN2 * scale
        lost = 4.0 if name == "ns" else -0.07
        return GameObjective(name, why, sure, chance, 0.1 * chance, lost)
    if name == "ls":
        return GameObjective(name, why, sure, 0.25, 0.025, 0.8)
    if name == "hinge":
        return GameObjective(name, why, sure, 2.0 * scale, 0.1 * scale, 0.9)
    return GameObjective(name, why, sure)


def _is_mean(d: Column | None, chance: float | None) -> bool:
    """Whether a loss is the mean of its two sides: it begins near half of the level of a sum."""
    if d is None or chance is None or not len(d.values):
        return False
    first = d.values[np.isfinite(d.values)][: max(1, len(d.values) // 50)]
    if not len(first):
        return False
    middle = float(np.median(first))
    return (
        abs(middle - chance / 2) < 0.15 * chance
        and float(np.max(d.values[np.isfinite(d.values)])) < 0.9 * chance
    )


def _by_outputs(record: TrainingRecord, pair: str, d: Column | None) -> GameObjective | None:
    """Cross-entropy, where mean outputs are shares and the loss is about that of these shares."""
    real = record.get(f"discriminator{pair}/real")
    fake = record.get(f"discriminator{pair}/fake")
    if d is None or real is None or fake is None:
        return None
    steps, p, q = common(real, fake)
    if len(steps) < 4 or min(p.min(), q.min()) < 0 or max(p.max(), q.max()) > 1:
        return None
    least = least_loss("ns", p, q, "probability")
    if least is None:
        return None
    _, loss, of_means = common(d, Column(steps, least, np.zeros(len(steps))))
    if len(loss) < 4:
        return None
    inside = of_means < 8  # beyond, an output is rounded to 0 or 1
    for scale in (1.0, 0.5):
        above = loss - scale * of_means
        bound = above >= -0.02 - 0.1 * loss
        near = np.abs(above) <= _FOLLOWS * np.maximum(loss, 0.15) + 0.05
        if inside.any() and bound[inside].mean() > 0.9 and np.median(near[inside]) > 0.5:
            why = "the discriminator's loss is the cross-entropy of its mean outputs"
            chance = 2 * _LN2 * scale
            return GameObjective(
                "ns", why, sure=True, chance=chance, won=0.1 * chance, generator_lost=4.0
            )
    return None


def _by_start(d: Column | None, g: Column | None) -> GameObjective | None:
    """Cross-entropy, where both losses begin at the level of an undecided discriminator."""
    if d is None or g is None or len(d.values) < 8 or len(g.values) < 8:
        return None
    first_d, first_g = float(d.values[0]), float(g.values[0])
    if not (abs(first_g - _LN2) < _NEAR_START * _LN2):
        return None
    for scale in (1.0, 0.5):
        chance = 2 * _LN2 * scale
        if abs(first_d - chance) < 0.12 * chance:
            why = f"both losses begin at ln 2 and {chance:.2g}, as undecided cross-entropy has it"
            return GameObjective(
                "ns", why, sure=True, chance=chance, won=0.1 * chance, generator_lost=4.0
            )
    return None
