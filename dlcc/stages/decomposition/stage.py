"""Decomposition stage: one graph, with text, formulas, code, series and figures linked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from dlcc.records import Config, Dossier, RunGraph, Snapshots, Sources
from dlcc.stage import Case, Context, Stage, StageResult
from dlcc.stages.decomposition.call_graph import follow_calls
from dlcc.stages.decomposition.documents import add_documents
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.links import SHIPPED, add_links, encoder
from dlcc.stages.decomposition.programs import add_programs
from dlcc.stages.decomposition.recorded import add_recorded


@dataclass(frozen=True)
class Decomposition(Stage):
    """One graph over documents, code, layers, series and snapshots, with text linked to code."""

    name: ClassVar = "decomposition"
    version: ClassVar = 2
    needs: ClassVar = (Config, Dossier)
    wants: ClassVar = (Sources, Snapshots)
    gives: ClassVar = (RunGraph,)

    model: str = SHIPPED
    """Sentence-transformers model: the shipped one, a folder, or any name on this machine."""

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        dossier = case[Dossier]
        parts = GraphParts()
        add_documents(parts, dossier)
        sources = case.get(Sources)
        texts = sources.files if sources else {}
        calls = follow_calls({file: text for file, text in texts.items() if file.endswith(".py")})
        add_programs(parts, dossier, calls)
        add_recorded(parts, case[Config], dossier, case.get(Snapshots))
        ctx.progress(0.2, "links text to code")
        if dossier.functions and dossier.blocks:
            add_links(parts, dossier, calls, encoder(self.model))
        graph = RunGraph(
            tuple(parts.nodes.values()),
            tuple(parts.edges.values()),
            self.model,
            tuple((f"function:{name}", called, line) for name, called, line in calls.unresolved),
        )
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
        "unresolved_calls": len(graph.unresolved),
        "links": [[e.source, e.target, e.weight] for e in graph.edges if e.kind == "means"][:40],
    }
