"""Uses of what players returned: compared as it is, or computed with first."""

from __future__ import annotations

from collections.abc import Collection

from dlcc.tracing.graph import Operation
from dlcc.tracing.losses import StepLoss
from dlcc.tracing.operators import LAYOUT, base_name


def is_converted(loss: StepLoss, node: int, operations: Collection[str]) -> bool:
    """Tell whether some operation is the first that a loss does with a node, apart from layout.

    Args:
        loss: Loss of a step.
        node: Node, such as what a player returned.
        operations: Plain names of the operations, such as `div`.

    >>> import torch
    >>> from dlcc.tracing.recorder import StepRecorder
    >>> from dlcc.tracing.rerun import leaves_of
    >>> model = torch.nn.Linear(2, 2)
    >>> sgd = torch.optim.SGD(model.parameters(), 0.1)
    >>> with StepRecorder({"model": model}) as recorder:
    ...     (model(torch.eye(2)).view(-1) / 3).square().mean().backward()
    ...     sgd.step()
    >>> graph, tensors = recorder.graph()
    >>> loss = StepLoss(graph, leaves_of(graph, tensors), graph.updates[0])
    >>> end = graph.calls[0].outputs[0]
    >>> is_converted(loss, end, ["div"]), is_converted(loss, end, ["square"])
    (True, False)
    """
    followed = [node]
    for index in sorted(loss.outer):
        made = loss.node(index)
        if not isinstance(made, Operation) or not any(u.node in followed for u in made.uses()):
            continue
        name = base_name(made.name)
        if name in operations:
            return True
        if name in LAYOUT:
            followed.append(index)
    return False
