"""Graph of a run over documents, code, layers, series and snapshots, as decomposition makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import networkx as nx


NodeKind = Literal[
    "document", "section", "paragraph", "sentence", "formula", "table", "file", "function",
    "player", "layer", "series", "snapshot",
]  # fmt: skip
EdgeKind = Literal["contains", "calls", "data", "time", "means", "measures"]


@dataclass(frozen=True)
class Node:
    """Node of the run's graph."""

    id: str
    """Name that is unique and stable, such as `function:source/train.py:SmallGan.step`."""
    kind: NodeKind
    label: str
    place: str | None = None


@dataclass(frozen=True)
class Edge:
    """Edge between two nodes, with a direction."""

    source: str
    target: str
    kind: EdgeKind
    weight: float = 1.0
    """Cosine similarity for "means": this text or formula is that code."""


@dataclass(frozen=True)
class RunGraph:
    """Graph of a run over its documents, code, layers, series and snapshots."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    embedding: str
    """Model that found the "means" edges."""

    def to_networkx(self) -> nx.MultiDiGraph[str]:
        """The same as a networkx multigraph, nodes and edges with their attributes."""
        import networkx as nx

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for node in self.nodes:
            graph.add_node(node.id, kind=node.kind, label=node.label, place=node.place)
        for edge in self.edges:
            graph.add_edge(edge.source, edge.target, key=edge.kind, weight=edge.weight)
        return graph
