"""Roles of batches: what went into a player, row by row, by its numbers and by how it was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dlcc.tracing.graph import NOISE, OUTSIDE, PARAMETER, Call, Leaf, Operation, StepGraph, Use
from dlcc.tracing.operators import LAYOUT, WITHOUT_SOURCE, base_name
from dlcc.tracing.rerun import Rerun

REAL, FAKE, MIXED, DRAWN, ASSUMED = "real", "fake", "mixed", "drawn", "assumed real"
"""Roles of what went into a player: training data; what a player made; both at once; chance alone;
and what no player made and the training data that are known do not hold, taken for real."""
NOISY_REAL, NOISY_FAKE = "real with noise", "fake with noise"
"""Roles of training data, and of what a player made, with random numbers in them."""

_MADE, _DATA, _OUTSIDE, _CHANCE, _BLENDED, _WEIGHT = (
    "made",
    "data",
    "outside",
    "chance",
    "both",
    "w",
)
_ORDER = (
    MIXED,
    NOISY_FAKE,
    FAKE,
    NOISY_REAL,
    REAL,
    DRAWN,
    ASSUMED,
)  # of several inputs, the one that decides comes first
Sources = tuple[frozenset[str], ...]
"""Sources that rows are made of: one set for each row, or one for all."""


class Roles:
    """Roles of what went into the calls of a step.

    Args:
        graph: Recorded step.
        plain: Values of its nodes as they were.
        calls: Calls of players, in order.
        reference: Rows of the training data, [n, ...]; None where they are not known.
    """

    def __init__(
        self,
        graph: StepGraph,
        plain: Rerun,
        calls: Sequence[Call],
        reference: NDArray[Any] | None,
    ) -> None:
        self._graph, self._plain = graph, plain
        self._real = frozenset() if reference is None else frozenset(row_texts(reference))
        self._made: set[bytes] = set()
        self._makers: dict[int, tuple[str, str]] = {}
        for call in calls:
            for node in call.outputs:
                self._makers[node] = (call.player, call.path)
                value = plain.value(node)
                if value.ndim > 1:
                    self._made.update(row_texts(value.detach().float().cpu().numpy()))
        self._sources: dict[tuple[int, tuple[str, str]], Sources] = {}

    def of_call(self, call: Call, rows: int) -> list[str]:
        """Tell the roles of what went into a call, one for each of the rows that came out."""
        values = [(node, self._plain.value(node).detach()) for node in call.inputs]
        given = [self.of_node(n, call) for n, v in values if v.ndim > 1 and v.is_floating_point()]
        if not given:
            return [ASSUMED if call.inputs else DRAWN] * rows
        found = [r for r in given if len(r) == rows]
        if not found:
            roles = set(given[0])
            return [roles.pop() if len(roles) == 1 else MIXED] * rows
        return [min(row, key=_ORDER.index) for row in zip(*found, strict=True)]

    def of_node(self, node: int, call: Call) -> list[str]:
        """Tell the roles of the rows of a node that went into a call."""
        value = self._plain.value(node).detach()
        sources = self._made_of(node, (call.player, call.path))
        known = self._recognised(value)
        each = sources if len(sources) == len(known) else sources[:1] * len(known)
        found = [role or _role(made_of) for role, made_of in zip(known, each, strict=True)]
        if REAL in known:  # of the data only a part may be known
            found = [REAL if role == ASSUMED else role for role in found]
        return found

    def _recognised(self, value: Tensor) -> list[str]:
        """Roles of rows by their numbers; empty for a row that is neither known nor made."""
        if value.ndim < 2 or not value.is_floating_point():
            return [""] * (len(value) if value.ndim else 1)
        texts = row_texts(value.float().cpu().numpy())
        return [FAKE if t in self._made else REAL if t in self._real else "" for t in texts]

    def _made_of(self, node: int, part: tuple[str, str]) -> Sources:
        """Tell what the rows of a node are made of, up to what other parts returned."""
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [n for n in self._needs(top, part) if (n, part) not in self._sources]
            if missing:
                stack += missing
            else:
                stack.pop()
                if (top, part) not in self._sources:
                    self._sources[top, part] = self._found(top, part)
        return self._sources[node, part]

    def _needs(self, node: int, part: tuple[str, str]) -> list[int]:
        made = self._graph.nodes[node]
        if not isinstance(made, Operation) or self._is_made(node, part):
            return []
        if base_name(made.name) in WITHOUT_SOURCE:
            return []
        return [use.node for use in made.uses()]

    def _is_made(self, node: int, part: tuple[str, str]) -> bool:
        return node in self._makers and self._makers[node] != part

    def _found(self, node: int, part: tuple[str, str]) -> Sources:
        if self._is_made(node, part):
            return (frozenset((_MADE,)),)
        made = self._graph.nodes[node]
        if isinstance(made, Leaf):
            return (self._of_leaf(node, made),)
        name = base_name(made.name)
        rows = _rows(self._plain.value(node))
        if name == "cat" and _dimension(made) == 0:
            return tuple(s for use in made.args[0] for s in self._by_row(use, part))
        given = [(use, self._by_row(use, part)) for use in made.uses()]
        if not given or name in WITHOUT_SOURCE:
            return (frozenset(),)
        aligned = [g if len(g) == rows else (_union(g),) * rows for _, g in given]
        if name == "cat":  # beside a sample, data are its condition
            return tuple(
                frozenset((_MADE,))
                if _MADE in _union(row) and _BLENDED not in _union(row)
                else _union(row)
                for row in zip(*aligned, strict=True)
            )
        wide = [self._width(use.node) for use, _ in given]
        blends = name not in LAYOUT
        return tuple(
            _union(row) | ({_BLENDED} if blends and _is_blend(row, wide) else set())
            for row in zip(*aligned, strict=True)
        )

    def _by_row(self, use: Use, part: tuple[str, str]) -> Sources:
        found = self._sources[use.node, part]
        rows = _rows(self._plain.value(use.node))
        return found if len(found) == rows else (_union(found),) * rows

    def _width(self, node: int) -> int:
        value = self._plain.value(node)
        return value[0].numel() if value.ndim > 1 and len(value) else 0

    def _of_leaf(self, index: int, leaf: Leaf) -> frozenset[str]:
        value = self._plain.value(index).detach()
        if leaf.kind == NOISE:
            return frozenset() if leaf.name == "randint" else frozenset((_CHANCE,))
        if leaf.kind == PARAMETER:
            return frozenset((_WEIGHT,))
        if leaf.kind != OUTSIDE or value.ndim < 2 or not value.is_floating_point():
            return frozenset()
        known = any(t in self._real for t in row_texts(value.float().cpu().numpy()))
        return frozenset((_DATA if known else _OUTSIDE,))


def _role(made_of: frozenset[str]) -> str:
    """Role of a row that is not recognised, by what it is made of."""
    given = made_of & {_DATA, _OUTSIDE}
    if _MADE in made_of:
        noisy = NOISY_FAKE if _CHANCE in made_of else FAKE
        return MIXED if _BLENDED in made_of or given else noisy
    if _DATA in made_of:
        return NOISY_REAL if _CHANCE in made_of else REAL
    return DRAWN if _CHANCE in made_of and not given | (made_of & {_WEIGHT}) else ASSUMED


def _is_blend(row: Sequence[frozenset[str]], wide: Sequence[int]) -> bool:
    """Whether an operation puts a sample and data together, number by number."""
    of_samples = [k for k, made_of in enumerate(row) if _MADE in made_of]
    of_data = [k for k, made_of in enumerate(row) if made_of & {_DATA, _OUTSIDE}]
    return any(a != b and wide[a] == wide[b] for a in of_samples for b in of_data)


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


def _rows(value: Tensor) -> int:
    return len(value) if value.ndim else 1


def _dimension(cat: Operation) -> int:
    dim = cat.args[1] if len(cat.args) > 1 else cat.kwargs.get("dim", 0)
    return dim if isinstance(dim, int) else 0


def row_texts(rows: NDArray[Any]) -> list[bytes]:
    """Write rows as bytes of float32, to compare them by.

    >>> row_texts(np.eye(2)) == row_texts(np.eye(2, dtype=np.float32))
    True
    """
    if rows.ndim < 2 or not len(rows):
        return []
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1), dtype=np.float32)
    return [row.tobytes() for row in flat]
