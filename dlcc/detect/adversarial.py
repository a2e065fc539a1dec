"""Balance of an adversarial game: who has won, who tells nothing, what stands still."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dlcc.detect.departure import departure
from dlcc.detect.objective import GameObjective, game_objective
from dlcc.detect.training_record import (
    TrainingRecord,
    common,
    finite,
    lasting_from,
    smoothed,
    thinned,
)
from dlcc.findings import Finding
from dlcc.runs.series import Column
from dlcc.typing import Bools, Ints

_MOST_ROWS = 5_000  # blocks of a longer record, over whose means running medians are taken
_LAST = 0.2
_MOST_OF_IT = 0.8
_FEWEST = 3
_NEAR_CHANCE = 0.05
_CLAMPS = (100.0, 27.631, 13.8155, 16.118, 18.4207, 15.9424)
"""Losses at which implementations of the cross-entropy clamp: 100, and -log of 1e-12, 1e-6, 1e-7,
1e-8; 15.9424 is that of 1 - 1e-7 in single precision."""
_CONSTANT = 1e-6
_RESTS = (0.0, 0.125, 0.25, 0.5, math.log(2), 1.0, 2 * math.log(2), 2.0)
"""Losses of games at rest, or of an undecided discriminator, under any objective: a constant there
is no fault, and says nothing."""


def check_balance(record: TrainingRecord) -> Iterator[Finding]:
    """Find games that are lost, or in which nothing moves.

    Args:
        record: Record of the training.

    Yields:
        Findings on each adversarial pair.
    """
    for pair in record.pairs if record.is_game else ():
        objective = game_objective(record, pair)
        d = record.loss_of(f"discriminator{pair}")
        g = record.loss_of(f"generator{pair}")
        stuck = list(_stuck(record, pair, d, g, objective))
        yield from stuck
        if stuck or d is None:
            continue
        few = thinned(finite(d), _MOST_ROWS)
        won = _won(record, pair, few, None if g is None else thinned(g, _MOST_ROWS), objective)
        if won is not None:
            yield won
            continue
        yield from _at_chance(record, pair, few, objective)


def _stuck(
    record: TrainingRecord, pair: str, d: Column | None, g: Column | None, objective: GameObjective
) -> Iterator[Finding]:
    """Losses that do not move at all, away from the level of an undecided discriminator."""
    for player, column in ((f"discriminator{pair}", d), (f"generator{pair}", g)):
        if column is None or len(column.values) < 4:
            continue
        held = _constant_end(finite(column))
        if held is None:
            continue
        start, value = held
        clamp = next((c for c in _CLAMPS if abs(abs(value) - c) < 0.002 * c), None)
        near = any(abs(value - level) < 0.02 * max(level, 0.1) for level in _RESTS)
        other = g if column is d else d
        if near or (clamp is None and not _other_stuck(other, start)):
            continue
        if clamp is None and abs(value) < 1e-4:  # a discriminator at zero: see whether it has won
            continue
        at = f"the clamp of its cross-entropy, {clamp:g}" if clamp else f"{value:.4g}"
        yield Finding(
            "ADV004",
            f"The {player} is stuck: its loss is constant at {at} from {record.unit} "
            f"{int(column.steps[start]):,} on, and has no gradient there.",
            player=player,
            first_step=int(column.steps[start]),
            last_step=int(column.steps[-1]),
            evidence={"loss": value, "rows": len(column.values) - start},
        )
        return


def _constant_end(column: Column) -> tuple[int, float] | None:
    """Index from which a column keeps one value, and that value; None where it moves."""
    values = column.values
    if len(values) < 4:
        return None
    last = float(values[-1])
    same = np.abs(values - last) <= _CONSTANT * max(1.0, abs(last))
    start = lasting_from(same, allowed=0.0)
    if start is None or len(values) - start < max(4, round(_LAST * len(values))):
        return None
    return start, last


def _other_stuck(column: Column | None, start: int) -> bool:
    return column is None or _constant_end(finite(column)) is not None


def _won(
    record: TrainingRecord, pair: str, d: Column, g: Column | None, objective: GameObjective
) -> Finding | None:
    """Discriminator that tells all apart, with a generator that loses for it."""
    if objective.won is None or len(d.values) < _FEWEST:
        return None
    width = _width(len(d.values))
    low = smoothed(d.values, width) < objective.won
    saturated = _saturated(record, pair, d.steps)
    losing = _losing(record, pair, d, g, objective, width)
    holds = low & (losing if losing is not None else np.ones(len(low), dtype=np.bool_))
    outputs = saturated is not None and saturated[-_count(len(low)) :].mean() >= _MOST_OF_IT
    if losing is None and not outputs:
        return None
    last = holds[-_count(len(holds)) :]
    if last.mean() < _MOST_OF_IT:
        if not (outputs and low[-_count(len(low)) :].mean() >= _MOST_OF_IT):
            return None
        holds = low
    crossed = lasting_from(holds)
    if crossed is None:
        return None
    start = departure(smoothed(d.values, width), crossed)
    level_d = float(np.median(d.values[crossed:]))
    level_g = _median_from(g, int(d.steps[crossed]))
    certain = objective.sure and (outputs or losing is not None)
    code = "ADV001" if certain else "ADV006"
    under = "" if objective.sure else f" if the loss is {_TITLES[objective.name]}"
    beside = "" if level_g is None else f", the generator's {level_g:.3g}"
    apart = " and its outputs on real rows and samples lie far apart" if outputs else ""
    return Finding(
        code,
        f"The discriminator has won{under}: from {record.unit} {int(d.steps[crossed]):,} on its "
        f"loss is {level_d:.3g}{beside}{apart}; {objective.why}.",
        player=f"discriminator{pair}",
        first_step=int(d.steps[start]),
        last_step=int(d.steps[-1]),
        evidence={
            "discriminator_loss": level_d,
            "mark": objective.won,
            "generator_loss": level_g,
            "objective": objective.name,
            "share_of_the_last_fifth": float(last.mean()),
        },
    )


_TITLES = {
    "ns": "cross-entropy", "mm": "minimax", "ls": "least squares",
    "hinge": "hinge and not relativistic",
}  # fmt: skip


def _width(rows: int) -> int:
    """Rows in a running median: a fiftieth of them, odd."""
    return min(101, 2 * (rows // 100) + 1)


def _count(rows: int) -> int:
    return max(_FEWEST, round(_LAST * rows)) if rows >= _FEWEST else rows


def _losing(
    record: TrainingRecord,
    pair: str,
    d: Column,
    g: Column | None,
    objective: GameObjective,
    width: int,
) -> Bools | None:
    """Whether the generator loses [rows of d]; None where its loss does not tell."""
    if g is None or objective.generator_lost is None or record.has_other_terms(f"generator{pair}"):
        return None
    steps, _, values = common(d, g)
    if len(steps) < _FEWEST:
        return None
    high: Bools = smoothed(values, width) > objective.generator_lost
    at = np.clip(np.searchsorted(steps, d.steps), 0, len(steps) - 1)
    found: Bools = high[at]
    return found


def _saturated(record: TrainingRecord, pair: str, steps: Ints) -> Bools | None:
    """Whether outputs on real rows and samples lie at opposite ends [steps]; None without them."""
    real = record.get(f"discriminator{pair}/real")
    fake = record.get(f"discriminator{pair}/fake")
    if real is None or fake is None:
        return None
    its, p, q = common(real, fake)
    if len(its) < _FEWEST:
        return None
    shares = min(p.min(), q.min()) >= 0 and max(p.max(), q.max()) <= 1
    apart = (p > 0.95) & (q < 0.05) if shares else p - q > 8
    at = np.clip(np.searchsorted(its, steps), 0, len(its) - 1)
    found: Bools = apart[at]
    return found


def _median_from(column: Column | None, step: int) -> float | None:
    if column is None:
        return None
    values = column.values[column.steps >= step]
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None


def _at_chance(
    record: TrainingRecord, pair: str, d: Column, objective: GameObjective
) -> Iterator[Finding]:
    """Discriminator that tells nothing apart, to the end."""
    if objective.chance is None or not objective.sure or len(d.values) < 12:
        return
    last = d.values[-_count(len(d.values)) :]
    off = abs(float(np.median(last)) - objective.chance)
    allowed = _NEAR_CHANCE * objective.chance
    if off > allowed or float(np.quantile(np.abs(last - np.median(last)), 0.9)) > allowed:
        return
    start = lasting_from(np.abs(d.values - objective.chance) <= 2 * allowed)
    first = None if start is None else int(d.steps[start])
    yield Finding(
        "ADV002",
        f"The discriminator hardly tells real from generated: its loss is "
        f"{float(np.median(last)):.3g} over the last fifth, and {objective.chance:.3g} is that of "
        f"guessing ({objective.why}).",
        player=f"discriminator{pair}",
        first_step=first,
        last_step=int(d.steps[-1]),
        evidence={"discriminator_loss": float(np.median(last)), "chance": objective.chance},
    )
