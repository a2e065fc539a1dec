"""Graph of one training step: operations between leaves and numbers that are differentiated.

It is plain data, made inside the sandbox and read outside of it. Nothing in it is believed: the
outside checks its form, runs its operations again (`dlcc.tracing.rerun`) and compares.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcc.errors import TraceError

PARAMETER, NOISE, OUTSIDE, OPAQUE = "parameter", "noise", "outside", "opaque"
"""Kinds of leaves: a player's weight; what chance made; what was there before the step; and what
was made by an operation that cannot be run again."""
GRADIENT = "gradient"
"""Name of the operation that differentiates within the step, such as for a gradient penalty."""

_KINDS = (PARAMETER, NOISE, OUTSIDE, OPAQUE)
_MOST_NODES = 200_000
_DTYPES = frozenset(
    (
        "float64",
        "float32",
        "float16",
        "bfloat16",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint8",
        "bool",
    )
)


@dataclass(frozen=True)
class Use:
    """Use of a node as an argument."""

    node: int
    """Index of the node."""
    grad: bool
    """Whether gradients flow back through this use."""


@dataclass(frozen=True)
class DType:
    """Type of numbers as an argument."""

    name: str
    """Name in torch, such as `float32`."""


@dataclass(frozen=True)
class Leaf:
    """Tensor that nothing in the graph makes."""

    kind: str
    """Kind: `parameter`, `noise`, `outside` or `opaque`."""
    name: str
    """Name `player/weight` of a parameter; of an opaque leaf, the operation that made it."""
    sources: tuple[Use, ...] = ()
    """Arguments of the operation that made an opaque leaf."""
    grad: bool = False
    """Whether the tensor required a gradient where it was used."""


@dataclass(frozen=True)
class Operation:
    """Operation of torch's aten library, or `gradient`."""

    name: str
    """Name with its overload, such as `aten::add.Tensor`."""
    args: tuple[Any, ...]
    """Arguments: numbers, texts, None, `Use`, `DType`, and lists of these."""
    kwargs: Mapping[str, Any]
    """Further arguments by name."""
    output: int
    """Index of this node among the operation's tensors."""
    inside: tuple[int, ...]
    """Numbers of the calls of players within which it ran, the outermost first."""

    def uses(self) -> Iterator[Use]:
        """List the nodes that are arguments."""
        yield from uses_in((self.args, list(self.kwargs.values())))


@dataclass(frozen=True)
class Call:
    """Call of a player."""

    player: str
    """Name of the player."""
    path: str
    """Path of the module within the player that was called; empty for the player itself."""
    inputs: tuple[int, ...]
    """Nodes that went in."""
    outputs: tuple[int, ...]
    """Nodes that came out."""
    training: bool
    """Whether the module was in training mode."""
    number: int
    """Number of the call, in order of their beginning."""
    parent: int
    """Number of the call within which it was made; -1 for none."""


@dataclass(frozen=True)
class Root:
    """Number that was differentiated into the weights of players."""

    node: int
    """Index of the node."""
    weight: float
    """Factor that the gradient was seeded with."""
    own_gradient: bool = False
    """Whether the code has a part in its gradient: a `torch.autograd.Function`, or a hook."""


@dataclass(frozen=True)
class Update:
    """Step of an optimiser."""

    players: tuple[str, ...]
    """Players whose weights it updates, sorted."""
    parameters: tuple[str, ...]
    """Names `player/weight` of what it updates, those without a gradient left out."""
    roots: tuple[int, ...]
    """Indices of the roots since the gradients were last zero."""
    maximises: bool = False
    """Whether the optimiser climbs: by its `maximize`, or a negative rate."""


@dataclass(frozen=True)
class StepGraph:
    """Operations of one training step.

    >>> import torch
    >>> from dlcc.tracing.recorder import StepRecorder
    >>> model = torch.nn.Linear(2, 1)
    >>> adam = torch.optim.Adam(model.parameters())
    >>> with StepRecorder({"model": model}) as recorder:
    ...     loss = model(torch.ones(4, 2)).square().mean()
    ...     loss.backward()
    ...     adam.step()
    >>> graph, tensors = recorder.graph()
    >>> sum(isinstance(node, Operation) for node in graph.nodes)
    6
    >>> StepGraph.from_json(graph.to_json()) == graph
    True
    """

    nodes: tuple[Leaf | Operation, ...]
    """Leaves and operations, each after those that it uses."""
    calls: tuple[Call, ...]
    """Calls of players."""
    roots: tuple[Root, ...]
    """Numbers that were differentiated, in order."""
    updates: tuple[Update, ...]
    """Steps of optimisers, in order."""
    transformed: bool = False
    """Whether the step used transforms of torch.func, whose losses are not seen."""
    written: tuple[str, ...] = ()
    """Names `player/weight` of what the code wrote itself, outside of optimisers' steps."""

    def ancestors(self, nodes: Sequence[int]) -> set[int]:
        """Find all nodes that these are made of, they themselves among them."""
        found: set[int] = set()
        stack = list(nodes)
        while stack:
            index = stack.pop()
            if index in found:
                continue
            found.add(index)
            node = self.nodes[index]
            uses = node.sources if isinstance(node, Leaf) else node.uses()
            stack += [use.node for use in uses]
        return found

    def to_json(self) -> dict[str, Any]:
        """Write the graph as plain values."""
        return {
            "nodes": [_node_to_json(node) for node in self.nodes],
            "calls": [
                [
                    *(c.player, c.path, list(c.inputs), list(c.outputs)),
                    *(c.training, c.number, c.parent),
                ]
                for c in self.calls
            ],
            "roots": [[r.node, r.weight, r.own_gradient] for r in self.roots],
            "updates": [
                [list(u.players), list(u.parameters), list(u.roots), u.maximises]
                for u in self.updates
            ],
            "transformed": self.transformed,
            "written": list(self.written),
        }

    @classmethod
    def from_json(cls, plain: Any) -> StepGraph:
        """Read a graph from plain values that may be anything.

        Raises:
            TraceError: They are no graph.
        """
        try:
            nodes = plain["nodes"]
            if len(nodes) > _MOST_NODES:
                raise TraceError(f"the step has {len(nodes):,} operations, over {_MOST_NODES:,}")
            return cls(
                nodes=tuple(_node_from_json(node, at) for at, node in enumerate(nodes)),
                calls=tuple(_call_from_json(call, len(nodes)) for call in plain["calls"]),
                roots=tuple(
                    Root(_index(node, len(nodes)), _number(weight), bool(own))
                    for node, weight, own in plain["roots"]
                ),
                updates=tuple(
                    Update(
                        tuple(map(_text, players)),
                        tuple(map(_text, names)),
                        tuple(_index(root, len(plain["roots"])) for root in roots),
                        bool(maximises),
                    )
                    for players, names, roots, maximises in plain["updates"]
                ),
                transformed=bool(plain["transformed"]),
                written=tuple(map(_text, plain["written"])),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise TraceError(f"the recorded step makes no sense ({str(error)[:80]})") from None


def uses_in(values: Any) -> Iterator[Use]:
    """List the nodes in nested arguments."""
    if isinstance(values, Use):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from uses_in(value)


def tensor_name(index: int) -> str:
    """Name of the tensor that holds a leaf's numbers."""
    return f"leaf/{index}"


def gradient_name(update: int, parameter: str) -> str:
    """Name of the tensor with the gradient that an optimiser's step used for a parameter."""
    return f"gradient/{update}/{parameter}"


def left_name(update: int, parameter: str) -> str:
    """Name of the tensor with the gradient that the last differentiation left for a parameter."""
    return f"left/{update}/{parameter}"


def _node_to_json(node: Leaf | Operation) -> list[Any]:
    if isinstance(node, Leaf):
        return ["leaf", node.kind, node.name, _to_json(list(node.sources)), node.grad]
    kwargs = {name: _to_json(value) for name, value in node.kwargs.items()}
    return ["op", node.name, _to_json(list(node.args)), kwargs, node.output, list(node.inside)]


def _to_json(value: Any) -> Any:
    if isinstance(value, Use):
        return {"node": value.node, "grad": value.grad}
    if isinstance(value, DType):
        return {"dtype": value.name}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": repr(value)}
    return value


def _node_from_json(plain: Any, at: int) -> Leaf | Operation:
    if plain[0] == "leaf":
        _, kind, name, sources, grad = plain
        if kind not in _KINDS:
            raise ValueError(f"a leaf of kind {kind!r:.40}")
        uses = tuple(_from_json(use, at) for use in sources)
        if not all(isinstance(use, Use) for use in uses):
            raise ValueError("sources that are no nodes")
        return Leaf(kind, _text(name), uses, bool(grad))
    _, name, args, kwargs, output, inside = plain
    return Operation(
        _text(name),
        tuple(_from_json(arg, at) for arg in args),
        {_text(key): _from_json(value, at) for key, value in kwargs.items()},
        _index(output, 64),
        tuple(_index(number, _MOST_NODES) for number in inside),
    )


def _from_json(plain: Any, at: int) -> Any:
    """Read an argument of node `at`, which uses earlier nodes alone."""
    if isinstance(plain, list):
        return [_from_json(item, at) for item in plain]
    if isinstance(plain, dict):
        if "node" in plain:
            return Use(_index(plain["node"], at), bool(plain["grad"]))
        if "number" in plain:
            return float(plain["number"])
        if plain["dtype"] not in _DTYPES:
            raise ValueError(f"numbers of type {plain['dtype']!r:.40}")
        return DType(plain["dtype"])
    if plain is None or isinstance(plain, bool | int | float | str):
        return plain
    raise ValueError(f"an argument {plain!r:.40}")


def _call_from_json(plain: Any, nodes: int) -> Call:
    player, path, inputs, outputs, training, number, parent = plain
    return Call(
        _text(player),
        _text(path),
        tuple(_index(i, nodes) for i in inputs),
        tuple(_index(i, nodes) for i in outputs),
        bool(training),
        _index(number, _MOST_NODES),
        _index(parent + 1, _MOST_NODES) - 1,
    )


def _index(value: Any, end: int) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError(f"the index {value!r:.40}")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"the number {value!r:.40}")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 400:
        raise ValueError(f"the name {value!r:.40}")
    return value
