"""Documents as nodes: sections, paragraphs, sentences, formulas, tables."""

from __future__ import annotations

from dlcc.records import Block, Dossier, NodeKind
from dlcc.stages.decomposition.graph import GraphParts

_LABEL = 80  # characters of a node's label


def sentence_ids(dossier: Dossier) -> dict[str, str]:
    """Collect the sentences of the documents: node id -> text."""
    return {
        f"sentence:{block.file}:{block.line}.{i}": sentence
        for block in dossier.blocks
        for i, sentence in enumerate(block.sentences)
    }


def formula_ids(dossier: Dossier) -> tuple[str, ...]:
    """List the node ids of the dossier's formulas, in their order."""
    return tuple(f"formula:{f.file}:{f.line}#{i}" for i, f in enumerate(dossier.formulas))


def add_documents(parts: GraphParts, dossier: Dossier) -> None:
    """Add documents: containment down to sentence and formula, and `time` from block to block."""
    previous: dict[str, str] = {}
    for block in dossier.blocks:
        node = _block(parts, block)
        if block.kind != "heading":
            if block.file in previous:
                parts.edge(previous[block.file], node, "time")
            previous[block.file] = node
    said_in = {(id_.split(":")[1], text): id_ for id_, text in sentence_ids(dossier).items()}
    for id_, formula in zip(formula_ids(dossier), dossier.formulas, strict=True):
        place = f"{formula.file}:{formula.line}"
        parts.node("formula", id_.removeprefix("formula:"), formula.latex[:_LABEL], place)
        parts.edge(f"document:{formula.file}", id_, "contains")
        if sentence := said_in.get((formula.file, formula.context)):
            parts.edge(sentence, id_, "contains")


def _block(parts: GraphParts, block: Block) -> str:
    """Add a block below its section; returns its node."""
    place = f"{block.file}:{block.line}"
    owner = parts.node("document", block.file, block.file, block.file)
    titles = block.section.split(" > ") if block.section else []
    for depth, title in enumerate(titles, 1):
        path = " > ".join(titles[:depth])
        section = parts.node("section", f"{block.file}#{path}", title[:_LABEL], place)
        parts.edge(owner, section, "contains")
        owner = section
    if block.kind == "heading":
        return owner
    kind: NodeKind = "table" if block.kind == "table" else "paragraph"
    node = parts.node(kind, place, block.text[:_LABEL], place)
    parts.edge(owner, node, "contains")
    for i, sentence in enumerate(block.sentences):
        leaf = parts.node("sentence", f"{place}.{i}", sentence[:_LABEL], place)
        parts.edge(node, leaf, "contains")
    return node
