"""Rules of settings: optimisers have what the configuration states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dlcc.settings.keys import Key, keys_of
from dlcc.settings.nested import flattened, is_number
from dlcc.stages.consistency.rules.breach import Breach, Evidence
from dlcc.stages.consistency.rules.recorded_optimisers import Optimiser, optimisers_of
from dlcc.stages.consistency.steps.traced_steps import TracedStep
from dlcc.tracing.graph import gradient_name, left_name

_CLIP = re.compile(r"grad\w*clip|clip\w*grad|max_?grad_?norm|grad_?norm_?clip", re.IGNORECASE)
_SCHEDULE = re.compile(
    r"(?:.*[._])?(?:lr|learning_rate)[._]?(?:schedul\w*|policy)(?:[._](?:name|type|kind))?"
    r"|(?:optim\w*\.|train\w*\.)?scheduler(?:[._](?:name|type|kind))?",
    re.IGNORECASE,
)
"""Paths of schedules of the rate: noise and other things have schedules, too."""
_MOVES = re.compile(r"cos|exp|poly|inv|rsqrt|noam", re.IGNORECASE)
"""Schedules that change the rate in each epoch; others may wait for an epoch or a plateau."""
_EPOCHS = 2  # after which a schedule has moved, be it stepped once an epoch
_END_OF_RATES = re.compile(r"(?:max|min|peak|final|end)(?:imum)?_", re.IGNORECASE)
_WARM_UP = re.compile(r"warm", re.IGNORECASE)
_MOMENT = re.compile(r"(?:adam_?)?(?:betas?_?[12]|b[12]|betas)|[01]", re.IGNORECASE)
_ROOM = 1e-3  # relative, by which a clipped norm may be over its bound
_FEWEST = 3  # snapshots


_SETTINGS = {"rate": "lr", "beta1": "betas.0", "beta2": "betas.1", "weight_decay": "weight_decay"}


def stated_settings(evidence: Evidence) -> Iterator[Breach]:
    """Settings of the configuration that no optimiser has."""
    if not evidence.states:
        return
    first = evidence.states[min(evidence.states)]
    optimisers = optimisers_of(first)
    if not optimisers:
        return
    for key in keys_of(evidence.config.config):
        setting = _SETTINGS.get(key.role)
        if setting is None or not _is_plain(key, evidence):
            continue
        mine = [o for o in optimisers if key.player is None or o.player == key.player]
        if key.role == "rate" and any(map(_is_scheduled, mine)):
            continue  # what is stated may be its largest rate, or that of its last layer
        values = [value for o in mine for value in o.values(setting)]
        if values and not any(_agrees(v, key, evidence) for v in values):
            has = " and ".join(f"{v:g}" for v in dict.fromkeys(values))
            whose = f"the {key.player}'s optimiser has" if key.player else "optimisers have"
            message = f"The configuration states {key.path} = {key.number:g}, and {whose} {has}."
            yield Breach("LOG013", message, key.player, first.step, key.path)


def _is_scheduled(optimiser: Optimiser) -> bool:
    """Whether a schedule set rates before the first step, or each layer has a rate of its own."""
    groups = optimiser.groups
    moved = any(g.get("initial_lr", g.get("lr")) != g.get("lr") or "max_lr" in g for g in groups)
    return moved or len({g.get("lr") for g in groups}) > 1


def _is_plain(key: Key, evidence: Evidence) -> bool:
    """Whether a key can mean nothing but a setting of optimisers, as they are given it."""
    name, value = key.path.rpartition(".")[2].lower(), key.value
    if not is_number(value):
        return False
    if key.role == "rate":
        bound = _END_OF_RATES.match(name) is not None
        return not bound and not any(_WARM_UP.search(path) for path, _ in _stated(evidence))
    if key.role == "weight_decay":  # or a term of the loss, or weights that shrink by hand
        if evidence.traced.written:
            return False
        losses = [u.loss for u in evidence.traced.updates if u.loss is not None]
        return not any(v.sort == "weight" for loss in losses for v in loss.variables)
    usual = value == 0 or (0.1 if key.role == "beta1" else 0.9) <= value < 1
    return usual and _MOMENT.fullmatch(name) is not None


def _agrees(value: float, key: Key, evidence: Evidence) -> bool:
    """Whether an optimiser's value is the stated one, or one scaled by the size of the batch."""
    factors = [1.0]
    if key.role == "rate":
        batches = [float(v) for p, v in _stated(evidence) if "batch" in p.lower() and is_number(v)]
        batches += [float(len(step.training_rows)) for step in evidence.traced.steps]
        factors += [f**power for b in batches for f in (b, b / 256) for power in (1, 0.5) if b]
    return any(bool(np.isclose(value, key.number * f, rtol=1e-6, atol=0)) for f in factors)


def schedule_is_kept(evidence: Evidence) -> Iterator[Breach]:
    """A schedule of the rate that the configuration states, while the rate stands still."""
    stated = [path for path, value in _stated(evidence) if _is_schedule(path, value)]
    steps = sorted(evidence.states)
    if not stated or len(steps) < _FEWEST or _epochs(evidence, steps[-1] - steps[0]) < _EPOCHS:
        return
    rates = [
        [group.get("lr") for o in optimisers_of(evidence.states[step]) for group in o.groups]
        for step in steps
    ]
    if rates[0] and all(r == rates[0] for r in rates):
        message = (
            f"The configuration states {stated[0]}, and the rates are the same at steps "
            f"{steps[0]:,} to {steps[-1]:,}."
        )
        yield Breach("LOG013", message, None, steps[1], stated[0])


def clipping_is_kept(evidence: Evidence) -> Iterator[Breach]:
    """A bound on gradients that the configuration states, and that a used gradient exceeds."""
    bounds = [
        (path, float(value))
        for path, value in _stated(evidence)
        if _CLIP.search(path.rpartition(".")[2]) and is_number(value) and value > 0
    ]
    if len(bounds) != 1:
        return
    path, bound = bounds[0]
    for step in evidence.traced.steps:
        if any(_is_reshaped(step, number) for number in range(len(step.graph.updates))):
            continue  # clipped value by value, or each weight by a bound of its own
        norms = []
        for number, update in enumerate(step.graph.updates):
            used = [step.tensors[gradient_name(number, name)] for name in update.parameters]
            norm = float(sum(g.double().square().sum() for g in used)) ** 0.5
            of_all = bound * len(update.players) ** 0.5  # each player may be clipped apart
            by_value = any(float(g.abs().max()) > bound * (1 + _ROOM) for g in used if g.numel())
            if by_value and norm > of_all * (1 + _ROOM):
                norms.append(norm)
        if norms and len(norms) == len(step.graph.updates):  # a bound may be for one of them
            message = (
                f"The configuration states {path} = {bound:g}, and the gradients that optimisers "
                f"used at step {step.step:,} have norms of {min(norms):.4g} and more."
            )
            yield Breach("LOG013", message, None, step.step, path, of_step=True)
            return


def _is_reshaped(step: TracedStep, number: int) -> bool:
    """Whether an optimiser used another gradient than a multiple of the one that was left."""
    names = step.graph.updates[number].parameters
    if not names or any(left_name(number, name) not in step.tensors for name in names):
        return False
    left, used = (
        torch.cat([step.tensors[of(number, name)].double().flatten() for name in names])
        for of in (left_name, gradient_name)
    )
    off = used - used @ left / (left @ left).clamp(min=1e-30) * left
    return float(off.abs().max()) > _ROOM * float(used.abs().max())


def _stated(evidence: Evidence) -> list[tuple[str, Any]]:
    return list(flattened(evidence.config.config).items())


def _is_schedule(path: str, value: Any) -> bool:
    """Whether a setting asks for a rate that moves, by the name of a schedule."""
    is_named = isinstance(value, str) and _MOVES.search(value) is not None
    return is_named and _SCHEDULE.fullmatch(path) is not None


def _epochs(evidence: Evidence, steps: int) -> float:
    """Passes through the data in so many steps; 0 where that is not known."""
    for step in evidence.traced.steps:
        rows = len(step.training_rows)
        if rows and step.reference is not None:
            return steps * rows / len(step.reference)
    return 0.0
