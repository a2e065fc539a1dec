"""Dates of files by ten habits of naming, by times, and by order."""

from __future__ import annotations

import numpy as np
import pytest

from dlcc.runs.formats.sample_dates import Timeline, date, thinned
from dlcc.runs.formats.sample_names import SampleName, leads_to_samples

ITERATIONS = Timeline("iteration", 9_999, per_epoch=500)
EPOCHS = Timeline("epoch", 20)
IMAGES = Timeline("kimg", 4_000)


def dated(paths: list[str], timeline: Timeline, times: list[float] | None = None) -> list[int]:
    steps, said = date(
        [SampleName.of(path) for path in paths], times or [0.0] * len(paths), timeline
    )
    assert said
    return steps


@pytest.mark.parametrize(
    ("paths", "timeline", "steps"),
    [
        (["fakes_init.png", "fakes000200.png", "fakes004000.png"], IMAGES, [0, 200, 4_000]),
        (["image_at_epoch_0003.png", "image_at_epoch_0012.png"], EPOCHS, [3, 12]),
        (["epoch_3.png", "epoch_12.png"], ITERATIONS, [1_500, 6_000]),
        (["fake_samples_epoch_003.png", "fake_samples_epoch_020.png"], ITERATIONS, [1_500, 10_000]),
        (["iter_500.png", "iter_1000.png"], ITERATIONS, [500, 1_000]),
        (["sample-step-7000.jpg", "sample-step-8000.jpg"], ITERATIONS, [7_000, 8_000]),
        (["images/2000.png", "images/8000.png"], ITERATIONS, [2_000, 8_000]),
        (["image_5.jpg", "image_20.jpg"], ITERATIONS, [2_500, 10_000]),
        (["samples_1000.npy", "samples_9000.npy"], ITERATIONS, [1_000, 9_000]),
        (["samples/step_1000/0.png", "samples/step_1000/1.png"], ITERATIONS, [1_000, 1_000]),
        (["media/images/samples_120_0a1b2c3d4e5f60718293.png"], ITERATIONS, [9_999]),
        (["200kimg.png", "400kimg.png"], IMAGES, [200, 400]),
        (["epoch_1_iter_100.png", "epoch_2_iter_100.png"], ITERATIONS, [600, 1_100]),
        (["epoch_1_iter_400.png", "epoch_2_iter_900.png"], ITERATIONS, [400, 900]),
    ],
)
def test_habits_of_naming(paths: list[str], timeline: Timeline, steps: list[int]) -> None:
    assert dated(paths, timeline) == steps


def test_columns_of_a_record_convert_counts() -> None:
    epochs = np.arange(1.0, 11.0)
    timeline = Timeline("iteration", 5_000, counts={"epoch": (epochs, 500 * epochs)})
    assert dated(["epoch_2.png", "epoch_10.png"], timeline) == [1_000, 5_000]


def test_times_where_names_say_nothing() -> None:
    clock = (np.arange(0.0, 1_001.0), 1e9 + np.arange(0.0, 1_001.0))
    timeline = Timeline("iteration", 1_000, clock=clock)
    names = ["samples/a_7000000.png", "samples/a_8000000.png", "samples/a_9000000.png"]
    assert dated(names, timeline, [1e9 + 100, 1e9 + 500, 1e9 + 900]) == [100, 500, 900]
    same = [1e9 + 5_000] * 3  # as after a copy
    assert dated(names, timeline, same) == [333, 667, 1_000]


def test_order_is_said_to_be_assumed() -> None:
    names = [SampleName.of(f"samples/x_{n}.png") for n in (10**6, 2 * 10**6)]
    steps, said = date(names, [0.0, 0.0], ITERATIONS)
    assert steps == [5_000, 9_999]
    assert "order alone" in said


@pytest.mark.parametrize(
    ("path", "real", "rank"),
    [
        ("reals.png", True, 1),
        ("real_samples.png", True, 3),
        ("data_grid.png", True, 2),
        ("x_real.png", True, 0),
        ("samples/real/1.png", True, 1),
        ("loss.png", False, -1),
        ("loss_curve_3.png", False, -1),
        ("samples/histogram_3.png", False, -1),
        ("Figure_1.png", False, -1),
        ("cat_3.png", False, -1),
        ("losses.npy", False, -1),
        ("fake_000010.npz", False, 3),
        ("12000.png", False, 1),
    ],
)
def test_what_a_name_says(path: str, real: bool, rank: int) -> None:
    name = SampleName.of(path)
    assert name.real == real
    if rank < 0:
        assert name.rank < 0
    elif not real:
        assert name.rank == rank


def test_folders_that_can_hold_samples() -> None:
    can = ["samples", "sample_images", "fakes_ema", "results", "images", "step_100", "web", "0012"]
    cannot = [
        "data",
        "train",
        "dataset",
        "node_modules",
        "src",
        "loss_plots",
        "docs",
        "checkpoints",
    ]
    assert all(map(leads_to_samples, can))
    assert not any(map(leads_to_samples, cannot))


def test_steps_are_thinned_evenly() -> None:
    assert thinned([5, 5, 1, 9], 10).tolist() == [1, 5, 9]
    assert thinned([*range(1_001)], 3).tolist() == [0, 500, 1_000]
