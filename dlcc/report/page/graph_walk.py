"""Graph of a run as the page walks it: nodes in layers, with excerpts, and their links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dlcc.records import Dossier, Edge, Node, NodeKind, RunGraph
from dlcc.records.run_graph import EdgeKind
from dlcc.report.page.payload import script_json

LAYERS: Mapping[str, tuple[NodeKind, ...]] = {
    "text": ("document", "section", "paragraph", "sentence", "table"),
    "formula": ("formula",),
    "code": ("file", "function"),
    "record": ("player", "series", "layer", "snapshot"),
    "figure": ("figure",),
}
"""Layers of the picture, from the left to the right, and what stands in each."""
MOST_NODES = 1_500
_MOST_EDGES = 6_000
_MOST_ROWS = 40
_MOST_STARTS = 6  # of a kind
_EXCERPT = 420  # characters
_LABEL = 70
_LEFT_OUT: tuple[NodeKind, ...] = ("layer", "snapshot", "table")  # first, where there are too many
_WORDS = {
    "contains": ("contains", "is in"), "calls": ("calls", "is called by"),
    "data": ("hands on to", "gets from"), "time": ("is followed by", "follows"),
    "means": ("is about", "is told by"),
    "resembles": ("is perhaps about", "is perhaps told by"), "measures": ("is of", "has"),
    "names": ("names", "is named by"), "shows": ("shows", "is shown by"),
}  # fmt: skip
"""Kind of an edge -> words for it from its source, and from its target."""
_WEIGHED: tuple[EdgeKind, ...] = ("means", "resembles")
_LINKS: tuple[EdgeKind, ...] = (*_WEIGHED, "shows", "names")


@dataclass(frozen=True)
class LinkRow:
    """Link between text or figure and code or series, as a row of a table."""

    source: str
    target: str
    place: str
    weight: float | None
    """Probability, or share of points that agree; None where it is certain."""
    evidence: str


@dataclass(frozen=True)
class GraphWalk:
    """Everything that the section on the graph shows."""

    json: Markup
    """JSON for the page's script."""
    rows: tuple[LinkRow, ...]
    """The likeliest links, for readers without the script."""
    links: int
    """Number of links that are not doubtful."""
    doubtful: int
    """Number of links that are likelier right than wrong, and no more."""
    nodes: int
    unresolved: int
    """Number of calls of which something is not known."""


def graph_walk(graph: RunGraph | None, dossier: Dossier | None) -> GraphWalk | None:
    """Make the walk through a graph; None where there is nothing to walk on.

    It starts at the losses: formulas that are linked to code, or else what is called most.
    """
    if graph is None or dossier is None or len(graph.nodes) < 2:
        return None
    nodes = _kept(graph.nodes)
    at = {node.id: k for k, node in enumerate(nodes)}
    edges = [e for e in graph.edges if e.source in at and e.target in at][:_MOST_EDGES]
    texts = _excerpts(dossier)
    layer = {kind: k for k, kinds in enumerate(LAYERS.values()) for kind in kinds}
    plain = {
        "layers": list(LAYERS),
        "words": {kind: list(pair) for kind, pair in _WORDS.items()},
        "nodes": [
            [layer[n.kind], n.kind, _short(n.label, _LABEL), n.place or "", texts.get(n.id, "")]
            for n in nodes
        ],
        "edges": [[at[e.source], at[e.target], e.kind, e.weight, list(e.evidence)] for e in edges],
        "start": [at[id_] for id_ in _start(graph) if id_ in at],
        "unresolved": [
            [at[owner], called, line] for owner, called, line in graph.unresolved if owner in at
        ],
    }
    linked = _links(graph)
    return GraphWalk(
        json=Markup(script_json(plain)),
        rows=_rows(graph, linked),
        links=sum(e.kind != "resembles" for e in linked),
        doubtful=sum(e.kind == "resembles" for e in linked),
        nodes=len(graph.nodes),
        unresolved=len(graph.unresolved),
    )


def _kept(nodes: Sequence[Node]) -> list[Node]:
    if len(nodes) > MOST_NODES:
        nodes = [n for n in nodes if n.kind not in _LEFT_OUT]
    return list(nodes[:MOST_NODES])


def _links(graph: RunGraph) -> list[Edge]:
    """Links between what is told and what is, the likeliest first; formulas before sentences."""
    found = [e for e in graph.edges if e.kind in _LINKS]
    return sorted(found, key=lambda e: (not e.source.startswith("formula"), -e.weight, e.source))


def _start(graph: RunGraph) -> list[str]:
    """Nodes that the walk starts at: linked formulas with their code, functions and series of
    losses; where there are none, what is linked or called most."""
    meant = [e for e in _links(graph) if e.kind in _WEIGHED and e.source.startswith("formula")]
    losses = [e for e in meant if "loss" in e.target.lower()] or meant
    found = [id_ for e in losses[:4] for id_ in (e.source, e.target)]
    linked = {id_ for e in graph.edges if e.kind != "contains" for id_ in (e.source, e.target)}
    for kind in ("formula", "function", "series"):
        its = [n for n in graph.nodes if n.kind == kind and n.id in linked]
        found += [n.id for n in its if _is_loss(n)][:_MOST_STARTS]
    ends = [
        id_ for e in graph.edges if e.kind in ("means", "calls") for id_ in (e.source, e.target)
    ]
    most = max(dict.fromkeys(ends), key=ends.count, default=graph.nodes[0].id)
    return list(dict.fromkeys(found)) or [most]


def _is_loss(node: Node) -> bool:
    return "loss" in node.label.lower() or node.label.startswith(("L_", r"\mathcal{L}"))


def _rows(graph: RunGraph, linked: Sequence[Edge]) -> tuple[LinkRow, ...]:
    of = {node.id: node for node in graph.nodes}
    return tuple(
        LinkRow(
            source=_short(of[e.source].label, _LABEL),
            target=_short(of[e.target].label, _LABEL),
            place=of[e.source].place or "",
            weight=None if e.kind == "names" else e.weight,
            evidence="; ".join(e.evidence),
        )
        for e in linked[:_MOST_ROWS]
    )


def _excerpts(dossier: Dossier) -> dict[str, str]:
    """Text of nodes by id, shortened."""
    found: dict[str, str] = {}
    for k, formula in enumerate(dossier.formulas):
        found[f"formula:{formula.file}:{formula.line}#{k}"] = formula.latex
    for block in dossier.blocks:
        kind = "table" if block.kind == "table" else "paragraph"
        found[f"{kind}:{block.file}:{block.line}"] = block.text
        for k, sentence in enumerate(block.sentences):
            found[f"sentence:{block.file}:{block.line}.{k}"] = sentence
    for function in dossier.functions:
        found[f"function:{function.file}:{function.name}"] = function.text
    return {id_: _short(text, _EXCERPT) for id_, text in found.items()}


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
