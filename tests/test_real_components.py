"""Each library does what the report says that it does: with a constant in its place, the test that
checks its work fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import sympy as sp

from dlcc.forecast import gnn
from dlcc.forecast.attribution import what_moved
from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forest import in_steps
from dlcc.health.samples import Reference, sample_features
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import Library
from dlcc.records import LABELS, Dossier, RunGraph
from dlcc.runs import Run
from dlcc.stages.consistency import prove as prover
from dlcc.stages.consistency.checks.symbolic_loss import FAKE, REAL, softplus
from dlcc.stages.decomposition import links
from dlcc.stages.decomposition.evidence import FEATURES, evidence
from dlcc.stages.decomposition.graph import GraphParts
from dlcc.stages.decomposition.passages import passages_of
from dlcc.stages.ingestion.code import parse_functions
from dlcc.stages.ingestion.documents.markdown import parse_markdown

PAGE = "The discriminator minimises\n\n$$\nL_D = -\\log D(x)\n$$\n\nNoise is drawn from a normal.\n"
CODE = (
    "def draw_noise(batch, zdim):\n    'Standard normal noise for the generator.'\n    return 0\n\n"
    "def discriminator_loss(real):\n    'Loss of the discriminator on real data.'\n    return 0\n"
)


def check_links(encode: links.Encoder) -> None:
    """By its meaning the formula is nearer to the loss than to the noise."""
    blocks, formulas = parse_markdown("m.md", PAGE)
    functions = tuple(parse_functions("s.py", CODE))
    nothing = np.zeros(0)
    dossier = Dossier(nothing, (), nothing, nothing, {}, tuple(blocks), tuple(formulas), functions)
    (formula, *_) = passages_of(dossier)
    found = evidence([formula], functions, {}, encode)[0, :, FEATURES.index("meaning")]
    assert functions[1].name == "discriminator_loss"
    assert found[1] > found[0] + 0.1


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

    from dlcc.recipes.small_gan.training import build

    recorded = Run.open(run)
    training = build(recorded.manifest.config)
    snapshot = recorded.snapshots()[1]
    training.load_state_dict(snapshot.state())
    torch.set_num_threads(1)
    row = training.step(snapshot.step)
    column = recorded.series().columns["generator/loss"]
    assert row["generator/loss"] == column.values[column.steps == snapshot.step][0]


def check_neighbours() -> None:
    """The nearest past runs are those of a brute-force search in float64."""
    past = shipped_library()
    space = Space(past.select(np.arange(0, len(past), 40)), 1, series_only=True)
    apart = np.linalg.norm(space.points[:, None] - space.points[None, :], axis=2)
    np.fill_diagonal(apart, np.inf)
    expected = np.sort(apart, axis=1)[:, :10] / np.sqrt(len(space.names))
    assert space.neighbours[1] == pytest.approx(expected, abs=2e-3)


def check_forecast_network() -> None:
    """The graph network alone tells healthy runs of other settings from the rest."""
    from sklearn.metrics import roc_auc_score

    past = shipped_library().select(shipped_library().true_record)
    past = past.select(np.arange(0, len(past), 3))
    first = np.array([int(key, 16) % 2 == 0 for key in past.settings])
    network = gnn.OutcomeGNN.fit(Space(past.select(first), 1, series_only=False))
    rest = past.select(~first)
    points = network.space.standardised(Space(rest, 1, series_only=False).raw)
    assert roc_auc_score(rest.labels == 0, network.probabilities(points)[:, 0]) > 0.75


def check_attribution() -> None:
    """What moved a forecast adds up to the forecast."""
    past = shipped_library().as_given
    forecaster = Forecaster.fit(past.select(np.arange(0, len(past), 12)), 0.2, series_only=True)
    space = forecaster.space
    vector = dict(zip(past.names, past.series_only_vectors[1, 1], strict=True))
    moved = what_moved(forecaster, vector, past.configs[1], most=10_000)
    point = space.standardised(space.raw_of(vector, past.configs[1]))[None, :]
    said = forecaster.forest.trees.predict(in_steps(point))[0, 0]
    mean = forecaster.forest.trees.predict(in_steps(space.points))[:, 0].mean()
    assert sum(m.effect for m in moved) == pytest.approx(said - mean, abs=0.03)
    assert any(abs(m.effect) > 0.01 for m in moved)


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


def test_regions_are_found_by_scikit_learn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check_regions()

    class Constant:
        def __init__(self, k: int, **settings: object) -> None:
            self.cluster_centers_ = np.zeros((k, 2))

        def fit(self, points: np.ndarray[Any, Any]) -> Constant:
            self.labels_ = np.arange(len(points)) % 2
            return self

    monkeypatch.setattr("sklearn.cluster.KMeans", Constant)
    monkeypatch.setenv("DLCC_CACHE_DIR", str(tmp_path))  # not the regions that were found before
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


def test_neighbours_are_found_by_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    check_neighbours()

    class Constant:
        def __init__(self, dimensions: int) -> None:
            self.rows = 0

        @property
        def ntotal(self) -> int:
            return self.rows

        def add(self, points: np.ndarray[Any, Any]) -> None:
            self.rows = len(points)

        def search(self, points: np.ndarray[Any, Any], k: int) -> tuple[Any, Any]:
            found = np.tile(np.arange(k), (len(points), 1))
            return np.ones_like(found, dtype=np.float32), found

    monkeypatch.setattr("faiss.IndexFlatL2", Constant)
    with pytest.raises(AssertionError):
        check_neighbours()


def test_forecasts_hear_the_neighbours_in_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    check_forecast_network()
    fit = gnn.OutcomeGNN.fit
    plain = fit(Space(shipped_library().select(np.arange(0, 1800, 9)), 1, series_only=False))
    points = plain.space.points[:20] + 0.1
    moved = dataclasses.replace(plain.space, library=_all_collapsed(plain.space.library))
    other = gnn.OutcomeGNN(plain.weights, moved)
    assert np.abs(other.probabilities(points) - plain.probabilities(points)).max() > 1e-3
    monkeypatch.setattr(gnn, "mean_of_neighbours", lambda h, neighbours: np.zeros_like(h))
    assert np.abs(other.probabilities(points) - plain.probabilities(points)).max() < 1e-6


def _all_collapsed(past: Library) -> Library:
    return dataclasses.replace(past, labels=np.full(len(past), LABELS.index("collapsed")))


def test_what_moved_a_forecast_is_said_by_shap(monkeypatch: pytest.MonkeyPatch) -> None:
    check_attribution()

    class Constant:
        def __init__(self, trees: Any) -> None:
            assert trees["trees"]

        def shap_values(self, points: np.ndarray[Any, Any], **settings: object) -> Any:
            return np.full(points.shape, 0.05)

    monkeypatch.setattr("shap.TreeExplainer", Constant)
    with pytest.raises(AssertionError):
        check_attribution()
