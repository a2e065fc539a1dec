"""Known distributions: drawing is repeatable, cells are equally likely and know what is off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from dlcc.recipes.data.points import POINTS
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.truth import mixture_histogram

NAMES = sorted(POINTS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", NAMES)
def test_drawing_is_a_function_of_the_generator(name: str) -> None:
    points = POINTS[name]
    drawn = points.draw(50, rng(1))
    assert drawn.dtype == np.float32
    assert drawn.shape == (50, points.features)
    assert np.array_equal(drawn, points.draw(50, rng(1)))
    assert not np.array_equal(drawn, points.draw(50, rng(2)))
    assert points.draw(0, rng()).shape == (0, points.features)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_cells_are_equally_likely(name: str, k: int) -> None:
    placed = POINTS[name].cells(POINTS[name].draw(40_000, rng(3)), k)
    assert len(placed.counts) == placed.number
    assert placed.counts.sum() + placed.outside == 40_000
    assert (placed.outside == 0) == (name not in small_gan.MIXTURES)
    assert placed.distance.max() < 1e-6
    if placed.number > 1:
        counts = placed.counts
        if name in small_gan.MIXTURES and k > 1:  # what lies beyond 3 sd lacks in outer cells
            counts = counts.reshape(-1, k**2).sum(axis=1)
        assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("name", small_gan.MIXTURES)
def test_one_cell_a_mode_is_what_the_truth_counts(name: str) -> None:
    drawn = POINTS[name].draw(2_000, rng()) * np.float32(1.02)
    counted = mixture_histogram(small_gan.MIXTURES[name], drawn)
    assert np.array_equal(POINTS[name].cells(drawn, 1).counts, counted)


def test_numbers_of_cells() -> None:
    numbers = {name: POINTS[name].cells(POINTS[name].draw(1, rng()), 3).number for name in NAMES}
    assert numbers == {
        "ring": 72, "grid9": 81, "grid25": 225, "square": 9, "gaussian": 9, "cube": 27,
        "cube_surface": 54,
    }  # fmt: skip


def test_corners_of_the_square_and_what_lies_beside_it() -> None:
    placed = POINTS["square"].cells([[-1, -1], [1, 1], [-1, 1], [1.5, 0], [2, 2]], 4)
    assert placed.cell.tolist() == [0, 15, 3, -1, -1]
    assert placed.distance == pytest.approx([0, 0, 0, 0.5, 2**0.5])


def test_the_middle_cells_of_the_gaussian_end_at_its_quartiles() -> None:
    quartile = 0.6744897501960817
    placed = POINTS["gaussian"].cells(
        [[-quartile - 1e-9, 9], [-quartile + 1e-9, 9], [1e-9, -99], [quartile + 1e-9, -0.1]], 4
    )
    assert placed.cell.tolist() == [3, 7, 8, 13]


def test_faces_of_the_cube() -> None:
    faces = np.concatenate([[-row, row] for row in np.eye(3)])
    placed = POINTS["cube_surface"].cells(faces, 1)
    assert placed.cell.tolist() == [0, 1, 2, 3, 4, 5]
    assert not placed.distance.any()


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(-3, 3)] * 3), min_size=1, max_size=20))
def test_the_distance_to_the_surface_is_that_to_the_nearest_of_its_points(
    samples: list[tuple[float, float, float]],
) -> None:
    x = np.array(samples)
    placed = POINTS["cube_surface"].cells(x, 4)
    onto = []  # the nearest point of each face
    for axis in range(3):
        for side in (-1, 1):
            nearest = x.clip(-1, 1)
            nearest[:, axis] = side
            onto.append(nearest)
    distances = np.linalg.norm(np.array(onto) - x, axis=2)  # [faces, n]
    assert np.allclose(placed.distance, distances.min(axis=0))
    face = placed.cell // 16
    assert np.allclose(distances[face, np.arange(len(x))], distances.min(axis=0))
    again = POINTS["cube_surface"].cells(np.array(onto)[face, np.arange(len(x))], 4)
    assert np.allclose(again.distance, 0)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_is_nowhere(name: str) -> None:
    points = POINTS[name]
    samples = np.zeros((3, points.features))
    samples[0, 0], samples[1, -1] = np.nan, -np.inf
    placed = points.cells(samples, 2)
    assert placed.cell[:2].tolist() == [-1, -1]
    assert np.isinf(placed.distance).tolist() == [True, True, False]


@pytest.mark.parametrize("name", NAMES)
def test_none_at_all(name: str) -> None:
    placed = POINTS[name].cells(np.zeros((0, POINTS[name].features)), 2)
    assert not placed.counts.any()
    assert len(placed.distance) == 0


def test_samples_of_another_space() -> None:
    with pytest.raises(ValueError, match=r"samples \[5, 2\]: expected \[n, 3\]"):
        POINTS["cube"].cells(np.zeros((5, 2)), 2)
    for k in (0, 201):
        with pytest.raises(ValueError, match=f"k is {k}"):
            POINTS["cube"].cells(np.zeros((5, 3)), k)
