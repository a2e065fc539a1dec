"""Rules of autoencoders: latents are drawn, and reconstructions compared with what they encode."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from dlcc.stages.consistency.checks.formula_check import minimised
from dlcc.stages.consistency.checks.quantities import judges_of
from dlcc.stages.consistency.rules.breach import Breach, Doubt, Evidence
from dlcc.stages.consistency.rules.drawn import noise_of
from dlcc.stages.consistency.steps.traced_steps import TracedStep
from dlcc.tracing.graph import OUTSIDE, PARAMETER, Leaf, Operation
from dlcc.tracing.operators import LAYOUT, base_name
from dlcc.tracing.roles import row_texts

_FEWEST = 8  # rows, under which an order may come out by chance
_REORDERS = ("index", "index_select", "gather", "flip", "roll")


def wrong_pairs(evidence: Evidence) -> Iterator[Breach]:
    """Reconstructions that are compared with their batch in another order, and never in its own:
    beside a comparison with what they encode, one with other rows is a negative pair."""
    if any(u.loss is not None and judges_of(u.loss) for u in evidence.traced.updates):
        return
    for step in evidence.traced.steps:
        inputs = [node for call in step.graph.calls for node in call.inputs]
        batches = [rows for rows in (_rows(step, n) for n in inputs) if len(rows) >= _FEWEST]
        into_players = step.graph.ancestors(inputs)
        for node, operation in enumerate(step.graph.nodes):
            if not isinstance(operation, Operation) or operation.inside or node in into_players:
                continue
            if base_name(operation.name) not in _REORDERS:
                continue
            rows = _rows(step, node)
            mixed = [b for b in batches if sorted(rows) == sorted(b) and rows != b]
            if mixed and not any(_is_compared(step, batch, into_players) for batch in mixed):
                message = "Reconstructions are compared with other rows than those they encode."
                yield Breach("LOG016", message, None, step.step)
                return


def _is_compared(step: TracedStep, batch: list[bytes], into_players: set[int]) -> bool:
    """Whether an operation outside of players puts a batch in its own order beside what they
    made."""
    made = _made_of(step, {node for call in step.graph.calls for node in call.outputs})
    for node, operation in enumerate(step.graph.nodes):
        if not isinstance(operation, Operation) or operation.inside or node in into_players:
            continue
        uses = {use.node for use in operation.uses()}
        if base_name(operation.name) in LAYOUT or not uses & made:
            continue
        if any(_is_in_order(step, use, batch) for use in uses - made):
            return True
    return False


def _is_in_order(step: TracedStep, node: int, batch: list[bytes]) -> bool:
    """Whether a node is a batch, or made of it without putting its rows into another order."""
    stack, found = [node], False
    while stack:
        index = stack.pop()
        if _rows(step, index) == batch:
            found = True
            continue
        operation = step.graph.nodes[index]
        if isinstance(operation, Operation):
            if base_name(operation.name) in _REORDERS:
                return False
            stack += [use.node for use in operation.uses()]
    return found


def no_noise(evidence: Evidence) -> Iterator[Breach | Doubt]:
    """A variational autoencoder that draws nothing."""
    steps = [step for step in evidence.traced.steps if step.updates]
    if not steps or any(noise_of(step) for step in steps):
        return
    losses = [u.loss for u in evidence.traced.updates if u.loss is not None]
    if any("KL" in minimised(loss) for loss in losses):
        if any(_is_put_into_code(step) for step in steps):
            yield Doubt("numbers that torch did not draw enter between code and reconstruction")
            return
        message = "No random numbers enter the loss: latents are means, and never drawn."
        yield Breach("LOG016", message, None, steps[0].step)


def _is_put_into_code(step: TracedStep) -> bool:
    """Whether rows from outside meet what weights have made of others, and further weights make
    something of both: random numbers of numpy, say, or labels."""
    nodes = step.graph.nodes
    weights = {i for i, n in enumerate(nodes) if isinstance(n, Leaf) and n.kind == PARAMETER}
    rows = {i for i, n in enumerate(nodes) if isinstance(n, Leaf) and _is_batch(step, i)}
    of_rows, of_weights = _made_of(step, rows), _made_of(step, weights)
    code = of_rows & of_weights
    met = set()
    for index, node in enumerate(nodes):
        uses = {use.node for use in node.uses()} if isinstance(node, Operation) else set()
        if uses & code and any(use in of_rows - of_weights for use in uses):
            met.add(index)
    after = _made_of(step, met) & code
    further = weights | (of_weights - of_rows)
    return any(
        isinstance(node, Operation)
        and {use.node for use in node.uses()} & after
        and {use.node for use in node.uses()} & further
        for node in nodes
    )


def _is_batch(step: TracedStep, index: int) -> bool:
    node, value = step.graph.nodes[index], step.leaves[index]
    return (
        isinstance(node, Leaf)
        and node.kind == OUTSIDE
        and value.ndim > 0
        and len(value) > 1
        and len(torch.unique(value)) > 1
    )


def _made_of(step: TracedStep, sources: set[int]) -> set[int]:
    """Nodes that are made of some, they themselves among them."""
    found = set(sources)
    for index, node in enumerate(step.graph.nodes):
        uses = node.sources if isinstance(node, Leaf) else node.uses()
        if any(use.node in found for use in uses):
            found.add(index)
    return found


def _rows(step: TracedStep, node: int) -> list[bytes]:
    value = step.plain.value(node).detach()
    return row_texts(value.float().numpy()) if value.is_floating_point() else []
