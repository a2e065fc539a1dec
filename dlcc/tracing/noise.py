"""Factors of noise: what random numbers are multiplied with, such as the deviation of latents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dlcc.tracing.graph import NOISE, Leaf, Operation, StepGraph, Use
from dlcc.tracing.operators import LAYOUT, base_name


def noise_factors(graph: StepGraph, ends: Sequence[int]) -> list[int]:
    """Find what noise is multiplied with on the way to some nodes.

    Args:
        graph: Recorded step.
        ends: Nodes whose making is looked at.

    Returns:
        Nodes, sorted; the deviation of a normal latent z = μ + σ ε is one.

    >>> import torch
    >>> from dlcc.tracing.recorder import StepRecorder
    >>> model = torch.nn.Linear(2, 2)
    >>> with StepRecorder({"model": model}) as recorder:
    ...     deviation = model(torch.ones(4, 2)).exp()
    ...     (deviation * torch.randn(4, 2)).sum().backward()
    >>> graph, _ = recorder.graph()
    >>> [graph.nodes[node].name for node in noise_factors(graph, [graph.roots[0].node])]
    ['aten::exp']
    """
    found = set()
    for index in graph.ancestors(ends):
        node = graph.nodes[index]
        if isinstance(node, Operation):
            found |= {
                other.node
                for one, other in _products(node)
                if _is_noise(graph, one.node) and not _is_noise(graph, other.node)
            }
    return sorted(found)


def _products(node: Operation) -> Iterator[tuple[Use, Use]]:
    """Pairs of what an operation multiplies, both ways round."""
    name = base_name(node.name)
    taken: Sequence[Any] = {"mul": node.args[:2], "addcmul": node.args[1:3]}.get(name, ())
    if len(taken) == 2 and all(isinstance(use, Use) for use in taken):
        yield taken[0], taken[1]
        yield taken[1], taken[0]


def _is_noise(graph: StepGraph, index: int) -> bool:
    """Whether a node is random numbers, in whatever shape."""
    node = graph.nodes[index]
    while isinstance(node, Operation) and base_name(node.name) in LAYOUT:
        uses = list(node.uses())
        if len(uses) != 1:
            return False
        node = graph.nodes[uses[0].node]
    return isinstance(node, Leaf) and node.kind == NOISE
