"""Specimens of samples: points, images and sounds, and the steps that are chosen."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dlcc
from dlcc.charts.geometry import geometry
from dlcc.evaluation import Evaluation
from dlcc.records import HealthRecord, Samples
from dlcc.report.page.specimens import Shown, best_step, image_shape, specimens
from dlcc.runs import Run


def shown(folder: Path, rows: np.ndarray, **data: object) -> Shown:
    with dlcc.Recorder(
        folder, length=10, reference=torch.from_numpy(rows), data=data or None
    ) as rec:
        for step in range(10):
            rec.samples(step, torch.from_numpy(rows))
            rec.log(step, {"generator/loss": 1.0})
    found = specimens(Samples.of(Run.open(folder), None), None)
    assert found is not None
    return found


def picture(address: str | None) -> np.ndarray:
    assert address is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


@pytest.mark.parametrize("centre", [0.0, 50.0])
def test_points_in_the_plane_are_drawn_wherever_they_lie(tmp_path: Path, centre: float) -> None:
    rows = np.random.default_rng(0).normal(centre, 1, (64, 2)).astype(np.float32)
    chart = shown(tmp_path / "run", rows).first[-1].chart
    assert chart is not None
    assert chart.traces[-1].y == pytest.approx(rows[:, 1])
    dots = [p.d for p in geometry(chart).paths if p.style == "dots"]
    assert [d.count("M") for d in dots] == [64, 64]


def test_images_with_channels_last_are_those_with_channels_first(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).uniform(-1, 1, (30, 3, 8, 10)).astype(np.float32)
    first = shown(tmp_path / "first", rows).first[-1]
    last = shown(tmp_path / "last", np.moveaxis(rows, 1, 3).copy()).first[-1]
    assert (picture(first.image) == picture(last.image)).all()


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_points_at_both_ends_of_the_numbers_are_drawn(tmp_path: Path, width: int) -> None:
    rows = np.where(np.arange(64 * width).reshape(64, width) % 4 < 2, 1e308, -1e308)
    chart = shown(tmp_path / "run", rows).first[-1].chart
    assert chart is not None
    assert geometry(chart).paths


def test_one_row_is_drawn(tmp_path: Path) -> None:
    (real, _, _, end) = shown(tmp_path / "run", np.arange(7.0)[None]).first
    assert end.chart is not None
    assert len(geometry(end.chart).paths) == 2
    assert real.title == "Real data"


@pytest.mark.parametrize("width", [2, 7])
@pytest.mark.filterwarnings("error")
def test_rows_without_numbers_are_not_drawn(tmp_path: Path, width: int) -> None:
    chart = shown(tmp_path / "run", np.full((9, width), np.nan)).first[-1].chart
    assert chart is not None
    assert np.isnan(chart.traces[-1].y).all()
    assert np.isfinite(chart.y_range()).all()


def test_points_in_space_are_seen_from_above_a_corner(tmp_path: Path) -> None:
    """A projection: lengths along the line of sight vanish, others do not grow."""
    corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
    chart = (
        shown(tmp_path / "run", np.repeat(corners, 8, axis=0).astype(np.float32)).first[-1].chart
    )
    assert chart is not None
    seen = np.unique(np.column_stack([chart.traces[-1].x, chart.traces[-1].y]).round(3), axis=0)
    assert len(seen) == 8
    assert 0.9 * 3**0.5 < np.linalg.norm(seen, axis=1).max() < 1.01 * 3**0.5


@pytest.mark.parametrize(
    ("shape", "sheet"),
    [((64,), (44, 44)), ((1, 8, 8), (44, 44)), ((3, 8, 6), (44, 34, 3)), ((8, 8), (44, 44))],
)
def test_images_are_tiled_five_by_five(
    tmp_path: Path, shape: tuple[int, ...], sheet: tuple[int, ...]
) -> None:
    rows = np.linspace(-1, 1, 30).reshape(30, *[1] * len(shape)) * np.ones((1, *shape))
    drawn = picture(shown(tmp_path / "run", rows.astype(np.float32)).first[-1].image)
    assert drawn.shape == sheet
    assert np.all(drawn[0, 0] == 0)  # the first image is black
    assert drawn[-1, -1].flat[0] == pytest.approx(255 * (rows[24].flat[0] + 1) / 2, abs=1)
    assert np.all(drawn[8, 0] == 128)  # grey between images


def test_black_is_where_the_data_begin(tmp_path: Path) -> None:
    rows = np.linspace(0, 1, 30).reshape(30, 1, 1, 1) * np.ones((1, 1, 8, 8))
    drawn = picture(shown(tmp_path / "run", rows.astype(np.float32)).first[-1].image)
    assert drawn[0, 0] == 0
    assert drawn[-1, -1] == pytest.approx(255 * rows[24].flat[0], abs=1)


def test_values_that_are_not_finite_are_drawn(tmp_path: Path) -> None:
    rows = np.full((30, 1, 8, 8), np.nan, np.float32)
    rows[1:3] = np.inf
    with dlcc.Recorder(tmp_path / "run", length=1) as rec:
        rec.samples(0, torch.from_numpy(rows))
        rec.log(0, {"generator/loss": 1.0})
    found = specimens(Samples.of(Run.open(tmp_path / "run"), None), None)
    assert found is not None
    assert picture(found.first[0].image).shape == (44, 44)


def test_sounds_can_be_seen_and_heard(tmp_path: Path) -> None:
    times = np.arange(4_000) / 8_000
    rows = np.sin(2 * np.pi * 440 * times)[None] * np.ones((30, 1))
    found = shown(
        tmp_path / "run", rows.astype(np.float32), modality="sound", sample_rate=8_000, name="a"
    ).first[-1]
    assert len(found.sounds) == 3
    spectrum = picture(found.image)
    brightest = spectrum.shape[0] - 1 - int(spectrum.mean(axis=1).argmax())
    assert brightest / (spectrum.shape[0] - 1) * 4_000 == pytest.approx(440, abs=40)


def test_rows_of_a_table_are_seen_along_their_principal_components(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 9)).astype(np.float32)
    assert image_shape(rows, {}) is None
    chart = shown(tmp_path / "run", rows, modality="table", name="t").first[-1].chart
    assert chart is not None
    assert chart.x_label == "first principal component"
    pairs = shown(tmp_path / "again", rows, modality="table", name="t").pairs
    assert [pair.title for pair in pairs] == [
        f"column {j} over column {i}" for i in (1, 2, 3) for j in (2, 3, 4) if j > i
    ]
    assert pairs[0].chart.traces[1].y == pytest.approx(rows[:, 1])


def test_the_best_step_is_good_and_covers_most(evaluated: Evaluation) -> None:
    health = evaluated.record(HealthRecord)
    assert health is not None
    best = best_step(health)
    good = dict(zip(health.checkpoints, health.good, strict=True))
    assert good[best] >= max(good.values()) - 0.02
    assert best < health.onset
    titles = [
        s.title
        for s in specimens(Samples.of(evaluated.evaluated_run, None), health, health.onset).first
    ]
    assert titles == [
        "Real data", f"Step {best:,}, the best", "Step 1,120, the onset", "Step 3,200, the end",
    ]  # fmt: skip
    assert best_step(None) is None


def test_reconstructions_stand_beside_the_originals(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).uniform(0, 1, (25, 1, 8, 8)).astype(np.float32)
    with dlcc.Recorder(tmp_path / "run", length=10, reference=torch.from_numpy(rows)) as rec:
        rec.samples(5, torch.from_numpy(rows))
        rec.reconstructions(5, rows, 0.5 * rows, latents=rows.reshape(25, 64)[:, :3])
        rec.log(5, {"model/loss": 1.0})
    found = specimens(Samples.of(Run.open(tmp_path / "run"), None), None)
    assert found is not None
    originals, made, latents = found.reconstructions
    assert made.title == "Reconstructed, step 5"
    assert picture(originals.image).mean() > picture(made.image).mean()
    assert latents.chart is not None
    earlier = specimens(Samples.of(Run.open(tmp_path / "run"), 4), None)
    assert earlier is None or earlier.reconstructions == ()
