"""Figures of samples against the formulas they are named after, written out the long way."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcc.health.samples import SAMPLE_FEATURES, Reference, sample_features

LOST = {"coverage": 0.0, "quality": 0.0, "imbalance": 1.0, "recall": 0.0, "reach": 12.0}
K = 5  # neighbours of the manifold estimates


def blobs(n: int, seed: int, modes: int = 6, sd: float = 0.1) -> np.ndarray:
    """n points around `modes` centres on a circle of radius 2."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * rng.integers(modes, size=n) / modes
    return 2 * np.c_[np.cos(angle), np.sin(angle)] + rng.normal(0, sd, (n, 2))


def named(samples: np.ndarray, reference: Reference) -> dict[str, float]:
    return dict(zip(SAMPLE_FEATURES, sample_features(samples, reference), strict=True))


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Data in six clusters."""
    return Reference.of(blobs(600, seed=0))


def test_fresh_draws_of_the_data_are_perfect(reference):
    figures = named(blobs(400, seed=1), reference)
    assert len(reference.centres) == 6
    assert figures["coverage"] == 1
    assert figures["quality"] > 0.97
    assert figures["imbalance"] < 0.1
    assert figures["density"] == pytest.approx(1, abs=0.15)
    assert figures["spread"] == pytest.approx(0, abs=0.1)


def test_one_mode_of_six_is_a_sixth_of_the_coverage(reference):
    one = blobs(400, seed=1, modes=1)
    figures = named(one, reference)
    assert figures["coverage"] == pytest.approx(1 / 6)
    assert figures["quality"] > 0.97
    assert figures["imbalance"] == pytest.approx(5 / 6, abs=0.05)


def test_samples_between_the_modes_are_out_of_the_domain(reference):
    figures = named(np.random.default_rng(2).normal(0, 0.1, (400, 2)), reference)
    assert (figures["coverage"], figures["quality"], figures["density"]) == (0, 0, 0)


def test_frechet_distance_by_the_matrix_root(reference):
    samples = blobs(300, seed=3) @ np.array([[1.0, 0.4], [0.0, 0.5]]) + 0.3
    a, b = reference.points, samples
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    distance = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a + cov_b - 2 * root)
    expected = np.log(1e-4 + distance / np.trace(cov_a))
    assert named(samples, reference)["frechet"] == pytest.approx(expected, abs=1e-6)


def test_recall_and_density_point_by_point(reference):
    """Kynkäänniemi et al. 2019, eq. 2; Naeem et al. 2020, eq. 3."""
    real, fake = reference.points, blobs(120, seed=4, modes=3, sd=0.15)

    def radius(points: np.ndarray, i: int) -> float:
        return sorted(np.linalg.norm(points - points[i], axis=1))[K]

    covered = sum(
        any(np.linalg.norm(x - y) <= radius(fake, j) for j, y in enumerate(fake)) for x in real
    )
    balls = [(x, radius(real, i)) for i, x in enumerate(real)]
    hits = sum(np.linalg.norm(x - y) <= r for y in fake for x, r in balls)
    figures = named(fake, reference)
    assert figures["recall"] == pytest.approx(covered / len(real))
    assert figures["density"] == pytest.approx(hits / (K * len(fake)))


def test_what_is_not_finite_counts_as_lost(reference):
    samples = blobs(400, seed=1)
    spoiled = samples.copy()
    spoiled[::2, 0] = [np.nan, np.inf, -np.inf, 1e38] * 50
    assert named(spoiled, reference)["quality"] == pytest.approx(
        named(samples[1::2], reference)["quality"] / 2
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_without_a_finite_row(reference, value):
    figures = named(np.full((64, 2), value), reference)
    assert {name: figures[name] for name in LOST} == LOST


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (32, 2), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_any_samples_have_figures_within_their_ranges(reference, samples):
    figures = named(samples, reference)
    assert np.isfinite(list(figures.values())).all()
    for name in ("coverage", "quality", "imbalance", "recall"):
        assert 0 <= figures[name] <= 1
    assert 0 <= figures["density"] <= 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 3, 6]))
def test_the_order_of_samples_says_nothing(reference, seed, modes):
    samples = blobs(100, seed % 97, modes=modes)
    shuffled = np.random.default_rng(seed).permutation(samples)
    assert sample_features(shuffled, reference) == pytest.approx(
        sample_features(samples, reference), abs=1e-9
    )


def test_images_are_compared_on_their_principal_directions():
    rng = np.random.default_rng(5)
    images = (rng.normal(size=(300, 4)) @ rng.normal(size=(4, 144))).reshape(300, 12, 12)
    wide = Reference.of(images)
    assert wide.points.shape == (300, 64)
    distances = np.linalg.norm(images[1:] - images[0], axis=(1, 2))
    assert np.linalg.norm(wide.points[1:] - wide.points[0], axis=1) == pytest.approx(distances)
    assert named(images, wide)["coverage"] == 1


def test_long_references_are_thinned():
    assert len(Reference.of(blobs(10_000, seed=0)).rows) <= 2_048


SHAPES = {
    "square": lambda x: True,
    "rectangle": lambda x: abs(x[1]) < 2 / 3,
    "disc": lambda x: x @ x < 1,
    "triangle": lambda x: x.sum() < 0,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("shape", "dimensions"), [*((name, 2) for name in SHAPES), ("square", 1), ("square", 3)]
)
def test_without_clusters_the_middle_is_not_all_of_it(shape, dimensions, seed):
    rng = np.random.default_rng(seed)
    uniform = np.array([x for x in rng.uniform(-1, 1, (4000, dimensions)) if SHAPES[shape](x)])
    data, fresh = uniform[:1000], uniform[1000:2000]
    reference = Reference.of(data)
    assert len(reference.centres) == 30
    assert named(fresh, reference)["coverage"] > 0.95
    middle = data.mean(axis=0)
    assert named(middle + (fresh - middle) / 2, reference)["coverage"] < 0.7


@pytest.mark.parametrize("sd", [0.1, 0.7])
def test_four_clusters_are_four(sd):
    assert len(Reference.of(blobs(600, 0, modes=4, sd=sd)).centres) == 4


def test_regions_come_from_k_means(tmp_path, monkeypatch):
    class Constant:
        """Cuts the data into equal stretches of rows, wherever they lie."""

        def __init__(self, k: int, **options: object) -> None:
            self.k = k

        def fit(self, rows: np.ndarray) -> "Constant":
            self.labels_ = np.arange(len(rows)) % self.k
            self.cluster_centers_ = np.tile(rows.mean(axis=0), (self.k, 1))
            return self

    data, half = blobs(600, seed=0), blobs(400, seed=1, modes=6)
    half = half[half[:, 0] > 0]
    found = named(half, Reference.of(data))["coverage"]
    monkeypatch.setattr("sklearn.cluster.KMeans", Constant)
    monkeypatch.setenv("DLCC_CACHE_DIR", str(tmp_path))  # where nothing is kept yet
    assert found == pytest.approx(0.5, abs=0.2)
    assert named(half, Reference.of(data))["coverage"] != found
