"""Rules of batches: what is drawn is drawn anew, and goes where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch

from dlcc.stages.consistency.rules.breach import Breach, Doubt, Evidence
from dlcc.stages.consistency.rules.drawn import noise_of
from dlcc.stages.consistency.steps.traced_steps import TracedStep
from dlcc.tracing.graph import Operation
from dlcc.tracing.operators import base_name
from dlcc.tracing.roles import FAKE, REAL

_FEWEST = 8  # numbers, and rows, under which two draws may be equal by chance
_NORMALISATIONS = ("native_batch_norm", "_native_batch_norm_legit", "_batch_norm_with_update")
_TRAINING = 5  # place of the flag among a normalisation's arguments
_BATCHES_SEEN = "num_batches_tracked"
_MOST_ROWS = 2_000
_DRAWS = 200
_SURE = 0.01


def same_noise(evidence: Evidence) -> Iterator[Breach]:
    """Random numbers that two steps in a row have drawn alike."""
    for first, second in _following(evidence):
        earlier = [v for v in noise_of(first) if len(torch.unique(v)) >= _FEWEST]
        for value in noise_of(second):
            if any(v.shape == value.shape and torch.equal(v, value) for v in earlier):
                message = (
                    f"Steps {first.step:,} and {second.step:,} drew the same random numbers: the "
                    "generator of random numbers is set anew at each step."
                )
                yield Breach("LOG012", message, None, second.step)
                return


def same_batch(evidence: Evidence) -> Iterator[Breach]:
    """Training data that steps in a row, and one from another snapshot, have taken alike: some
    trainings take each batch several times on purpose."""
    for first, second in _following(evidence):
        rows, others = first.training_rows, second.training_rows
        apart = [s for s in evidence.traced.steps if s is not first and s is not second]
        if not any(sorted(step.training_rows) == sorted(rows) for step in apart):
            continue
        known = 0 if first.reference is None else len(first.reference)
        if _FEWEST <= len(rows) < known and sorted(rows) == sorted(others):
            message = (
                f"Steps {first.step:,} and {second.step:,} took the same {len(rows)} rows of "
                f"{known:,}: the data do not go on."
            )
            yield Breach("LOG012", message, None, second.step)
            return


def in_order(evidence: Evidence) -> Iterator[Breach]:
    """Batches that follow the order of data which have one, such as by class."""
    for first, second in _following(evidence):
        rows = first.training_rows
        others = second.training_rows
        if min(len(rows), len(others)) < _FEWEST or first.reference is None:
            continue
        runs = all(b == a + 1 for a, b in pairwise(rows)) and all(
            b == a + 1 for a, b in pairwise(others)
        )
        if runs and rows != others and _has_order(np.asarray(first.reference)):
            message = (
                f"Steps {first.step:,} and {second.step:,} took rows {rows[0]:,} to {rows[-1]:,} "
                f"and {others[0]:,} to {others[-1]:,}: the data are not shuffled, and rows "
                "beside each other are alike."
            )
            yield Breach("LOG016", message, None, second.step)
            return


def mixed_normalisation(evidence: Evidence) -> Iterator[Breach]:
    """Batch normalisation over training data and samples at once."""
    for update in evidence.traced.updates:
        if update.loss is None:
            continue
        step = next(s for s in evidence.traced.steps if s.step == update.step)
        roles: dict[int, set[str]] = {}
        for variable in update.loss.variables:
            if variable.sort == "output":
                for node, _ in variable.places:
                    roles.setdefault(node, set()).add(variable.role)
        for call in step.graph.calls:
            given = set().union(*(roles.get(node, set()) for node in call.outputs))
            if {REAL, FAKE} <= given and _normalises(step, call.number, training=True):
                message = (
                    f"The {call.player} normalises training data and samples as one batch, so "
                    "that each sees the other's moments."
                )
                yield Breach("LOG015", message, call.player, update.step)
                return


def evaluation_mode(evidence: Evidence) -> Iterator[Breach | Doubt]:
    """Players that are trained in evaluation mode, without dropout and moments of the batch."""
    seen: set[str] = set()
    for step in evidence.traced.steps:
        for update in step.updates:
            ends = [step.graph.roots[root].node for root in update.roots]
            behind = step.graph.ancestors(ends)
            for player in sorted(set(update.players) - seen):
                calls = [
                    call
                    for call in step.graph.calls
                    if call.player == player and not call.path and behind & set(call.outputs)
                ]
                evaluates = calls and not any(call.training for call in calls)
                if evaluates and any(_normalises(step, c.number, training=False) for c in calls):
                    seen.add(player)
                    if _is_frozen(evidence, player):
                        yield Doubt(f"the moments of the {player} may be frozen on purpose")
                        continue
                    message = (
                        f"The {player} is trained in evaluation mode: dropout and batch "
                        "normalisation do nothing of their own."
                    )
                    yield Breach("LOG015", message, player, step.step)


def _is_frozen(evidence: Evidence, player: str) -> bool:
    """Whether a player's normalisations have seen batches, and none since the first snapshot: it
    was trained before, and is fine-tuned with the moments that it had."""
    counts = [
        {
            name: int(array)
            for name, array in state.state.items()
            if name.startswith(f"state/players/{player}/") and name.endswith(_BATCHES_SEEN)
        }
        for state in evidence.states.values()
    ]
    known = [each for each in counts if each]
    return bool(known) and all(each == known[0] and min(each.values()) > 0 for each in known)


def _following(evidence: Evidence) -> Iterator[tuple[TracedStep, TracedStep]]:
    """Pairs of steps in a row, the second of which was done on from the first."""
    for first, second in pairwise(evidence.traced.steps):
        if second.following and second.step == first.step + 1:
            yield first, second


def _normalises(step: TracedStep, call: int, *, training: bool) -> bool:
    """Whether batches of several rows are normalised within a call, by their own moments or not."""
    return any(
        isinstance(node, Operation)
        and call in node.inside
        and base_name(node.name) in _NORMALISATIONS
        and training in node.args[_TRAINING : _TRAINING + 1]
        and len(step.plain.value(next(node.uses()).node)) > 1  # one row is an instance's
        for node in step.graph.nodes
    )


def _has_order(rows: np.ndarray) -> bool:
    """Whether rows beside each other are more alike than rows drawn at random.

    The first rows of many tell it.
    """
    flat = rows[:_MOST_ROWS].reshape(min(len(rows), _MOST_ROWS), -1).astype(np.float64)
    beside = float(np.linalg.norm(np.diff(flat, axis=0), axis=1).mean())
    random = np.random.default_rng(0)
    drawn = [
        float(np.linalg.norm(np.diff(flat[random.permutation(len(flat))], axis=0), axis=1).mean())
        for _ in range(_DRAWS)
    ]
    return float(np.mean([d <= beside for d in drawn])) < _SURE
