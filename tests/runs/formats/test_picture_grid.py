"""Grids found from pictures: the tiles are those that were pasted, or none are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from dlcc.runs.formats.picture_grid import Cuts, find_grid
from tests.runs.formats.pictures import DIGITS, Tiles, grid, photos, strokes


def stacked(tiles: list[Tiles], **layout: int) -> Tiles:
    return np.stack([grid(t, **layout) for t in tiles])


@settings(max_examples=60)
@given(
    side=st.sampled_from([8, 16, 24, 28, 32, 40, 64]),
    number=st.sampled_from([16, 20, 25, 36, 50, 64]),
    nrow=st.integers(4, 10),
    padding=st.sampled_from([1, 2, 4]),
    colour=st.sampled_from([0, 128, 255]),
    seed=st.integers(0, 99),
)
def test_padded_tiles_are_what_was_pasted(
    side: int, number: int, nrow: int, padding: int, colour: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tiles = [photos(number, side, rng) for _ in range(3)]
    pictures = stacked(tiles, nrow=nrow, padding=padding, colour=colour)
    found = find_grid(pictures, 0.0)
    assert found is not None
    for picture, pasted in zip(pictures, tiles, strict=True):
        assert np.array_equal(found.cut(picture), pasted)


@settings(max_examples=30)
@given(
    side=st.sampled_from([16, 24, 32, 64]),
    rows=st.integers(3, 8),
    nrow=st.integers(3, 10),
    seed=st.integers(0, 99),
)
def test_tiles_without_lines_between_them(side: int, rows: int, nrow: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tiles = [photos(rows * nrow, side, rng) for _ in range(4)]
    pictures = stacked(tiles, nrow=nrow, padding=0)
    found = find_grid(pictures, 0.0)
    assert found is not None
    assert all(
        np.array_equal(found.cut(picture), pasted)
        for picture, pasted in zip(pictures, tiles, strict=True)
    )


@pytest.mark.parametrize(("padding", "colour"), [(2, 0), (2, 255), (0, 0), (1, 100)])
@pytest.mark.parametrize(("number", "nrow"), [(64, 8), (25, 5), (60, 8)])
def test_tiles_with_black_edges(padding: int, colour: int, number: int, nrow: int) -> None:
    rng = np.random.default_rng(3)
    tiles = [strokes(number, rng) for _ in range(5)]
    pictures = stacked(tiles, nrow=nrow, padding=padding, colour=colour)
    found = find_grid(pictures, 0.0)
    assert found is not None
    assert (found.rows.size, found.columns.size) == (28, 28)
    cut = found.cut(pictures[0])
    assert np.array_equal(cut[:number], tiles[0])
    assert not cut[number:].any()  # black places of a grid without lines cannot be told from tiles


def test_digits_of_eight_pixels() -> None:
    rng = np.random.default_rng(0)
    tiles = [DIGITS[rng.integers(0, 1797, 64)] for _ in range(5)]
    pictures = stacked(tiles)
    found = find_grid(pictures, 0.0)
    assert found is not None
    assert np.array_equal(found.cut(pictures[2]), tiles[2])


def test_jpeg_blurs_the_lines() -> None:
    rng = np.random.default_rng(0)
    pictures = []
    for picture in stacked([photos(64, 32, rng) for _ in range(5)]):
        written = io.BytesIO()
        Image.fromarray(picture).save(written, "JPEG", quality=90)
        pictures.append(np.asarray(Image.open(written)))
    found = find_grid(np.stack(pictures), 12.0)
    assert found is not None
    assert (found.rows.size, found.rows.starts[:2]) == (32, (2, 36))


def test_a_figure_of_subplots() -> None:
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(3):
        figure = Figure(figsize=(4, 4))
        for at, tile in enumerate(strokes(16, rng), 1):
            axes = figure.add_subplot(4, 4, at)
            axes.imshow(tile, cmap="gray")
            axes.set_axis_off()
        written = io.BytesIO()
        figure.savefig(written)
        pictures.append(np.asarray(Image.open(written).convert("L")))
    found = find_grid(np.stack(pictures), 0.0)
    assert found is not None
    assert (len(found.rows.starts), len(found.columns.starts)) == (4, 4)
    assert found.cut(pictures[0]).shape[0] == 16


@pytest.mark.parametrize("what", ["noise", "photograph", "plot", "black", "grid of noise"])
def test_what_has_no_tiles_is_not_cut(what: str) -> None:
    rng = np.random.default_rng(1)
    if what == "noise":
        pictures = rng.integers(0, 256, (5, 128, 128)).astype(np.uint8)
    elif what == "photograph":
        pictures = photos(5, 250, rng)
    elif what == "black":
        pictures = np.zeros((5, 242, 242), np.uint8)
    elif what == "grid of noise":
        noise = rng.integers(0, 256, (3, 64, 28, 28)).astype(np.uint8)
        pictures = stacked([*noise], padding=0)
    else:
        written = io.BytesIO()
        figure = Figure()
        figure.add_subplot().plot(rng.normal(size=100).cumsum())
        figure.savefig(written)
        pictures = np.asarray(Image.open(written).convert("L"))[None]
    assert find_grid(pictures, 0.0) is None


def test_one_blank_picture_among_others_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    pictures = stacked([strokes(64, rng) for _ in range(4)])
    pictures[0] = 0
    found = find_grid(pictures, 0.0)
    assert found is not None
    assert (found.rows.size, found.rows.starts[0]) == (28, 2)


def test_cuts_fit_other_lengths() -> None:
    cuts = Cuts(28, (2, 32, 62), 92)
    longer = cuts.fitted(152)
    assert longer is not None
    assert longer.starts == (2, 32, 62, 92, 122)
    assert cuts.fitted(150) is None
    assert Cuts(30, (1, 40, 82), 120).fitted(160) is None  # a figure is as it is
    assert cuts.fitted(4) is None
