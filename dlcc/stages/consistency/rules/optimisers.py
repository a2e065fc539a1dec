"""Rules of optimisers: each weight that a loss trains is stepped by one of them, once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from dlcc.stages.consistency.checks.quantities import judges_of
from dlcc.stages.consistency.rules.breach import Breach, Evidence
from dlcc.stages.consistency.rules.recorded_optimisers import (
    optimisers_of,
    players_of,
    weight_shapes,
)
from dlcc.stages.consistency.steps.traced_steps import TracedStep
from dlcc.tracing.graph import Leaf, Operation
from dlcc.tracing.passage import reached_weights
from dlcc.tracing.roles import FAKE, NOISY_FAKE

_FEWEST_ROWS = 5
_SHOWN = 3
_ROUNDING = 1e-3


def left_out(evidence: Evidence) -> Iterator[Breach]:
    """Weights of a trained player that a gradient reaches, and that no optimiser holds."""
    held = {
        name
        for step in evidence.traced.steps
        for update in step.graph.updates
        for name in update.parameters
    }
    if _hold_all(evidence):
        return
    seen: set[str] = set()
    for step in evidence.traced.steps:
        for update in step.updates:
            reached = {
                name
                for root in update.roots
                for name in reached_weights(step.graph, step.graph.roots[root].node)
            }
            for player in set(update.players) - seen:
                loose = reached - held - evidence.traced.written
                missing = sorted(n for n in loose if n.partition("/")[0] == player)
                if missing and not _is_backbone(step, player, missing, held):
                    seen.add(player)
                    named = ", ".join(missing[:_SHOWN]) + ", ..." * (len(missing) > _SHOWN)
                    message = f"No optimiser holds {named}, though the {player}'s loss reaches it."
                    yield Breach("LOG011", message, player, step.step)


def _hold_all(evidence: Evidence) -> bool:
    """Whether optimisers in a snapshot hold as many weights as players have: some may wait."""
    for state in evidence.states.values():
        held = sum(len(g.get("params", ())) for o in optimisers_of(state) for g in o.groups)
        return held >= sum(len(weight_shapes(state, p)) for p in players_of(state))
    return False


def _is_backbone(step: TracedStep, player: str, missing: list[str], held: set[str]) -> bool:
    """Whether weights that are left out come before all that are held: what is fine-tuned is the
    head."""
    first: dict[str, int] = {}
    for index, node in enumerate(step.graph.nodes):
        for use in node.uses() if isinstance(node, Operation) else ():
            leaf = step.graph.nodes[use.node]
            if isinstance(leaf, Leaf) and leaf.name.startswith(f"{player}/"):
                first.setdefault(leaf.name, index)
    kept = [first[name] for name in first if name in held]
    return bool(kept) and max(first[name] for name in missing if name in first) < min(kept)


def never_stepped(evidence: Evidence) -> Iterator[Breach]:
    """Players that gradients reach and no optimiser ever steps."""
    reached = {
        name.partition("/")[0]
        for step in evidence.traced.steps
        for root in step.graph.roots
        for name in reached_weights(step.graph, root.node)
    }
    beside = {
        v.player
        for update in evidence.traced.updates
        if update.loss is not None
        for v in update.loss.variables
        if v.sort == "output"
    } - {j for u in evidence.traced.updates if u.loss is not None for j in judges_of(u.loss)}
    by_hand = evidence.traced.players_by_hand
    for player in sorted(
        reached - beside - by_hand
    ):  # features that are compared are often left as they are
        counts = evidence.series.columns.get(f"{player}/updates")
        if counts is None or len(counts.values) < _FEWEST_ROWS or np.any(counts.values > 0):
            continue
        if counts.steps[-1] < evidence.config.length - 1:
            continue  # it may wait for another player
        norms = evidence.series.columns.get(f"{player}/update_norm")
        if norms is not None and np.any(norms.values > 0):
            continue  # it moves without one
        message = f"No optimiser ever steps the {player}'s weights, though a loss reaches them."
        yield Breach("LOG011", message, player, int(counts.steps[0]))


def stepped_twice(evidence: Evidence) -> Iterator[Breach]:
    """Two steps of an optimiser on one gradient."""
    for step in evidence.traced.steps:
        for first, second in pairwise(step.graph.updates):
            if first.roots and first.parameters and first == second:
                who = " and ".join(first.players)
                message = f"An optimiser of {who} stepped twice on one gradient."
                player = first.players[0] if len(first.players) == 1 else None
                yield Breach("LOG011", message, player, step.step)
                return


def holds_the_judge(evidence: Evidence) -> Iterator[Breach]:
    """An optimiser that is to fool a judge, and holds the judge's weights, too."""
    alone = {update.players for update in evidence.traced.updates}
    for update in evidence.traced.updates:
        if update.loss is None:
            continue
        outputs = [v for v in update.loss.variables if v.sort == "output"]
        for judge in sorted(judges_of(update.loss) & set(update.players)):
            roles = {v.role for v in outputs if v.player == judge}
            others = tuple(p for p in update.players if p != judge)
            if others in alone:  # one of its own besides: this one is for a loss that both share
                continue
            if roles <= {FAKE, NOISY_FAKE} and others and (judge,) in alone:
                who = " and ".join(others)
                message = f"The optimiser of {who} holds the {judge}'s weights, too, to fool it."
                yield Breach("LOG011", message, others[0], update.step)
                return


def scale_is_undone(evidence: Evidence) -> Iterator[Breach]:
    """Losses that are scaled for half precision, whose gradients are used as they are."""
    for update in evidence.traced.updates:
        if update.loss is None or update.factor is None or update.loss.scale == 1:
            continue
        times = update.factor * update.loss.scale  # clipping can only make it less
        if times > 1 + _ROUNDING:
            who = " and ".join(update.players)
            message = (
                f"The loss of {who} is multiplied by {update.loss.scale:g}, and the gradient that "
                f"its optimiser used is {times:.4g} times that of the loss itself."
            )
            player = update.players[0] if len(update.players) == 1 else None
            yield Breach("LOG010", message, player, update.step)
            return
