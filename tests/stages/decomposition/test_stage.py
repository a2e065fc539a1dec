"""The run's graph."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import networkx as nx
import pytest

from dlcc.pipeline import run_stages
from dlcc.records import RunGraph
from dlcc.runs import Run
from dlcc.stages.decomposition import Decomposition
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.link_model import shipped_model
from dlcc.stages.decomposition.phrases import latex_in_words
from dlcc.stages.ingestion import Ingestion
from tests.conftest import one_process_at_a_time, session_cache


@pytest.fixture(scope="module")
def graph(recorded_ring: Path, tmp_path_factory: pytest.TempPathFactory) -> RunGraph:
    """The graph of the recorded ring GAN."""
    with (
        pytest.MonkeyPatch.context() as patch,
        one_process_at_a_time(tmp_path_factory, "graph"),  # the second one finds the cache full
    ):
        patch.setenv("DLCC_CACHE_DIR", str(session_cache(tmp_path_factory)))
        outcomes = run_stages(Run.open(recorded_ring), [Ingestion(), Decomposition()], until=200)
    (record,) = outcomes[1].records
    assert isinstance(record, RunGraph)
    return record


def test_the_graph_is_one_piece_of_networkx(graph: RunGraph) -> None:
    whole = graph.to_networkx()
    assert whole.number_of_nodes() == len(graph.nodes)
    assert whole.number_of_edges() == len(graph.edges)
    assert nx.number_weakly_connected_components(whole) == 1


def test_all_kinds_of_nodes_and_edges_are_there(graph: RunGraph) -> None:
    assert {n.kind for n in graph.nodes} == {
        "document", "section", "paragraph", "sentence", "formula", "table", "file", "function",
        "player", "layer", "series", "snapshot",
    }  # fmt: skip
    assert {e.kind for e in graph.edges} == {
        "contains", "calls", "data", "time", "means", "resembles", "measures",
    }  # fmt: skip


def test_edges_join_nodes_that_exist(graph: RunGraph) -> None:
    ids = {n.id for n in graph.nodes}
    assert all(e.source in ids and e.target in ids for e in graph.edges)


def test_containment_is_a_forest(graph: RunGraph) -> None:
    contains = nx.DiGraph([(e.source, e.target) for e in graph.edges if e.kind == "contains"])
    assert nx.is_directed_acyclic_graph(contains)


def test_calls_follow_the_source(graph: RunGraph) -> None:
    calls = {(e.source, e.target) for e in graph.edges if e.kind == "calls"}
    prefix = "function:source/train.py:"
    assert (f"{prefix}SmallGAN.step", f"{prefix}SmallGAN.batch") in calls
    assert (f"{prefix}SmallGAN.batch", f"{prefix}draw_chunk") in calls


def test_snapshots_follow_each_other_in_time(graph: RunGraph) -> None:
    steps = [int(n.id.partition(":")[2]) for n in graph.nodes if n.kind == "snapshot"]
    times = [(e.source, e.target) for e in graph.edges if e.kind == "time"]
    for a, b in pairwise(steps):
        assert (f"snapshot:{a}", f"snapshot:{b}") in times


def test_the_formula_of_a_loss_is_linked_to_its_function(graph: RunGraph) -> None:
    labels = {n.id: n.label for n in graph.nodes}
    for name, left in (("discriminator_loss_ns", "L_D"), ("generator_loss_ns", "L_G")):
        linked = [
            e.weight for e in graph.edges
            if e.kind == "means" and labels[e.source].startswith(left)
            and e.target == f"function:source/train.py:{name}"
        ]  # fmt: skip
        assert len(linked) == 1
        assert 0.5 < linked[0] < 1


def test_what_is_no_likelier_than_not_is_no_link(graph: RunGraph) -> None:
    largest = max(shipped_model(what).threshold for what in ("formula", "sentence"))
    doubtful = [e.weight for e in graph.edges if e.kind == "resembles"]
    assert 0.5 <= min(doubtful) <= max(doubtful) < largest
    assert all(e.weight > 0.5 for e in graph.edges if e.kind == "means")


def test_an_edge_is_kept_once_with_its_largest_weight() -> None:
    parts = GraphParts()
    a, b = parts.node("file", "a", "a"), parts.node("file", "b", "b")
    parts.edge(a, b, "means", 0.4)
    parts.edge(a, b, "means", 0.9)
    parts.edge(a, b, "means", 0.1)
    assert [e.weight for e in parts.edges.values()] == [0.9]


def test_formulas_are_read_out_loud() -> None:
    words = latex_in_words(r"L_D = -\log D(G(z))")
    assert "discriminator" in words
    assert "log" in words
