"""The walk through the run's graph: what the page is given, and how it behaves in a browser."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlcc.evaluation import Evaluation
from dlcc.records import Edge, HealthRecord, Node, RunGraph
from dlcc.report.page import html
from dlcc.report.page.graph_walk import LAYERS, MOST_NODES, graph_walk
from tests.report.page.small_graph import DOSSIER, GRAPH, NAMES
from tests.report.page.test_browser import holds, opened


def test_every_kind_of_node_has_a_layer() -> None:
    kinds = [kind for its in LAYERS.values() for kind in its]
    assert len(kinds) == len(set(kinds))
    assert {n.kind for n in GRAPH.nodes} <= set(kinds)


def test_the_walk_starts_at_the_losses_and_holds_every_link() -> None:
    walk = graph_walk(GRAPH, DOSSIER)
    assert walk is not None
    plain = json.loads(walk.json)
    labels = [node[2] for node in plain["nodes"]]
    assert [labels[k] for k in plain["start"]] == [r"L_D = -\log D(x)", "loss", "d/loss"]
    assert len(plain["edges"]) == len(GRAPH.edges)
    assert (walk.links, walk.unresolved) == (2, 1)
    assert [row.evidence for row in walk.rows] == ["operators: log", "values: 97 % agree"]
    assert "</script>" not in walk.json


def test_doubtful_links_are_shown_and_counted_by_themselves() -> None:
    doubtful = Edge("sentence:m.md:3.0", "function:source/t.py:step", "resembles", 0.55)
    walk = graph_walk(replace(GRAPH, edges=(*GRAPH.edges, doubtful)), DOSSIER)
    assert walk is not None
    assert (walk.links, walk.doubtful, len(walk.rows)) == (2, 1, 3)
    assert "resembles" in json.loads(walk.json)["words"]


def test_a_graph_that_is_too_large_is_cut_and_nothing_points_beside_it() -> None:
    many = [Node(f"layer:g/{k}", "layer", str(k)) for k in range(MOST_NODES)]
    edges = [Edge(many[0].id, node.id, "contains") for node in many[1:]]
    whole = RunGraph((*many, *GRAPH.nodes), (*edges, *GRAPH.edges), "")
    walk = graph_walk(whole, DOSSIER)
    assert walk is not None
    plain = json.loads(walk.json)
    assert len(plain["nodes"]) == len(GRAPH.nodes)
    assert all(max(a, b) < len(plain["nodes"]) for a, b, *_ in plain["edges"])


def test_without_a_graph_there_is_no_walk() -> None:
    assert graph_walk(None, DOSSIER) is None
    assert graph_walk(RunGraph((), (), ""), DOSSIER) is None


@pytest.fixture(scope="module")
def address(evaluated: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Page of the collapsed example with the small graph above."""
    file = tmp_path_factory.mktemp("graph") / "report.html"
    file.write_text(
        html.render(
            evaluated.report,
            evaluated.evaluated_run,
            evaluated.record(HealthRecord),
            graph=GRAPH,
            dossier=DOSSIER,
        ),
        encoding="utf-8",
    )
    return Path(file).as_uri()


def walking(browser: Any, address: str, size: str = "desk", **options: Any) -> Any:
    page = opened(browser, address, size, **options)
    page.query_selector("#graph").scroll_into_view_if_needed()
    page.wait_for_selector("#walk.alive")
    return page


def test_a_click_shows_neighbours_excerpt_and_confidence_with_its_evidence(
    browser: Any, address: str
) -> None:
    page = walking(browser, address)
    page.click("#walk .k-formula")
    told = page.inner_text("#walk .told")
    assert "is about function loss with probability 93 % by operators: log" in " ".join(
        told.split()
    )
    assert r"L_D = -\log D(x)" in page.inner_text("#walk .told pre")
    assert page.get_attribute("#walk [aria-current]", "class") == "node k-formula"
    assert len(page.query_selector_all("#walk .edge.e-means")) == 1
    page.click("#walk .told .to >> text=function loss")
    page.wait_for_selector("#walk .k-series")
    page.click("#walk .back")
    assert page.get_attribute("#walk [aria-current]", "class") == "node k-formula"
    assert page.troubles == []


def test_it_is_walked_by_the_keyboard_alone(browser: Any, address: str) -> None:
    page = walking(browser, address)
    page.focus("#walk .k-function")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.select_option("#walk .goto", label="function step")
    holds(page, "document.activeElement.textContent.includes('step')")
    assert "calls self.net in line 4: not resolved" in page.inner_text("#walk .told")


def test_what_does_not_fit_is_folded(browser: Any, address: str) -> None:
    page = walking(browser, address)
    page.select_option("#walk .goto", label="function step")
    before = len(page.query_selector_all("#walk .layers .k-function"))
    page.click("#walk .more")
    assert before < len(page.query_selector_all("#walk .layers .k-function")) == len(NAMES) + 2


def test_without_scripts_the_links_stand_in_a_table(browser: Any, address: str) -> None:
    page = opened(browser, address, java_script_enabled=False)
    page.click("#graph summary")
    assert "operators: log" in page.inner_text("#graph table")
