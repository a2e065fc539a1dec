"""Pictures of samples: points in the plane and in space, images in grey and in colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import dlcc
from dlcc.records import Samples
from dlcc.report.pictures import sample_grids, samples_over_time
from dlcc.runs import Run


def pictured(folder: Path, rows: NDArray[np.float32]) -> list[NDArray[np.float64]] | None:
    """What is drawn of a run whose samples are these rows: points [n, 2] or an image, a panel."""
    with dlcc.Recorder(folder, length=10, reference=torch.from_numpy(rows)) as rec:
        for step in range(10):
            rec.samples(step, torch.from_numpy(rows))
            rec.log(step, {"generator/loss": 1.0})
    figure = samples_over_time(Samples.of(Run.open(folder), None))
    if figure is None:
        return None
    panels = []
    for ax in figure.axes:
        if not ax.images:
            inside = ax.viewLim.count_contains(ax.collections[-1].get_offsets())
            assert inside == len(rows)
        drawn = ax.images[0].get_array() if ax.images else ax.collections[-1].get_offsets()
        panels.append(np.asarray(drawn))
    return panels


@pytest.mark.parametrize("centre", [0.0, 50.0])
def test_points_in_the_plane_are_drawn_wherever_they_lie(tmp_path: Path, centre: float) -> None:
    rows = np.random.default_rng(0).normal(centre, 1, (64, 2)).astype(np.float32)
    panels = pictured(tmp_path / "run", rows)
    assert panels is not None
    assert len(panels) == 6
    assert np.allclose(panels[0], rows)


@pytest.mark.parametrize("width", [2, 3])
def test_points_at_both_ends_of_the_numbers_are_drawn(tmp_path: Path, width: int) -> None:
    rows = np.where(np.arange(64 * width).reshape(64, width) % 4 < 2, 1e308, -1e308)
    with dlcc.Recorder(tmp_path / "run", reference=torch.from_numpy(rows)) as rec:
        rec.samples(0, torch.from_numpy(rows))
    samples = Samples.of(Run.open(tmp_path / "run"), None)
    assert samples is not None
    assert "<svg" in (sample_grids(samples) or "")


def test_points_in_space_are_seen_from_above_a_corner(tmp_path: Path) -> None:
    """A projection: lengths along the line of sight vanish, others do not grow."""
    corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
    rows = np.repeat(corners, 8, axis=0).astype(np.float32)
    panels = pictured(tmp_path / "run", rows)
    assert panels is not None
    seen = np.unique(panels[0].round(3), axis=0)
    assert len(seen) == 8
    spread, shown = np.linalg.norm(corners, axis=1).max(), np.linalg.norm(seen, axis=1).max()
    assert 0.9 * spread < shown < 1.01 * spread


@pytest.mark.parametrize(("shape", "sheet"), [((64,), (45, 45)), ((1, 8, 8), (45, 45)),
                                              ((3, 8, 8), (45, 45, 3))])  # fmt: skip
def test_images_are_tiled_five_by_five(
    tmp_path: Path, shape: tuple[int, ...], sheet: tuple[int, ...]
) -> None:
    rows = np.linspace(-1, 1, 30).reshape(30, *[1] * len(shape)) * np.ones((1, *shape))
    panels = pictured(tmp_path / "run", rows.astype(np.float32))
    assert panels is not None
    assert panels[0].shape == sheet
    assert panels[0][0, 0] == pytest.approx(0.0)  # the first image is black
    assert panels[0][-2, -2] == pytest.approx((rows[24].flat[0] + 1) / 2, abs=1e-6)
    assert panels[0][8, 8] == pytest.approx(1.0)  # white between images


def test_black_is_where_the_data_begin(tmp_path: Path) -> None:
    rows = np.linspace(0, 1, 30).reshape(30, 1, 1, 1) * np.ones((1, 1, 8, 8))
    panels = pictured(tmp_path / "run", rows.astype(np.float32))
    assert panels is not None
    assert panels[0][0, 0] == 0.0
    assert panels[0][-2, -2] == pytest.approx(rows[24].flat[0])


def test_rows_that_are_no_picture(tmp_path: Path) -> None:
    assert pictured(tmp_path / "run", np.zeros((30, 5), np.float32)) is None
