"""Rivalry of a game: bounds that hold as long as its players work against each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlcc.detect.departure import departure
from dlcc.detect.objective import GameObjective, game_objective
from dlcc.detect.training_record import TrainingRecord, common, lasting_from, smoothed, thinned
from dlcc.findings import Finding
from dlcc.typing import Bools, Floats

_FEWEST = 12
_MOST_ROWS = 5_000  # blocks of a longer record, over whose means running medians are taken
_LAST = 0.2
_MOST_OF_IT = 0.8
_BEYOND = 1.2
"""Sum of both sides' geometric mean probabilities from which on a game is none; 1 is the bound."""
_UNDER = 0.7  # of the bound of hinge and least squares
_DOUBLE = 2.0  # a discriminator's loss, in that of guessing, from which on it is fooled
_FAR = 8.0  # the same, from which on a generator that does better than at first is enough
_POOR, _EASY = 1.25, 0.5
"""The same pair under an objective that is sure: no penalty in its loss explains both."""
_ONCE, _WORSE = 0.9, 1.03
"""Parts of the loss of guessing: one that was once under the first and is over the second to the
end, against a generator that does better than ever, is not updated any more."""
_BEYOND_NOISE = 8.0  # median changes from row to row that a loss moves by, over the training
_MIRRORED = 0.2
"""Spread of the sum of both losses, in that of one, up to which one mirrors the other. In games of
two players that learn it is above 1."""
_LINEAR = ("hinge", "wgan", "wgangp")
"""Objectives whose generator's loss is linear in the output on samples."""
_FOOLED = 0.1  # the generator's loss, in ln 2, under which it fools the discriminator always
_DEAD = 5e-4  # relative distance from guessing that rounding to four digits may leave
_ALIVE = 2e-3  # and the one that a discriminator that once told something shows


def check_rivalry(record: TrainingRecord) -> Iterator[Finding]:
    """Find games whose players do not play against each other, or of which one does not play.

    For any outputs of a discriminator, Jensen's inequality bounds what both players can have at
    once. With cross-entropy the discriminator's loss on samples is -log(1 - D) and the generator's
    -log D, so that exp(-d) + exp(-g) is 1 at most; with the hinge d + g is 1 at least; with least
    squares (halved) sqrt(2 d) + sqrt(2 g) is 1 at least. Means over epochs keep to these bounds.
    Both losses below them mean that one works for the other: swapped labels, a wrong sign.

    Args:
        record: Record of the training.

    Yields:
        At most one finding for each adversarial pair.
    """
    for pair in record.pairs if record.is_game else ():
        d, g = record.loss_of(f"discriminator{pair}"), record.loss_of(f"generator{pair}")
        if d is None or g is None or record.has_other_terms(f"generator{pair}"):
            continue
        steps, of_d, of_g = common(thinned(d, _MOST_ROWS), thinned(g, _MOST_ROWS))
        if len(steps) < _FEWEST:
            continue
        objective = game_objective(record, pair)
        width = min(101, 2 * (len(steps) // 100) + 1)
        of_d, of_g = smoothed(of_d, width), smoothed(of_g, width)
        for code, holds, player, text in _cases(pair, objective, of_d, of_g):
            last = holds[-max(3, round(_LAST * len(holds))) :]
            start = lasting_from(holds) if last.mean() >= _MOST_OF_IT else None
            if start is None:
                continue
            began = departure(of_d, start)
            yield Finding(
                code,
                f"{text}: from {record.unit} {int(steps[start]):,} on the discriminator's loss is "
                f"{float(np.median(of_d[start:])):.3g}, the generator's "
                f"{float(np.median(of_g[start:])):.3g} ({objective.why}).",
                player=player,
                first_step=int(steps[began]),
                last_step=int(steps[-1]),
                evidence={
                    "discriminator_loss": float(np.median(of_d[start:])),
                    "generator_loss": float(np.median(of_g[start:])),
                    "objective": objective.name,
                },
            )
            break


def _cases(
    pair: str, objective: GameObjective, d: Floats, g: Floats
) -> Iterator[tuple[str, Bools, str, str]]:
    """Codes with whether each holds [rows], the player and the sentence's beginning."""
    together = _together(objective, d, g)
    if together is not None:
        yield "ADV007", together, f"generator{pair}", "The players do not work against each other"
    if objective.name in _LINEAR and _is_fixed(objective, d, g):
        text = "The discriminator is not updated, for its loss is a constant less the generator's"
        yield "ADV005", np.ones(len(d), dtype=np.bool_), f"discriminator{pair}", text
    fooled = _fooled(objective, d, g)
    if fooled is not None:
        text = "The discriminator does not learn what the generator does"
        yield "ADV005", fooled, f"discriminator{pair}", text
    if objective.chance is not None and objective.name in ("ns", "mm", "hinge"):
        off = np.abs(d / objective.chance - 1)
        if float(off.max()) >= _ALIVE:
            text = "The discriminator gives the same output for everything"
            yield "ADV008", off <= _DEAD, f"discriminator{pair}", text


def _together(objective: GameObjective, d: Floats, g: Floats) -> Bools | None:
    """Whether both losses are lower than any discriminator's outputs could make them."""
    if objective.name == "hinge" and not objective.sure:
        # a generator's loss below 0 has D above 0 on samples, whatever its factor, and costs the
        # discriminator 1 under the hinge, -g under minimax; a cross-entropy is not negative
        return np.asarray((g < -1.0) & (d < 0.1))
    undecided = 0.3 < float(np.median(np.abs(g[: max(1, len(g) // 50)]))) < 1.4
    if not objective.sure and not undecided:
        return None  # a generator's loss with a factor of its own is small from the first row on
    # a loss may be the mean of its two sides: the sum is what the bound is for
    entropy = np.exp(-2 * np.clip(d, -50, None)) + np.exp(-np.clip(g, -50, None)) > _BEYOND
    hinge = 2 * d + g < _UNDER
    squares = (d >= 0) & (g >= 0) & (np.sqrt(2 * np.abs(d)) + np.sqrt(2 * np.abs(g)) < _UNDER)
    if objective.name in ("ns", "relativistic"):
        # its name may be a guess from the first rows: all bounds have to be broken
        return np.asarray(entropy & hinge & squares)
    if objective.name == "hinge":
        return np.asarray(hinge & entropy)
    if objective.name == "ls":
        return np.asarray(squares)
    return None


def _is_fixed(objective: GameObjective, d: Floats, g: Floats) -> bool:
    """Whether the generator climbs a discriminator that stands still.

    With losses that are linear in the output on samples (Wasserstein, or a hinge within its margin)
    the generator's is -f and the discriminator's f and what it says of real rows. Where it stands
    still, the latter is constant, and so is the sum of both losses while f rises. A discriminator
    that learns answers. Under minimax the sum is its loss on real rows, near 0 and constant where
    it knows them, so that such a sum says nothing where the objective is a guess.
    """
    if not objective.sure and 0 <= float(np.median(d + g)) < np.log(2):
        return False
    tenth, fifth = max(3, len(d) // 10), max(3, len(d) // 5)
    risen = float(np.median(d[-fifth:]) - np.median(d[:tenth]))
    fallen = float(np.median(g[:tenth]) - np.median(g[-fifth:]))
    moved = min(risen, fallen) > _BEYOND_NOISE * float(np.median(np.abs(np.diff(d))))
    still = float(np.std(d + g)) < _MIRRORED * min(float(np.std(d)), float(np.std(g)))
    return moved and still and abs(risen - fallen) < _MIRRORED * risen


def _fooled(objective: GameObjective, d: Floats, g: Floats) -> Bools | None:
    """Whether the generator always fools a discriminator that loses for it."""
    if objective.chance is None:
        return None
    losing = d > _DOUBLE * objective.chance
    if objective.name == "ns":
        far = (d > _FAR * objective.chance) & (g < np.log(2))
        if objective.sure:
            far |= (d > _POOR * objective.chance) & (g < _EASY * np.log(2))
        if objective.sure and d.min() < _ONCE * objective.chance:
            # a discriminator that learns need not be worse than one that guesses
            far |= (d > _WORSE * objective.chance) & (g < g[d < _ONCE * objective.chance].min())
        return np.asarray(far | (losing & (g < _FOOLED * np.log(2))))
    if objective.name == "hinge":
        return np.asarray(losing & (g < -1.0))
    return None
