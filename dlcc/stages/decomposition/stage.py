"""Decomposition stage: one graph, with text linked to code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from dlcc.records import Config, Dossier, RunGraph, Snapshots
from dlcc.stage import Case, Context, Stage, StageResult
from dlcc.stages.decomposition.documents import add_documents
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.links import SHIPPED, add_links, encoder
from dlcc.stages.decomposition.programs import add_programs
from dlcc.stages.decomposition.recorded import add_recorded


@dataclass(frozen=True)
class Decomposition(Stage):
    """One graph over documents, code, layers, series and snapshots, with text linked to code."""

    name: ClassVar = "decomposition"
    needs: ClassVar = (Config, Dossier)
    wants: ClassVar = (Snapshots,)
    gives: ClassVar = (RunGraph,)

    model: str = SHIPPED
    """Sentence-transformers model: the shipped one, a folder, or any name on this machine."""

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        dossier = case[Dossier]
        parts = GraphParts()
        add_documents(parts, dossier)
        add_programs(parts, dossier)
        add_recorded(parts, case[Config], dossier, case.get(Snapshots))
        ctx.progress(0.2, "links text to code")
        if dossier.functions and dossier.blocks:
            add_links(parts, dossier, encoder(self.model))
        graph = RunGraph(tuple(parts.nodes.values()), tuple(parts.edges.values()), self.model)
        return StageResult(records=[graph], details=_details(graph))


def _details(graph: RunGraph) -> dict[str, object]:
    import networkx as nx

    whole = graph.to_networkx()
    called = nx.DiGraph([(e.source, e.target) for e in graph.edges if e.kind == "calls"])
    rank = nx.pagerank(called) if called else {}
    central = sorted(rank, key=lambda n: (-rank[n], n))[:5]
    return {
        "nodes": dict(sorted(Counter(n.kind for n in graph.nodes).items())),
        "edges": dict(sorted(Counter(e.kind for e in graph.edges).items())),
        "components": nx.number_weakly_connected_components(whole) if whole else 0,
        "most_called": [name.removeprefix("function:") for name in central],
        "links": [[e.source, e.target, e.weight] for e in graph.edges if e.kind == "means"][:40],
    }
