"""Each library does what the report says that it does: with a constant in its place, the test that
checks its work fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import sympy as sp

from dlcc.records import Dossier, RunGraph
from dlcc.runs import Run
from dlcc.stages.consistency import prove as prover
from dlcc.stages.consistency.torchcode import FAKE, REAL, softplus
from dlcc.stages.decomposition import links
from dlcc.stages.decomposition.papers import add_documents
from dlcc.stages.decomposition.parts import GraphParts
from dlcc.stages.decomposition.programs import add_programs
from dlcc.stages.health.samples import Reference, sample_features
from dlcc.stages.ingestion.code import parse_functions
from dlcc.stages.ingestion.markdown import parse_markdown

PAGE = "The discriminator minimises\n\n$$\nL_D = -\\log D(x)\n$$\n\nNoise is drawn from a normal.\n"
CODE = (
    "def draw_noise(batch, zdim):\n    'Standard normal noise for the generator.'\n    return 0\n\n"
    "def discriminator_loss(real):\n    'Loss of the discriminator on real data.'\n    return 0\n"
)


def check_links(encode: links.Encoder) -> None:
    """The formula is the loss, not the noise."""
    blocks, formulas = parse_markdown("m.md", PAGE)
    functions = parse_functions("s.py", CODE)
    nothing = np.zeros(0)
    dossier = Dossier(
        nothing, (), nothing, nothing, {}, tuple(blocks), tuple(formulas), tuple(functions)
    )
    parts = GraphParts()
    add_documents(parts, dossier)
    add_programs(parts, dossier)
    links.add_links(parts, dossier, encode)
    found = [e for e in parts.edges.values() if e.source.startswith("formula:")]
    best = max(found, key=lambda e: e.weight)
    assert best.target == "function:s.py:discriminator_loss"


def check_proof() -> None:
    """An identity of exponentials and logarithms is proved, a false one is not."""
    identity = softplus(REAL) - softplus(-REAL) - REAL
    assert prover.prove(identity, "= 0").verdict == "proved"
    assert prover.prove(softplus(FAKE) - FAKE, "= 0").verdict == "refuted"


def check_regions() -> None:
    """Four clusters of data, samples in one of them: a quarter is covered."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])
    data = (centres[:, None] + rng.normal(0, 0.2, (4, 200, 2))).reshape(-1, 2)
    coverage = sample_features(centres[0] + rng.normal(0, 0.2, (200, 2)), Reference.of(data))[0]
    assert coverage == pytest.approx(0.25)


def check_graph() -> None:
    """A graph of three nodes and two edges is one piece."""
    parts = GraphParts()
    a, b, c = (parts.node("file", name, name) for name in "abc")
    parts.edge(a, b, "contains")
    parts.edge(b, c, "contains")
    graph = RunGraph(tuple(parts.nodes.values()), tuple(parts.edges.values()), "")
    assert nx.number_weakly_connected_components(graph.to_networkx()) == 1
    assert nx.has_path(graph.to_networkx(), a, c)


def check_training(run: Path) -> None:
    """A training restored from its snapshot repeats the recorded step."""
    import torch

    from dlcc.recipes.small_gan import build

    recorded = Run.open(run)
    training = build(recorded.manifest.config)
    snapshot = recorded.snapshots()[1]
    training.load_state_dict(snapshot.state())
    torch.set_num_threads(1)
    row = training.step(snapshot.step)
    column = recorded.series().columns["generator/loss"]
    assert row["generator/loss"] == column.values[column.steps == snapshot.step][0]


def test_links_are_found_by_sentence_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    check_links(links.encoder(links.SHIPPED))
    constant = lambda texts: np.full((len(texts), 8), 8**-0.5)  # noqa: E731
    with pytest.raises(AssertionError):
        check_links(constant)


def test_proofs_are_found_by_sympy(monkeypatch: pytest.MonkeyPatch) -> None:
    check_proof()
    monkeypatch.setattr(sp, "together", lambda e: sp.Symbol("constant"))
    monkeypatch.setattr(sp, "simplify", lambda e: sp.Symbol("constant"))
    with pytest.raises(AssertionError):
        check_proof()


def test_regions_are_found_by_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    check_regions()

    class Constant:
        def __init__(self, k: int, **settings: object) -> None:
            self.cluster_centers_ = np.zeros((k, 2))

        def fit(self, points: np.ndarray[Any, Any]) -> Constant:
            self.labels_ = np.arange(len(points)) % 2
            return self

    monkeypatch.setattr("sklearn.cluster.KMeans", Constant)
    with pytest.raises(AssertionError):
        check_regions()


def test_the_graph_is_held_by_networkx(monkeypatch: pytest.MonkeyPatch) -> None:
    check_graph()
    monkeypatch.setattr(nx, "MultiDiGraph", _Constant)
    with pytest.raises(AssertionError):
        check_graph()


class _Constant(nx.MultiDiGraph):  # type: ignore[type-arg]
    def add_edge(self, *arguments: Any, **more: Any) -> None:
        """Nothing is kept."""


def test_losses_are_computed_by_torch(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    check_training(small_run)
    plain: Callable[..., Any] = torch.mean
    monkeypatch.setattr(torch, "mean", lambda x, *a, **k: plain(x, *a, **k) * 0 + 0.5)
    with pytest.raises(AssertionError):
        check_training(small_run)
