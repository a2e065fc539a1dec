"""Traced steps of a run, and what each of their optimisers minimised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from torch import Tensor

from dlcc.errors import TraceError
from dlcc.stages.consistency.checks.quantities import judges_of
from dlcc.tracing.graph import OUTSIDE, Leaf, StepGraph, Update
from dlcc.tracing.losses import StepLoss
from dlcc.tracing.rerun import Rerun, check_step, leaves_of
from dlcc.tracing.roles import row_texts
from dlcc.typing import Floats


@dataclass(frozen=True)
class TracedUpdate:
    """Loss that one step of an optimiser minimised."""

    step: int
    """Step of the training."""
    players: tuple[str, ...]
    """Players that it updated."""
    loss: StepLoss | None
    """Loss; None where there was none, or it cannot be computed again."""
    fault: str
    """Fault of it in words; empty for none."""
    why_no_loss: str
    """Reason why there is no loss; empty where there is one."""
    following: bool = False
    """Whether it is of the step after a snapshot's, whose weights nothing vouches for."""
    factor: float | None = None
    """Factor from the loss's gradient to the one that was used; None where there is none."""
    agreed: bool = False
    """Whether the code's loss is that of its operations with noise on what players return, too."""


@dataclass(frozen=True)
class TracedStep:
    """Step of the training that was traced."""

    step: int
    """Step of the training."""
    graph: StepGraph
    """Operations."""
    tensors: Mapping[str, Tensor]
    """Numbers of leaves and gradients by name."""
    updates: tuple[Update, ...]
    """Optimisers' steps, each with the roots whose gradients it used."""
    reference: Floats | None
    """Rows of the training data; None where they are not known."""
    following: bool
    """Whether it was done on from the step before it."""

    @cached_property
    def leaves(self) -> dict[int, Tensor]:
        """Leaf's index -> its numbers."""
        return leaves_of(self.graph, self.tensors)

    @cached_property
    def plain(self) -> Rerun:
        """Values of the nodes, as they were in the step."""
        return Rerun(self.graph, self.leaves)

    @cached_property
    def training_rows(self) -> tuple[int, ...]:
        """Places in the reference of the training data that were taken, of the first batch of them;
        none where they are not known, or are all of it."""
        if self.reference is None:
            return ()
        where = {text: place for place, text in enumerate(row_texts(np.asarray(self.reference)))}
        for index, node in enumerate(self.graph.nodes):
            if not isinstance(node, Leaf) or node.kind != OUTSIDE:
                continue
            value = self.leaves[index]
            if value.ndim > 1 and value.is_floating_point():
                found = [where.get(text, -1) for text in row_texts(value.float().numpy())]
                if found and min(found) >= 0 and len(found) < len(where):
                    return tuple(found)
        return ()


@dataclass(frozen=True)
class TracedSteps:
    """Optimisers' steps of a run that were traced."""

    updates: tuple[TracedUpdate, ...] = ()
    """The last step of each optimiser in each training step that was done again."""
    why_none: str = ""
    """Reason why nothing was traced; empty where something was."""
    steps: tuple[TracedStep, ...] = ()
    """Steps of the training that were done again."""
    resized: tuple[TracedUpdate, ...] = ()
    """Updates of one of these steps with batches of another size; none where it cannot be set."""
    sizes: tuple[int, int] = (0, 0)
    """Rows of a batch as it was, and of the other size."""

    @cached_property
    def written(self) -> frozenset[str]:
        """Names `player/weight` of what the code wrote itself, outside of optimisers' steps."""
        return frozenset(name for step in self.steps for name in step.graph.written)

    @property
    def players_by_hand(self) -> frozenset[str]:
        """Players whose weights the code writes itself, in full or in part."""
        return frozenset(name.partition("/")[0] for name in self.written)

    @property
    def with_other_batches(self) -> TracedSteps:
        """Updates with batches of the other size, in place of those as they were."""
        return replace(self, updates=self.resized, resized=())

    def of_player(self, player: str) -> tuple[TracedUpdate, ...]:
        """Updates of a role: `discriminator`, the player that judges, or `generator`, any other."""
        found = []
        for update in self.updates:
            judges = judges_of(update.loss) if update.loss is not None else set()
            judged = bool(judges & set(update.players))
            if judges and judged == (player == "discriminator"):
                found.append(update)
        return tuple(found)

    def why_none_of(self, player: str) -> str:
        """Say why there is no update of a role: `discriminator`, `generator` or `training`."""
        if self.why_none:
            return self.why_none
        without = next((u for u in self.updates if u.loss is None), None)
        if without is not None:
            who = " and ".join(without.players) or "an optimiser"
            return f"what {who} minimises cannot be told: {without.fault or without.why_no_loss}"
        losses = [u.loss for u in self.updates if u.loss is not None]
        judges = set().union(*map(judges_of, losses))
        if player == "training":
            return "several optimisers step, and the formula gives one loss of all"
        if not judges:
            return "no player judges what another one made, so that none is the discriminator"
        if len(judges) > 1:
            named = " and ".join(sorted(judges))
            return f"{named} judge, and which of them the formula means cannot be told"
        steps = " and ".join(f"{step:,}" for step in sorted({u.step for u in self.updates}))
        return f"the {player} was not updated at the steps that were traced ({steps})"

    def of_all(self) -> tuple[TracedUpdate, ...]:
        """Updates of a training that one optimiser's step makes; none where there are several."""
        return self.updates if len({update.players for update in self.updates}) == 1 else ()


def updates_of(traced: TracedStep) -> list[TracedUpdate]:
    """Run a recorded step again outside, and take the last update of each set of players."""
    checked = check_step(traced.graph, traced.leaves, traced.tensors)
    found = {}
    for update, factor, fault, unknown in zip(
        checked.updates, checked.scales, checked.faults, checked.unknown, strict=True
    ):
        loss, why = None, fault or unknown
        if update.roots and not unknown:
            try:
                loss = StepLoss(traced.graph, traced.leaves, update, traced.reference, factor)
            except TraceError as error:
                loss, why = None, str(error)
        found[update.players] = TracedUpdate(
            traced.step, update.players, loss, fault, why, traced.following, factor
        )
    return list(found.values())
