"""Evidence of small trainings, traced in this process without a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.records import Config, Series
from dlcc.stages.consistency.rules.breach import Breach, Doubt, Evidence
from dlcc.stages.consistency.steps.traced_steps import TracedStep, TracedSteps, updates_of
from dlcc.stages.recorded_state import RecordedState
from dlcc.tracing.recorder import StepRecorder
from dlcc.typing import Floats

Rule = Callable[[Evidence], Any]


def traced(
    players: Mapping[str, nn.Module],
    step: Callable[[int], None],
    reference: Floats | None,
    *,
    steps: int = 2,
) -> TracedSteps:
    """Record steps in a row."""
    found = []
    for number in range(steps):
        with StepRecorder(players) as recorder:
            step(number)
        graph, tensors = recorder.graph()
        found.append(
            TracedStep(number, graph, tensors, graph.updates, reference, following=number > 0)
        )
    return TracedSteps(tuple(u for s in found for u in updates_of(s)), steps=tuple(found))


def evidence(
    steps: TracedSteps | None = None,
    states: Mapping[int, RecordedState] | None = None,
    config: Mapping[str, Any] | None = None,
    columns: Mapping[str, list[float]] | None = None,
    kind: str = "gan",
) -> Evidence:
    """Put evidence together, what is left out being empty."""
    series = Series.from_start({n: np.array(v, float) for n, v in (columns or {}).items()})
    settings = Config({}, {"kind": kind}, {}, dict(config or {}), None, 100, None, {}, {})
    return Evidence(settings, series, states or {}, steps or TracedSteps())


def state(step: int, objects: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> RecordedState:
    """State of a snapshot with optimisers, and tensors by path below `state`."""
    from safetensors.torch import save

    players: dict[str, Any] = {}
    for name in tensors:
        if name.startswith("players/"):
            players.setdefault(name.split("/")[1], {})[name.split("/")[2]] = {}
    tree = {"state": {"players": players, "objects": dict(objects)}, "random": {}}
    data = save({f"state/{name}": tensor for name, tensor in tensors.items()})
    return RecordedState(step, f"snapshots/{step:08d}", tree, data, {}, {})


def breaches(rule: Rule, of: Evidence) -> list[Breach]:
    """List what a rule finds, without what it only doubts."""
    return [found for found in rule(of) if isinstance(found, Breach)]


def doubts(rule: Rule, of: Evidence) -> list[str]:
    """List what a rule doubts."""
    return [found.reason for found in rule(of) if isinstance(found, Doubt)]


def rows(seed: int, count: int, wide: int = 5) -> Tensor:
    return torch.randn(count, wide, generator=torch.Generator().manual_seed(seed))
