"""Steps of a run, done again in the sandbox while every operation is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from dlcc.errors import ForeignCodeError, IsolationError, SnapshotError, TraceError
from dlcc.records import Config, Samples, Snapshots, Sources
from dlcc.sandbox import Bounds, Session, best_level
from dlcc.stage import NotApplicable
from dlcc.stages.consistency.quantities import judges_of
from dlcc.stages.recorded_state import (
    RecordedState,
    Tensors,
    entry_of,
    read_recorded_state,
)
from dlcc.tracing.graph import OUTSIDE, PARAMETER, Leaf, StepGraph, Update, tensor_name
from dlcc.tracing.losses import StepLoss
from dlcc.tracing.rerun import Rerun, check_step, leaves_of
from dlcc.tracing.roles import row_texts
from dlcc.tracing.second_opinion import differences, differing_roots, noise_for, told_losses
from dlcc.typing import Floats

_STEPS = 2
_MEMORY = 3 << 30
_UNSEEN = "something that no operation shows has a part in its loss"
_LARGEST_STATE = 256 << 20  # bytes of a snapshot


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


def trace_steps(
    config: Config,
    sources: Sources | None,
    snapshots: Snapshots | None,
    samples: Samples | None,
    *,
    trust: bool,
    seconds: float,
    states: Mapping[int, RecordedState] | None = None,
) -> TracedSteps:
    """Trace a few steps of a run by its own code, from the last snapshots that it can resume.

    Args:
        config: Configuration of the run.
        sources: Code that the run holds.
        snapshots: Snapshots of the run.
        samples: Samples of the run, whose reference tells which batches are training data.
        trust: Whether the code may run where no sandbox can isolate it.
        seconds: Time that the code may take.
        states: Step -> state of a snapshot that was read already.

    Returns:
        What each optimiser minimised, or why that cannot be told.
    """
    if sources is None or snapshots is None:
        return TracedSteps(why_none="the run holds no code, or no snapshot to do a step from")
    try:
        entry = entry_of(config, sources)
        level = best_level(trust)
        begun = _states(snapshots, config.length, states or {})
    except (NotApplicable, IsolationError) as error:
        return TracedSteps(why_none=str(error))
    bounds = Bounds(seconds, _MEMORY)
    reference = None if samples is None else samples.reference
    updates: list[TracedUpdate] = []
    steps: list[TracedStep] = []
    try:
        with Session(sources.paths, level, bounds) as session:
            for state in begun:
                newest = state is begun[0]
                unwatched = _stepped(session, entry, config, state) if newest else None
                session.build(entry, config.config)
                session.load(state.tree, state.data)
                graph, tensors = session.trace(state.step)
                _check_weights(graph, tensors, state)
                if unwatched is not None:
                    _check_alike(unwatched, session.weights())
                steps.append(_step(graph, tensors, state.step, reference, following=False))
                updates += updates_of(steps[-1])
                if newest:  # what a step leaves behind shows in the next one
                    graph, tensors = session.trace(state.step + 1)
                    steps.append(_step(graph, tensors, state.step + 1, reference, following=True))
                    updates += _of_whole_steps(updates, updates_of(steps[-1]))
            updates = _with_second_opinion(session, begun[0], steps[0], updates)
    except (ForeignCodeError, TraceError) as error:
        if not updates:
            return TracedSteps(why_none=f"no step could be traced: {error}")
    return TracedSteps(tuple(updates), steps=tuple(steps))


def states_of(snapshots: Snapshots | None) -> dict[int, RecordedState]:
    """Read the states of the first, the second and the last snapshot that can be resumed.

    Those that are damaged, or too large to be looked at beside the rest, are left out.
    """
    resumable = [s for s in snapshots or () if s.resumable]
    found = {}
    for snapshot in (*resumable[:2], *resumable[2:][-1:]):
        size = sum(file.stat().st_size for file in snapshot.path.iterdir() if file.is_file())
        if size <= _LARGEST_STATE:
            with suppress(SnapshotError, OSError):
                found[snapshot.step] = read_recorded_state(snapshot)
    return found


def _states(
    snapshots: Snapshots, length: int, known: Mapping[int, RecordedState]
) -> list[RecordedState]:
    """Read the last snapshots that a step can be done from, the newest first."""
    found: list[RecordedState] = []
    for snapshot in reversed(list(snapshots)):
        if len(found) == _STEPS:
            break
        try:
            if snapshot.resumable and snapshot.step < length:
                found.append(known.get(snapshot.step) or read_recorded_state(snapshot))
        except SnapshotError:
            continue
    if not found:
        raise NotApplicable("no snapshot of the run can be resumed")
    return found


def _step(
    graph: StepGraph,
    arrays: Tensors,
    step: int,
    reference: Floats | None,
    *,
    following: bool,
) -> TracedStep:
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    return TracedStep(step, graph, tensors, graph.updates, reference, following)


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


def _with_second_opinion(
    session: Session, state: RecordedState, traced: TracedStep, updates: Sequence[TracedUpdate]
) -> list[TracedUpdate]:
    """Take back the losses of players of whom one is not what its operations give where players
    return a little more. Code that cannot be disturbed, such as one that checks what it is given,
    is left as it is."""
    try:
        noise = noise_for(traced.graph, traced.leaves, state.step)
        if not noise:
            return list(updates)
        session.load(state.tree, state.data)
        made = session.disturb(state.step, {place: n.numpy() for place, n in noise.items()})
        told = told_losses(made, len(traced.graph.roots))
        found = differences(traced.graph, traced.leaves, noise, *told)
    except (ForeignCodeError, TraceError):
        return list(updates)
    tried = [u for u in updates if u.loss is not None and u.step == traced.step]
    doubts = {u.players: differing_roots(u.loss.update, found) for u in tried if u.loss}
    return [
        replace(update, loss=None, why_no_loss=f"{_UNSEEN}: {doubts[update.players]}")
        if doubts.get(update.players)
        else replace(update, agreed=update in tried)
        for update in updates
    ]


def _of_whole_steps(
    before: Sequence[TracedUpdate], following: Sequence[TracedUpdate]
) -> Iterator[TracedUpdate]:
    """Take back faults of optimisers that did not step in the step before: they may add up the
    gradients of several steps."""
    stepped = {update.players for update in before}
    for update in following:
        if update.fault and update.players not in stepped:
            why = "its optimiser may add up the gradients of several steps"
            yield replace(update, fault="", why_no_loss=why, loss=None)
        else:
            yield update


def _stepped(session: Session, entry: str, config: Config, state: RecordedState) -> Tensors:
    """Weights after a step that nobody records."""
    session.build(entry, config.config)
    session.load(state.tree, state.data)
    session.step(state.step, 1, [])
    return session.weights()


def _check_alike(unwatched: Tensors, watched: Tensors) -> None:
    """Hold the weights after a recorded step against those after the same step unrecorded.

    Raises:
        TraceError: They differ: the code does something else while it is watched.
    """
    for name, plain in unwatched.items():
        other = watched.get(name)
        if (
            other is None
            or other.shape != plain.shape
            or not np.allclose(plain, other, rtol=1e-4, atol=1e-7, equal_nan=True)
        ):
            raise TraceError(f"a step does something else while it is recorded ({name} differs)")


def _check_weights(
    graph: StepGraph, arrays: Mapping[str, np.ndarray], state: RecordedState
) -> None:
    """Hold the weights that the step began with against the snapshot's.

    Raises:
        TraceError: They are others: what was traced is no step of the record.
    """
    seen: set[str] = set()
    for index, node in enumerate(graph.nodes):
        if not isinstance(node, Leaf) or node.kind != PARAMETER or node.name in seen:
            continue
        seen.add(node.name)
        recorded = state.weights.get(node.name)
        if recorded is not None and not np.array_equal(
            recorded, arrays[tensor_name(index)], equal_nan=True
        ):
            raise TraceError(f"the step did not begin with the snapshot's weights ({node.name})")
