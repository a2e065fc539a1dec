"""Rules of settings: optimisers have what the configuration states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcc.advice.keys import keys_of
from dlcc.advice.nested import flattened
from dlcc.stages.consistency.rules.breach import Breach, Evidence
from dlcc.stages.recorded_state import RecordedState
from dlcc.tracing.graph import gradient_name

_CLIP = re.compile(r"(?:max_?)?(?:grad(?:ient)?_?)?(?:clip|max_norm)", re.IGNORECASE)
_BY_VALUE = re.compile(r"value|weight|param", re.IGNORECASE)
_SCHEDULE = re.compile(
    r"schedul|warm_?up|lr_?decay|decay_?(?:steps?|epochs?|lr|rate)|anneal_?lr", re.I
)
_ROOM = 1e-3  # relative, by which a clipped norm may be over its bound
_FEWEST = 3  # snapshots


@dataclass(frozen=True)
class Optimiser:
    """Optimiser as a snapshot holds it."""

    name: str
    """Name under which the training keeps it."""
    player: str | None
    """Player whose weights it has by their number and shapes; None where several fit."""
    groups: Sequence[Mapping[str, Any]]
    """Groups of parameters with their settings."""

    def values(self, setting: str) -> list[float]:
        """Values of a setting over the groups; of a rate that a schedule moves, the first one."""
        found = []
        for group in self.groups:
            name, _, place = setting.partition(".")
            value = group.get("initial_lr", group.get("lr")) if name == "lr" else group.get(name)
            if place and isinstance(value, Mapping):
                value = value.get("$tuple")
            if place and isinstance(value, Sequence) and len(value) > int(place):
                value = value[int(place)]
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.append(float(value))
        return found


_SETTINGS = {"rate": "lr", "beta1": "betas.0", "beta2": "betas.1", "weight_decay": "weight_decay"}


def stated_settings(evidence: Evidence) -> Iterator[Breach]:
    """Settings of the configuration that no optimiser has."""
    if not evidence.states:
        return
    first = evidence.states[min(evidence.states)]
    optimisers = optimisers_of(first)
    if not optimisers:
        return
    vae = evidence.config.objective.get("kind") == "vae"
    for key in keys_of(evidence.config.config, "vae" if vae else "adversarial"):
        setting = _SETTINGS.get(key.role)
        if setting is None or not isinstance(key.value, int | float):
            continue
        mine = [o for o in optimisers if key.player is None or o.player == key.player]
        values = [value for o in mine for value in o.values(setting)]
        if values and not any(np.isclose(v, key.number, rtol=1e-6, atol=0) for v in values):
            has = " and ".join(f"{v:g}" for v in dict.fromkeys(values))
            whose = f"the {key.player}'s optimiser has" if key.player else "optimisers have"
            message = f"The configuration states {key.path} = {key.number:g}, and {whose} {has}."
            yield Breach("LOG013", message, key.player, first.step)


def schedule_is_kept(evidence: Evidence) -> Iterator[Breach]:
    """A schedule of the rate that the configuration states, while the rate stands still."""
    stated = [path for path, value in _stated(evidence) if _is_schedule(path, value, evidence)]
    steps = sorted(evidence.states)
    if not stated or len(steps) < _FEWEST:
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
        yield Breach("LOG013", message, None, steps[1])


def clipping_is_kept(evidence: Evidence) -> Iterator[Breach]:
    """A bound on gradients that the configuration states, and that a used gradient exceeds."""
    bounds = [
        (path, float(value))
        for path, value in _stated(evidence)
        if _CLIP.search(path.rpartition(".")[2])
        and not _BY_VALUE.search(path)
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and value > 0
    ]
    if len(bounds) != 1:
        return
    path, bound = bounds[0]
    for step in evidence.traced.steps:
        for number, update in enumerate(step.graph.updates):
            used = [step.tensors[gradient_name(number, name)] for name in update.parameters]
            norm = float(sum(g.double().square().sum() for g in used)) ** 0.5
            if norm > bound * (1 + _ROOM):
                who = " and ".join(update.players)
                message = (
                    f"The configuration states {path} = {bound:g}, and the gradient that the "
                    f"optimiser of {who} used at step {step.step:,} has a norm of {norm:.4g}."
                )
                player = update.players[0] if len(update.players) == 1 else None
                yield Breach("LOG013", message, player, step.step)
                return


def optimisers_of(state: RecordedState) -> list[Optimiser]:
    """Find the optimisers in a snapshot's state.

    A player's is the one whose groups have as many weights as the player, of the same shapes where
    it keeps moments.
    """
    tree = state.tree.get("state") if isinstance(state.tree, Mapping) else None
    objects = tree.get("objects", {}) if isinstance(tree, Mapping) else {}
    players = tree.get("players", {}) if isinstance(tree, Mapping) else {}
    found = []
    for name, held in objects.items() if isinstance(objects, Mapping) else ():
        groups = held.get("param_groups") if isinstance(held, Mapping) else None
        if not isinstance(groups, Sequence) or not all(isinstance(g, Mapping) for g in groups):
            continue
        count = sum(len(g.get("params", ())) for g in groups)
        shapes = _moment_shapes(state, str(name))
        fits = [
            player
            for player in players
            if count == len(weights := _weight_shapes(state, player))
            and (not shapes or shapes == sorted(weights))
        ]
        found.append(Optimiser(str(name), fits[0] if len(fits) == 1 else None, groups))
    return found


def _stated(evidence: Evidence) -> list[tuple[str, Any]]:
    return list(flattened(evidence.config.config).items())


def _is_schedule(path: str, value: Any, evidence: Evidence) -> bool:
    """Whether a setting asks for a rate that moves within the run."""
    if not _SCHEDULE.search(path) or value in (None, False, 0, 0.0, 1.0, "", "none", "constant"):
        return False
    later = isinstance(value, int | float) and value >= evidence.config.length
    return not later


def _weight_shapes(state: RecordedState, player: str) -> list[tuple[int, ...]]:
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return [
        array.shape
        for name, array in state.state.items()
        if name.startswith(f"state/players/{player}/") and not name.endswith(buffers)
    ]


def _moment_shapes(state: RecordedState, name: str) -> list[tuple[int, ...]]:
    moments = ("exp_avg", "momentum_buffer", "square_avg")
    return sorted(
        array.shape
        for path, array in state.state.items()
        if path.startswith(f"state/objects/{name}/") and path.endswith(moments)
    )
