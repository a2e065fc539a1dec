"""Random numbers that a traced step draws."""

from __future__ import annotations

from torch import Tensor

from dlcc.stages.consistency.steps.traced_steps import TracedStep
from dlcc.tracing.graph import NOISE, Leaf


def noise_of(step: TracedStep) -> list[Tensor]:
    """List the random numbers of a step, without those that only choose rows."""
    return [
        step.leaves[index]
        for index, node in enumerate(step.graph.nodes)
        if isinstance(node, Leaf)
        and node.kind == NOISE
        and node.name not in ("randint", "randperm")
    ]
