"""Pulls of adversarial losses: where each player draws the discriminator's outputs.

A discriminator must draw its outputs on real data and on samples apart, and a generator must draw
those on its samples to the side of real data. Which side is up, what the targets are, and which
terms are added to it, is free; so nothing of this depends on the objective that was declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dlcc.errors import TraceError
from dlcc.findings import Finding
from dlcc.stages.consistency.checks.quantities import gives_probabilities, judges_of
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.steps.traced_steps import TracedSteps, TracedUpdate
from dlcc.tracing.losses import StepLoss, Variable
from dlcc.tracing.roles import FAKE, REAL
from dlcc.typing import Floats

_LOGITS = np.linspace(-6.0, 6.0, 25)
_PROBABILITIES = np.linspace(0.02, 0.98, 25)
_FLAT = 1e-6  # of the loss's range, within which outputs are as good as the best


@dataclass(frozen=True)
class Pull:
    """Outputs of the discriminator that a loss is least at, for one sort of rows."""

    best: Floats
    """Outputs that are as good as the best, ascending."""

    @property
    def centre(self) -> float:
        """Middle of them."""
        return float(self.best.mean())


def pull(loss: StepLoss, role: str) -> Pull | None:
    """Find the outputs on rows of a role at which a loss is least, all else as it was.

    Args:
        loss: Loss of a step in which one player judges.
        role: Role of the rows, such as `real`.

    Returns:
        The pull; None where no player judges such rows by one output, or the loss does not depend
        on it.

    Raises:
        TraceError: An operation cannot be run again.
    """
    judges = judges_of(loss)
    judged = [v for v in loss.variables if v.sort == "output" and v.player in judges]
    moved = [v for v in judged if v.role == role]
    if len(judges) != 1 or len({(v.path, v.part) for v in moved}) != 1:
        return None  # features beside the output are no verdict
    grid = _PROBABILITIES if gives_probabilities(loss) else _LOGITS
    values = np.array([_at(loss, moved, float(c)) for c in grid])
    spread = float(np.ptp(values)) if np.isfinite(values).all() else 0.0
    if spread <= 1e-9 * (1 + float(np.abs(values).max())):
        return None
    return Pull(grid[values <= values.min() + _FLAT * spread])


def check_pulls(ledger: Ledger, traced: TracedSteps) -> None:
    """Check that players draw the discriminator's outputs to where they should, in every step that
    was traced: labels may be flipped in one of them on purpose."""
    pulls = list(_pulls(traced))
    if not pulls:
        return
    same = all(_same(real, fake) for real, fake, _ in pulls)
    message = "The discriminator draws its outputs on real data and on samples to the same."
    _note(ledger, "discriminator", "real data and samples are drawn apart", message * same)
    sided = [(real, fake, made) for real, fake, made in pulls if made is not None]
    if same or not sided:
        return
    wrong = all(_on_other_side(*sides) for sides in sided)
    real, fake, made = (side.centre for side in sided[0])
    message = (
        f"It draws the discriminator's output on its samples to {made:.3g}, where real data "
        f"are drawn to {real:.3g} and samples to {fake:.3g}."
    )
    _note(ledger, "generator", "its samples are drawn to the side of real data", message * wrong)


def _pulls(traced: TracedSteps) -> Iterator[tuple[Pull, Pull, Pull | None]]:
    """Pulls on real data and on samples by the discriminator, and on samples by the generator, of
    each step in which they are seen."""
    makers = {update.step: update for update in traced.of_player("generator")}
    for update in traced.of_player("discriminator"):
        real, fake = _pull_of(update, REAL), _pull_of(update, FAKE)
        if real is None or fake is None:
            continue
        maker = makers.get(update.step)
        yield real, fake, None if maker is None else _pull_of(maker, FAKE)


def _pull_of(update: TracedUpdate, role: str) -> Pull | None:
    if update.loss is None or update.fault:
        return None
    try:
        return pull(update.loss, role)
    except TraceError:
        return None


def _same(real: Pull, fake: Pull) -> bool:
    return real.best.shape == fake.best.shape and bool((real.best == fake.best).all())


def _on_other_side(real: Pull, fake: Pull, made: Pull) -> bool:
    """Whether samples are drawn farther from real data than the discriminator draws them, or as
    far."""
    return (made.centre - fake.centre) * (real.centre - fake.centre) <= 0


def _at(loss: StepLoss, moved: Sequence[Variable], output: float) -> float:
    values = {v: torch.full_like(v.recorded, output) for v in moved}
    return float(loss(values).detach()) / loss.scale


def _note(ledger: Ledger, player: str, claim: str, message: str) -> None:
    """Note a claim: as refuted where there is a message."""
    id_, statement = f"property/{player}/pull", f"{player}: {claim}"
    how = f"the loss at {len(_LOGITS)} outputs of each"
    if message:
        finding = Finding("LOG005", message, player=player)
        ledger.refuted(id_, "symbolic", statement, how, finding)
    else:
        ledger.held(id_, "symbolic", statement, how)
