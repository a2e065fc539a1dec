"""Graph under construction: each node once, each edge once, both in the order they came."""

from __future__ import annotations

from dataclasses import dataclass, field

from dlcc.records import Edge, EdgeKind, Node, NodeKind


@dataclass
class GraphParts:
    """Nodes and edges so far."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str, EdgeKind], Edge] = field(default_factory=dict)

    def node(self, kind: NodeKind, name: str, label: str, place: str | None = None) -> str:
        """Add a node if it is new; returns its id `kind:name`."""
        id_ = f"{kind}:{name}"
        self.nodes.setdefault(id_, Node(id_, kind, label, place))
        return id_

    def edge(
        self,
        source: str,
        target: str,
        kind: EdgeKind,
        weight: float = 1.0,
        evidence: tuple[str, ...] = (),
    ) -> None:
        """Add an edge between nodes that exist; the heaviest of several of one kind stays."""
        key = source, target, kind
        if key not in self.edges or self.edges[key].weight < weight:
            self.edges[key] = Edge(source, target, kind, weight, evidence)
