"""Terms: how a tensor of a step was made, as formulas write it: D(E(x)) is D of E of data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dlcc.tracing.graph import NOISE, OUTSIDE, Call, Leaf, Operation, StepGraph, Use
from dlcc.tracing.operators import LAYOUT, WITHOUT_SOURCE, base_name
from dlcc.tracing.rerun import Rerun

MADE, GIVEN, CHANCE, MIX, OTHER = "made", "given", "chance", "mix", "other"
"""Kinds of terms: what a player returned; what was there before the step; random numbers; what is
computed of several of these; and numbers that are no rows, such as weights and classes."""

_SAME = frozenset(
    (
        *("view", "reshape", "_unsafe_view", "detach", "clone", "alias", "_to_copy", "contiguous"),
        *("squeeze", "unsqueeze", "flatten", "lift_fresh", "_reshape_alias"),
    )
)  # operations that leave a row's numbers and their order as they are
_DEEPEST = 4  # calls of players within each other
_LONGEST = 150  # operations between two calls


@dataclass(frozen=True)
class Term:
    """Way in which a tensor was made."""

    kind: str
    """Kind: `made`, `given`, `chance`, `mix` or `other`."""
    node: int
    """Node that holds its numbers."""
    player: str = ""
    """Player that returned it; empty for what none did."""
    path: str = ""
    """Part of the player that was called."""
    part: int = 0
    """Number of the tensor among those that the player returned."""
    inputs: tuple[Term, ...] = ()
    """Terms of what went into the player, or of what a mix is computed of."""

    def within(self) -> Iterator[Term]:
        """List the term and all that it is made of."""
        yield self
        for term in self.inputs:
            yield from term.within()


class Terms:
    """Terms of the nodes of a step.

    Args:
        graph: Recorded step.
        plain: Values of its nodes.
        calls: Calls of players at whose outputs losses are cut.

    >>> import torch
    >>> from dlcc.tracing.recorder import StepRecorder
    >>> from dlcc.tracing.rerun import leaves_of
    >>> G, D = torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)
    >>> with StepRecorder({"G": G, "D": D}) as recorder:
    ...     D(G(torch.randn(8, 2))).mean().backward()
    >>> graph, tensors = recorder.graph()
    >>> calls = [call for call in graph.calls if not call.path]
    >>> terms = Terms(graph, Rerun(graph, leaves_of(graph, tensors)), calls)
    >>> [term.player or term.kind for term in terms.of(calls[-1].outputs[0]).within()]
    ['D', 'G', 'chance']
    """

    def __init__(self, graph: StepGraph, plain: Rerun, calls: Sequence[Call]) -> None:
        self._graph, self._plain, self.calls = graph, plain, calls
        self._made = {node: (c, k) for c in calls for k, node in enumerate(c.outputs)}
        self._found: dict[tuple[int, int], Term] = {}
        self._level = 0

    def of(self, node: int, rows: NDArray[np.int64] | None = None) -> Term:
        """Tell how a node was made, or some of its rows where those of a batch differ."""
        term = self._term(node, _DEEPEST)
        if rows is None or term.kind != MADE or len(rows) == self._rows(node):
            return term
        inputs = tuple(self._of_rows(i.node, rows, self._rows(node)) for i in term.inputs)
        return replace(term, inputs=inputs)

    def _of_rows(self, node: int, rows: NDArray[np.int64], count: int) -> Term:
        """Term of the part of a batch that was put together which holds some rows."""
        bare = self._bare(node)
        made = self._graph.nodes[bare]
        if self._rows(bare) == count and _is_cat(made) and _dimension(made) == 0:
            begin = 0
            for use in made.args[0]:  # type: ignore[union-attr]
                end = begin + self._rows(use.node)
                if begin <= rows.min() and rows.max() < end:
                    return self.of(use.node)
                begin = end
        return self.of(node)

    def _rows(self, node: int) -> int:
        value = self._plain.value(node)
        return len(value) if value.ndim else 1

    def _bare(self, node: int) -> int:
        """Node before its numbers were only laid out anew."""
        made = self._graph.nodes[node]
        while node not in self._made and isinstance(made, Operation):
            uses = list(made.uses())
            if base_name(made.name) not in _SAME or len(uses) != 1:
                break
            node = uses[0].node
            made = self._graph.nodes[node]
        return node

    def _term(self, node: int, deep: int) -> Term:
        """Term of a node, so many calls of players deep; of a very long chain it is not known."""
        node = self._bare(node)
        if (node, deep) not in self._found:
            if self._level >= _LONGEST:
                return Term(MIX, node)
            self._level += 1
            self._found[node, deep] = self._new(node, deep)
            self._level -= 1
        return self._found[node, deep]

    def _new(self, node: int, deep: int) -> Term:
        if node in self._made:
            call, part = self._made[node]
            inputs = tuple(t for i in call.inputs for t in self._beside(i, deep)) if deep else ()
            return Term(MADE, node, call.player, call.path, part, inputs)
        made = self._graph.nodes[node]
        if isinstance(made, Leaf):
            return Term(self._kind_of_leaf(node, made), node)
        name = base_name(made.name)
        if name in WITHOUT_SOURCE or not deep:
            return Term(OTHER, node)
        if name in LAYOUT and name not in ("cat", "stack"):
            source = self._term(next(made.uses()).node, deep)
            if source.kind in (GIVEN, CHANCE):
                return replace(source, node=node)
            return source if source.kind == OTHER else Term(MIX, node, inputs=(source,))
        return self._mixed(node, made, deep)

    def _mixed(self, node: int, made: Operation, deep: int) -> Term:
        """Term of what an operation computes: of one kind where all that goes in is."""
        behind: dict[int, Term] = {}
        for use in made.uses():
            term = self._term(use.node, deep)
            parts = term.inputs if term.kind in (MIX, GIVEN, CHANCE) else ()
            whole = () if term.kind == MIX and parts else (term,)
            behind |= {t.node: t for t in (*parts, *whole) if t.kind != OTHER}
        kinds = {t.kind for t in behind.values()}
        if not kinds:
            return Term(OTHER, node)
        if kinds in ({GIVEN}, {CHANCE}):
            return Term(kinds.pop(), node, inputs=tuple(behind.values()))
        return Term(MIX, node, inputs=tuple(behind.values()))

    def _beside(self, node: int, deep: int) -> list[Term]:
        """Terms of what went into a player, those that were put beside each other one by one."""
        bare = self._bare(node)
        made = self._graph.nodes[bare]
        if bare not in self._made and _is_cat(made) and _dimension(made) != 0:
            return [t for use in made.args[0] for t in self._beside(use.node, deep)]  # type: ignore[union-attr]
        return [self._term(node, deep - 1)]

    def _kind_of_leaf(self, node: int, leaf: Leaf) -> str:
        value = self._plain.value(node)
        if value.ndim < 2 or not value.is_floating_point():
            return OTHER
        return {NOISE: CHANCE, OUTSIDE: GIVEN}.get(leaf.kind, OTHER)


def _is_cat(made: Leaf | Operation) -> bool:
    return (
        isinstance(made, Operation)
        and base_name(made.name) == "cat"
        and all(isinstance(use, Use) for use in made.args[0])
    )


def _dimension(cat: Leaf | Operation) -> int:
    assert isinstance(cat, Operation)
    dim = cat.args[1] if len(cat.args) > 1 else cat.kwargs.get("dim", 0)
    return dim if isinstance(dim, int) else 0
