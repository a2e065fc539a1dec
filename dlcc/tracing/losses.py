"""Losses that a step really minimises, as functions of what players returned.

The loss of an optimiser's step is cut at the outputs of players: from there on it is a function of
these outputs, of gradients taken within the step, of data and of chance, whatever the code calls
it. It can be evaluated at any outputs in float64, by the operations that were recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcc.errors import TraceError
from dlcc.tracing.cutting import outermost_calls
from dlcc.tracing.graph import (
    GRADIENT,
    NOISE,
    OPAQUE,
    OUTSIDE,
    PARAMETER,
    Call,
    Leaf,
    Operation,
    StepGraph,
    Update,
)
from dlcc.tracing.layout import is_alias, is_shaped_data
from dlcc.tracing.noise import noise_factors
from dlcc.tracing.operators import LAYOUT, WITHOUT_SOURCE, base_name
from dlcc.tracing.passage import blocked_features, blocked_rows, reached_weights
from dlcc.tracing.rerun import Rerun
from dlcc.tracing.roles import MIXED, Roles
from dlcc.tracing.terms import Terms


@dataclass(frozen=True, eq=False)
class Variable:
    """Quantity that a loss is a function of: rows of one sort."""

    sort: str
    """`output` of a player, `gradient` within the step, `data`, `noise` or `weight`."""
    player: str
    """Player that returned it, or whose gradient it is; empty for data and noise."""
    path: str
    """Part of the player that was called; empty for the player itself."""
    part: int
    """Number of the tensor among those that the player returned."""
    role: str
    """Role of what went into the player: `real`, `fake`, `mixed`, `drawn` or `assumed real`, and
    the first two with noise."""
    places: tuple[tuple[int, NDArray[np.int64]], ...]
    """Pairs (node, rows of it) that hold the same rows."""
    recorded: Tensor
    """Numbers as they were in the step, [rows, ...] in float64."""
    given: int = 0
    """Numbers in a row of the largest thing that went into the player; 0 for none."""

    @property
    def title(self) -> str:
        """Name such as `discriminator(real)`."""
        if self.sort in ("data", "noise", "weight"):
            return self.sort
        part = f".{self.path}" if self.path else ""
        output = f"[{self.part}]" if self.part else ""
        named = f"{self.player}{part}({self.role}){output}"
        return f"gradient of {named}" if self.sort == "gradient" else named


class StepLoss:
    """Loss that one step of an optimiser minimises.

    Args:
        graph: Recorded step.
        leaves: Leaf's index -> its numbers.
        update: Step of the optimiser, with the roots that `check_step` found it to use.
        reference: Rows of the training data, [n, ...]; None where they are not known.

    Raises:
        TraceError: The step of the optimiser used no loss, or the loss cannot be computed again.

    >>> import torch
    >>> from dlcc.tracing.recorder import StepRecorder
    >>> from dlcc.tracing.rerun import leaves_of
    >>> D = torch.nn.Linear(2, 1)
    >>> sgd = torch.optim.SGD(D.parameters(), 0.1)
    >>> with StepRecorder({"D": D}) as recorder:
    ...     (3 * D(torch.eye(2)).exp().mean()).backward()
    ...     sgd.step()
    >>> graph, tensors = recorder.graph()
    >>> loss = StepLoss(graph, leaves_of(graph, tensors), graph.updates[0], np.eye(2))
    >>> at_zero = loss({loss.variables[0]: torch.zeros(2, 1)})
    >>> [v.title for v in loss.variables], float(at_zero.detach())
    (['D(real)'], 3.0)
    """

    def __init__(
        self,
        graph: StepGraph,
        leaves: Mapping[int, Tensor],
        update: Update,
        reference: NDArray[Any] | None = None,
        factor: float | None = None,
    ) -> None:
        if not update.roots:
            raise TraceError("no loss was differentiated for it")
        self._graph, self._leaves = graph, leaves
        self.update = update
        self._factor = factor
        self._sign = -1.0 if update.maximises else 1.0
        self._roots = [graph.roots[i] for i in update.roots]
        self._plain = Rerun(graph, leaves)
        self._calls = outermost_calls(graph, self._roots)
        self._within = frozenset(call.number for call in self._calls)
        self._roles = Roles(graph, self._plain, self._calls, reference)
        self.variables = self._distinct_variables()
        """Quantities that the loss is a function of."""

    @property
    def recorded(self) -> float:
        """Loss of the step as it was."""
        values = (float(self._plain.value(r.node).detach().sum()) * r.weight for r in self._roots)
        return self._sign * sum(values)

    @property
    def roots(self) -> tuple[tuple[int, float], ...]:
        """Pairs (node, factor) whose sum is the loss."""
        return tuple((root.node, self._sign * root.weight) for root in self._roots)

    @cached_property
    def scale(self) -> float:
        """Factor that a gradient scaler of mixed precision multiplied the loss with; 1 as a rule.

        It is a constant that the last operation brings in: the one by which the gradient was
        divided again, or a large power of two where it was clipped besides.
        """
        factors = {self._scale_of(root.node) for root in self._roots}
        return factors.pop() if len(factors) == 1 else 1.0

    @cached_property
    def doubtful_scale(self) -> float:
        """Factor of the loss that may be a gradient scaler's, as the gradient that was used is less
        than that of the loss without it; 1 where there is none."""
        (root, *others) = (root.node for root in self._roots)
        if others or self.scale != 1 or self._factor is None:
            return 1.0
        factor = self._factor
        return next((n for n in self._outer_factors(root) if n > 1 and n * factor < 1), 1.0)

    def without_scale(self) -> StepLoss:
        """Give the loss with its doubtful scale taken for a gradient scaler's."""
        other = copy(self)
        for found_before in ("scale", "doubtful_scale"):
            other.__dict__.pop(found_before, None)
        other._factor = 1 / self.doubtful_scale
        return other

    def _scale_of(self, root: int) -> float:
        return next((n for n in self._outer_factors(root) if self._is_scale(n)), 1.0)

    def _outer_factors(self, root: int) -> list[float]:
        """Constants that the last operation of a loss multiplies with."""
        node = self._graph.nodes[root]
        if not isinstance(node, Operation) or base_name(node.name) != "mul":
            return []
        return [
            float(value)
            for use in node.uses()
            if not self.depends(use.node) and (value := self._plain.value(use.node)).numel() == 1
        ]

    def _is_scale(self, number: float) -> bool:
        if not 1 < number < math.inf:
            return False
        undone = self._factor is not None and math.isclose(number * self._factor, 1, rel_tol=1e-4)
        return undone or (number >= _LEAST_SCALE and math.log2(number).is_integer())

    @cached_property
    def terms(self) -> Terms:
        """Terms of the nodes, up to what players returned."""
        return Terms(self._graph, self._plain, self._calls)

    def node(self, index: int) -> Leaf | Operation:
        """Look up a node of the graph."""
        return self._graph.nodes[index]

    def value(self, index: int) -> Tensor:
        """Give the numbers of a node as they were in the step."""
        return self._plain.value(index)

    def is_inside(self, index: int) -> bool:
        """Tell whether a node was made inside of a player, before what the player returned."""
        node = self._graph.nodes[index]
        return isinstance(node, Operation) and not self._within.isdisjoint(node.inside)

    def depends(self, index: int) -> bool:
        """Tell whether a node is made of quantities that the loss is a function of."""
        return bool(self.behind(index) & self._varying)

    @cached_property
    def _varying(self) -> frozenset[int]:
        return frozenset(node for v in self.variables for node, _ in v.places)

    def behind(self, index: int) -> set[int]:
        """Find the nodes that a node is made of, as far as the quantities that are put in."""
        found: set[int] = set()
        stack = [index]
        while stack:
            at = stack.pop()
            if at in found:
                continue
            found.add(at)
            node = self._graph.nodes[at]
            if not isinstance(node, Operation) or at in self._varying:
                continue
            if base_name(node.name) not in WITHOUT_SOURCE:
                stack += [use.node for use in node.uses()]
        return found

    @cached_property
    def opaque(self) -> tuple[str, ...]:
        """Operations between players and the loss that nobody can run again, by name."""
        names = []
        for index in self.outer:
            node = self._graph.nodes[index]
            if isinstance(node, Leaf) and node.kind == OPAQUE and (node.grad or node.sources):
                names.append(node.name or "an operation that was not seen")
        return tuple(dict.fromkeys(names))

    @cached_property
    def noise_factors(self) -> tuple[Tensor, ...]:
        """Numbers that noise was multiplied with on the way to the loss."""
        nodes = noise_factors(self._graph, [root.node for root in self._roots])
        return tuple(self._plain.value(node).detach().double() for node in nodes)

    @cached_property
    def cut_off(self) -> str:
        """Samples that enter the loss and train nothing, in words; empty for none."""
        updated = set(self.update.players)
        judged = (v for v in self.variables if v.sort == "output" and v.player not in updated)
        for variable in judged:
            for node, _ in variable.places:
                for made in self._makers(node, updated):
                    try:
                        cut, used = blocked_rows(self._graph, self._leaves, made, node)
                    except TraceError:
                        continue  # operations that write into others have no gradient to try
                    if cut:
                        return f"{variable.title}: no gradient passes {cut} of {used} samples"
        return ""

    @cached_property
    def cut_within(self) -> str:
        """Numbers of what one updated player returned that another one is given, and through which
        no gradient comes back while it does through others, in words; empty for none."""
        updated = set(self.update.players)
        outputs = [v for v in self.variables if v.sort == "output" and v.player in updated]
        for variable in outputs:
            for node, _ in variable.places:
                for made in self._makers(node, updated - {variable.player}):
                    try:
                        cut, used = blocked_features(self._graph, self._leaves, made, node)
                    except TraceError:
                        continue
                    if 0 < cut < used:  # all of them are cut off on purpose
                        whose = self._call_of[made][0].player
                        return f"no gradient passes back through {cut} of {used} numbers of {whose}"
        return ""

    def _makers(self, node: int, players: set[str]) -> list[int]:
        """Nodes that some players returned and a node is made of."""
        behind = self._graph.ancestors([node])
        calls = [call for call in self._calls if call.player in players]
        return [output for call in calls for output in call.outputs if output in behind]

    @cached_property
    def reached(self) -> tuple[str, ...]:
        """Players into whose weights gradients of the loss flow, sorted."""
        found = set()
        for root in self._roots:
            loss = Rerun(self._graph, self._leaves)
            if loss.value(root.node).requires_grad:
                weights = reached_weights(self._graph, root.node)
                found |= {name.partition("/")[0] for name in weights}
        return tuple(sorted(found))

    def _distinct_variables(self) -> tuple[Variable, ...]:
        """List quantities, those that are one and the same taken once."""
        found: list[Variable] = []
        for variable in self._all_variables():
            twin = next((k for k, v in enumerate(found) if _same(v, variable)), None)
            if twin is None:
                found.append(variable)
            else:
                other = found[twin]
                found[twin] = replace(other, places=(*other.places, *variable.places))
        return tuple(found)

    def __call__(self, values: Mapping[Variable, Tensor]) -> Tensor:
        """Evaluate the loss, by the recorded operations in float64.

        Args:
            values: Variable -> numbers shaped as `recorded`; what is left out is as it was.

        Returns:
            The loss, a number.

        Raises:
            TraceError: An operation cannot be run again.
        """
        again = self._again(values)
        total = torch.zeros((), dtype=torch.float64)
        for root in self._roots:
            total = total + root.weight * again.value(root.node).sum()
        return self._sign * total

    def at(
        self,
        nodes: Sequence[int],
        values: Mapping[Variable, Tensor],
        given: Mapping[int, Tensor] | None = None,
    ) -> list[Tensor]:
        """Evaluate nodes in float64, such as what went into a player.

        Args:
            nodes: Indices of the nodes.
            values: Variable -> numbers, as for the loss itself.
            given: Further nodes -> numbers to take for them.

        Raises:
            TraceError: An operation cannot be run again.
        """
        again = self._again(values, given)
        return [again.value(node) for node in nodes]

    def _again(
        self, values: Mapping[Variable, Tensor], further: Mapping[int, Tensor] | None = None
    ) -> Rerun:
        given: dict[int, Tensor] = dict(further or {})
        for variable in self.variables:
            numbers = values.get(variable, variable.recorded)
            for node, rows in variable.places:
                if further and node in further:
                    continue
                if node not in given:
                    given[node] = self._plain.value(node).detach().double().clone()
                if given[node].ndim == 0:
                    given[node] = numbers.reshape(())
                else:
                    shape = (len(rows), *given[node].shape[1:])
                    given[node] = given[node].index_copy(
                        0, torch.from_numpy(rows), numbers.reshape(shape).double()
                    )
        return Rerun(self._graph, self._leaves, given, exact=True)

    # ----------------------------------------------------------------------------------- cutting

    @cached_property
    def _call_of(self) -> dict[int, tuple[Call, int]]:
        """Node that a player returned -> its last call, and its place among what was returned."""
        return {n: (c, k) for c in self._calls for k, n in enumerate(c.outputs)}

    @cached_property
    def outer(self) -> frozenset[int]:
        """Nodes between what players returned and the loss, both ends included."""
        found: set[int] = set()
        stack = [root.node for root in self._roots]
        while stack:
            index = stack.pop()
            if index in found:
                continue
            found.add(index)
            node = self._graph.nodes[index]
            if isinstance(node, Operation) and (
                self._is_layout(index) or not self._is_cut(index, node)
            ):
                stack += [use.node for use in node.uses()]
        return frozenset(found)

    def _is_layout(self, index: int) -> bool:
        """Whether a node is another one laid out anew, which then is the quantity."""
        if index in self._call_of:
            return False
        return is_shaped_data(self._graph, self._leaves, index) or is_alias(
            self._graph, self._plain, index
        )

    def _is_cut(self, index: int, node: Leaf | Operation) -> bool:
        return (
            isinstance(node, Leaf)
            or index in self._call_of
            or node.name == GRADIENT
            or not self._within.isdisjoint(node.inside)
            or base_name(node.name) in WITHOUT_SOURCE
            or self._is_data(index, node)
        )

    def _is_data(self, index: int, node: Operation) -> bool:
        """Whether a node is data that were there before, put together in another shape."""
        behind = self._graph.ancestors([index])
        return all(
            n.kind == OUTSIDE if isinstance(n, Leaf) else base_name(n.name) in LAYOUT
            for n in (self._graph.nodes[i] for i in behind)
        )

    def _all_variables(self) -> Iterator[Variable]:
        for index in sorted(self.outer):
            node = self._graph.nodes[index]
            if index in self._call_of:
                yield from self._output(index)
            elif isinstance(node, Operation) and node.name == GRADIENT:
                yield from self._inner_gradient(index, node)
            elif isinstance(node, Leaf):
                yield from self._leaf(index, node)
            elif (
                self._is_cut(index, node)
                and self._is_data(index, node)
                and not self._is_layout(index)
            ):
                yield from self._data(index, self._plain.value(index))

    def _output(self, index: int) -> Iterator[Variable]:
        call, part = self._call_of[index]
        value = self._plain.value(index).detach().double()
        roles = self._roles.of_call(call, len(value) if value.ndim else 1)
        inputs = [self._plain.value(node) for node in call.inputs]
        given = max((i[0].numel() for i in inputs if i.ndim and len(i)), default=0)
        for role in dict.fromkeys(roles):
            rows = np.flatnonzero([r == role for r in roles])
            taken = value[torch.from_numpy(rows)] if value.ndim else value.reshape(1)
            places = ((index, rows),)
            yield Variable("output", call.player, call.path, part, role, places, taken, given)

    def _inner_gradient(self, index: int, node: Operation) -> Iterator[Variable]:
        of = [use.node for use in node.args[0]]
        at = node.args[1][node.output].node
        call = self._nearest_call(of)
        value = self._plain.value(index).detach().double()
        if call is None or not value.ndim:
            raise TraceError("a gradient of something that no player returned")
        rows = np.arange(len(value))
        roles = set(self._roles.of_node(at, call))
        role = roles.pop() if len(roles) == 1 else MIXED
        yield Variable("gradient", call.player, call.path, 0, role, ((index, rows),), value)

    def _leaf(self, index: int, node: Leaf) -> Iterator[Variable]:
        value = self._leaves[index]
        if node.kind == PARAMETER:
            yield self._whole("weight", index, value)
        elif node.kind == NOISE and value.is_floating_point() and value.ndim:
            yield self._whole("noise", index, value)
        elif node.kind == OUTSIDE:
            yield from self._data(index, value)

    def _data(self, index: int, value: Tensor) -> Iterator[Variable]:
        if value.is_floating_point() and value.ndim > 1 and not _is_constant(value):
            yield self._whole("data", index, value)

    def _whole(self, sort: str, index: int, value: Tensor) -> Variable:
        rows = np.arange(len(value) if value.ndim else 1)
        return Variable(sort, "", "", 0, "", ((index, rows),), value.detach().double())

    def _nearest_call(self, nodes: Sequence[int]) -> Call | None:
        """Last call of a player that nodes are made of."""
        behind = self._graph.ancestors(list(nodes))
        calls = [c for c in self._calls if any(o in behind for o in c.outputs)]
        return calls[-1] if calls else None


_LEAST_SCALE = 256.0
_IDENTITY = ("sort", "player", "path", "part", "role")


def _same(a: Variable, b: Variable) -> bool:
    """Whether two variables are the same rows again, such as of a second call on the same batch."""
    named = all(getattr(a, name) == getattr(b, name) for name in _IDENTITY)
    return named and a.recorded.shape == b.recorded.shape and torch.equal(a.recorded, b.recorded)


def _is_constant(value: Tensor) -> bool:
    """Whether each row holds one number again and again, as targets do."""
    flat = value.reshape(len(value), -1)
    return bool((flat == flat[:, :1]).all()) and len(torch.unique(flat)) <= 4
