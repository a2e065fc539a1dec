"""Tracing of a run's steps: done again in the sandbox while every operation is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch

from dlcc.errors import ForeignCodeError, IsolationError, SnapshotError, TraceError
from dlcc.records import Config, Samples, Snapshots, Sources
from dlcc.sandbox import Bounds, Session, best_level
from dlcc.stage import NotApplicable
from dlcc.stages.consistency.steps.traced_steps import (
    TracedStep,
    TracedSteps,
    TracedUpdate,
    updates_of,
)
from dlcc.stages.recorded_state import (
    RecordedState,
    Tensors,
    entry_of,
    read_recorded_state,
)
from dlcc.tracing.graph import PARAMETER, Leaf, StepGraph, tensor_name
from dlcc.tracing.second_opinion import differences, differing_roots, noise_for, told_losses
from dlcc.typing import Floats

_STEPS = 2
_MEMORY = 3 << 30
_UNSEEN = "something that no operation shows has a part in its loss"
_BATCH_KEYS = ("batch", "batch_size", "batchsize", "bs", "minibatch")
_FEW = 5
_LARGEST_STATE = 256 << 20  # bytes of a snapshot


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
        begun = latest_states(snapshots, config.length, states or {})
    except (NotApplicable, IsolationError) as error:
        return TracedSteps(why_none=str(error))
    bounds = Bounds(seconds, _MEMORY)
    reference = None if samples is None else samples.reference
    updates: list[TracedUpdate] = []
    steps: list[TracedStep] = []
    sizes, resized = (0, 0), list[TracedUpdate]()
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
            sizes, resized = _resized(session, entry, config, begun[0], steps[0])
    except (ForeignCodeError, TraceError) as error:
        if not updates:
            return TracedSteps(why_none=f"no step could be traced: {error}")
    return TracedSteps(tuple(updates), "", tuple(steps), tuple(resized), sizes)


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


def latest_states(
    snapshots: Snapshots, length: int, known: Mapping[int, RecordedState] | None = None
) -> list[RecordedState]:
    """Read the last snapshots that a step can be done from, the newest first.

    Args:
        snapshots: Snapshots of the run.
        length: Length of the run in steps.
        known: Step -> state of a snapshot that was read already.

    Returns:
        States.

    Raises:
        NotApplicable: There is none.
    """
    found: list[RecordedState] = []
    for snapshot in reversed(list(snapshots)):
        if len(found) == _STEPS:
            break
        try:
            if snapshot.resumable and snapshot.step < length:
                found.append((known or {}).get(snapshot.step) or read_recorded_state(snapshot))
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


def _resized(
    session: Session, entry: str, config: Config, state: RecordedState, traced: TracedStep
) -> tuple[tuple[int, int], list[TracedUpdate]]:
    """Do a step with batches of another size, where the configuration states the size: a batch as
    large as a row is long hides which of the two a loss is averaged over."""
    key = next((k for k in _BATCH_KEYS if type(config.config.get(k)) is int), None)
    if key is None:
        return (0, 0), []
    size = int(config.config[key])
    other = size - size // 3 if size > _FEW else size + 1
    try:
        session.build(entry, {**config.config, key: other})
        session.load(state.tree, state.data)
        graph, tensors = session.trace(state.step)
        step = _step(graph, tensors, state.step, traced.reference, following=False)
        return (size, other), updates_of(step)
    except (ForeignCodeError, TraceError):
        return (0, 0), []


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
    """Hold the weights that the step began with against the snapshot's, but for those that the code
    writes itself before it uses them, as one that clips them does.

    Raises:
        TraceError: They are others: what was traced is no step of the record.
    """
    seen = set(graph.written)
    for index, node in enumerate(graph.nodes):
        if not isinstance(node, Leaf) or node.kind != PARAMETER or node.name in seen:
            continue
        seen.add(node.name)
        recorded = state.weights.get(node.name)
        if recorded is not None and not np.array_equal(
            recorded, arrays[tensor_name(index)], equal_nan=True
        ):
            raise TraceError(f"the step did not begin with the snapshot's weights ({node.name})")
