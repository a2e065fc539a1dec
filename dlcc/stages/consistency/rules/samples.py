"""Rules of samples: each is made of noise of its own."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from dlcc.stages.consistency.checks.quantities import judges_of
from dlcc.stages.consistency.rules.breach import Breach, Evidence
from dlcc.stages.consistency.steps.traced_steps import TracedStep
from dlcc.tracing.graph import NOISE, OUTSIDE, Call, Leaf

_FEWEST = 8  # samples


def one_noise(evidence: Evidence) -> Iterator[Breach]:
    """Batches of samples, given to a judge, that are one sample many times, for all of them are
    made of the same noise.

    A generator that makes one sample of any noise has collapsed, and is no matter of this rule.
    """
    judges = {j for u in evidence.traced.updates if u.loss is not None for j in judges_of(u.loss)}
    for step in evidence.traced.steps:
        for judge in sorted(judges):
            calls = [c for c in step.graph.calls if c.player == judge and not c.path]
            judged = [node for call in calls for node in _samples(step, call)]
            if judged and all(_is_one(step, node) for node in judged):
                count = len(step.plain.value(judged[0]))
                message = (
                    f"The {judge} is given one sample {count} times at step {step.step:,}: all "
                    "are made of the same noise."
                )
                yield Breach("LOG012", message, None, step.step)
                return


def _samples(step: TracedStep, call: Call) -> list[int]:
    """Inputs of a judge that another player made with noise alone, without data or labels."""
    makers = {
        node for other in step.graph.calls if other.player != call.player for node in other.outputs
    }
    found = []
    for node in call.inputs:
        behind = step.graph.ancestors([node])
        value = step.plain.value(node)
        rows = len(value) if value.ndim else 0
        mixed = any(_is_leaf(step, i, OUTSIDE) and _differs(step, i, rows) for i in behind)
        if behind & makers and not mixed and any(_is_leaf(step, i, NOISE) for i in behind):
            found.append(node)
    return found


def _is_one(step: TracedStep, node: int) -> bool:
    """Whether all rows of a batch are equal, and no noise that they are made of differs by row."""
    value = step.plain.value(node).detach()
    if value.ndim < 2 or len(value) < _FEWEST or not _is_alike(value):
        return False
    return not any(
        _is_leaf(step, index, NOISE) and _differs(step, index, len(value))
        for index in step.graph.ancestors([node])
    )


def _differs(step: TracedStep, leaf: int, rows: int) -> bool:
    """Whether a leaf differs by row, be its rows those of a batch."""
    value = step.leaves[leaf]
    if value.ndim == 0 or (value.ndim == 1 and len(value) != rows):
        return False
    return not _is_alike(value)


def _is_alike(value: Tensor) -> bool:
    return bool((value == value[:1]).all())


def _is_leaf(step: TracedStep, index: int, kind: str) -> bool:
    node = step.graph.nodes[index]
    return isinstance(node, Leaf) and node.kind == kind
