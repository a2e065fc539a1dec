"""Series that documents name and show, as edges of the graph."""

from __future__ import annotations

import numpy as np
import pytest

from dlcc.records import Block, DocumentSeries, Dossier, Edge
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.recorded import add_names, add_shown

STEPS = np.arange(5)
VALUES = np.array([[5.0, 0.1], [4.0, 0.2], [3.0, np.nan], [2.0, 0.4], [1.0, 0.5]])


def dossier(*sentences: str, shown: tuple[DocumentSeries, ...] = ()) -> Dossier:
    block = Block("paragraph", "m.md", 1, " ".join(sentences), "", sentences)
    return Dossier(
        STEPS, ("generator/loss", "critic/grad_norm"), VALUES, ~np.isnan(VALUES), {},
        (block,), (), (), series=shown,
    )  # fmt: skip


def edges_of(parts: GraphParts, kind: str) -> list[Edge]:
    return [edge for edge in parts.edges.values() if edge.kind == kind]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("See generator/loss.", ["series:generator/loss"]),
        ("The generator's loss falls.", ["series:generator/loss"]),
        ("The loss of the generator falls.", ["series:generator/loss"]),
        ("The gradient norm of a critic, critic grad norm.", ["series:critic/grad_norm"]),
        ("A generator has a loss.", []),
        ("The degenerator loss.", []),
    ],
)
def test_sentences_name_a_series_or_do_not(said: str, named: list[str]) -> None:
    parts = GraphParts()
    add_names(parts, dossier(said))
    assert [edge.target for edge in edges_of(parts, "names")] == named


def shown(values: tuple[float, ...], series: str) -> DocumentSeries:
    return DocumentSeries("a.ipynb", 3, "G loss", series, "step", (0, 2, 4), values, 0.05)


def test_a_printout_is_linked_by_its_values() -> None:
    right, wrong = shown((5, 3, 1), "generator/loss"), shown((5, 3, 9), "generator/loss")
    unknown = shown((5, 3, 1), "encoder/loss")
    parts = GraphParts()
    add_shown(parts, dossier(shown=(right, wrong, unknown)))
    found = {edge.source: edge.weight for edge in edges_of(parts, "shows")}
    assert found == {
        "figure:a.ipynb:3#1": 1.0,
        "figure:a.ipynb:3#2": pytest.approx(2 / 3, abs=1e-3),
    }
    assert len([node for node in parts.nodes if node.startswith("figure:")]) == 3
