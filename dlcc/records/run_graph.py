"""Graph of a run over documents, code, layers, series and snapshots, as decomposition makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import networkx as nx


NodeKind = Literal[
    "document",
    "section",
    "paragraph",
    "sentence",
    "formula",
    "table",
    "file",
    "function",
    "player",
    "layer",
    "series",
    "snapshot",
    "figure",
]
EdgeKind = Literal[
    "contains", "calls", "data", "time", "means", "resembles", "measures", "names", "shows"
]


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
    """Probability for "means", and for "resembles", which is likelier than not but doubtful: this
    text or formula is about that code. Share of points that agree for "shows": this figure or
    printout shows that series. One for what is certain."""
    evidence: tuple[str, ...] = ()
    """Evidence of a link, in words."""


@dataclass(frozen=True)
class RunGraph:
    """Graph of a run over its documents, figures, code, layers, series and snapshots."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    embedding: str
    """Model of sentences that the "means" edges rest on, beside what they share."""
    unresolved: tuple[tuple[str, str, int], ...] = ()
    """Calls of which something is not known, so that edges may be missing: node of the function,
    what it calls, line in the file."""

    def to_networkx(self) -> nx.MultiDiGraph[str]:
        """Convert to a networkx multigraph, nodes and edges with their attributes.

        Returns:
            Graph with the node attributes `kind`, `label` and `place`; edges have their kind as
            key and the attribute `weight`.

        >>> graph = RunGraph(
        ...     nodes=(Node("section:1", "section", "Loss"), Node("file:train.py", "file", "")),
        ...     edges=(Edge("section:1", "file:train.py", "means", weight=0.8),),
        ...     embedding="words",
        ... )
        >>> list(graph.to_networkx().edges(keys=True))
        [('section:1', 'file:train.py', 'means')]
        """
        import networkx as nx

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for node in self.nodes:
            graph.add_node(node.id, kind=node.kind, label=node.label, place=node.place)
        for edge in self.edges:
            graph.add_edge(edge.source, edge.target, key=edge.kind, weight=edge.weight)
        return graph
