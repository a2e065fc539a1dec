"""Figures of the series in windows over the training."""

import numpy as np
import pytest

from dlcc.health.windows import (
    WINDOW_FEATURES,
    WINDOWS,
    window_edges,
    window_features,
)
from dlcc.records import Column, Series


def series(**quantities: np.ndarray) -> Series:
    """Quantities of every step, named `player__quantity`."""
    columns = {}
    for name, values in quantities.items():
        steps = np.arange(len(values))
        columns[name.replace("__", "/")] = Column(steps, np.asarray(values, float), steps * 1.0)
    return Series(columns)


def figure(windows: np.ndarray, name: str) -> np.ndarray:
    return windows[:, WINDOW_FEATURES.index(name)]


def test_windows_share_the_steps_out():
    edges = window_edges(1003)
    assert (edges[0], edges[-1], len(edges)) == (0, 1003, WINDOWS + 1)
    assert set(np.diff(edges)) == {25, 26}


def test_levels_and_deviations():
    rng = np.random.default_rng(0)
    loss = np.repeat(np.arange(40.0), 25) + rng.normal(size=1000)
    windows = window_features(series(generator__loss=loss), 1000)
    parts = np.arcsinh(loss).reshape(40, 25)
    assert figure(windows, "generator_loss") == pytest.approx(parts.mean(axis=1))
    assert figure(windows, "generator_loss_sd") == pytest.approx(parts.std(axis=1))


def test_gradients_in_decades_and_the_margin_of_the_outputs():
    windows = window_features(
        series(
            generator__grad_norm=np.full(400, 1e3),
            discriminator__real=np.full(400, 0.9),
            discriminator__fake=np.full(400, 0.2),
        ),
        400,
    )
    assert figure(windows, "generator_grad") == pytest.approx(3)
    assert figure(windows, "margin") == pytest.approx(np.arcsinh(0.7))


def test_what_was_not_logged_is_nan():
    windows = window_features(series(generator__loss=np.ones(400)), 400)
    missing = [n for n in WINDOW_FEATURES if not n.startswith(("generator_loss", "not_finite"))]
    assert all(np.isnan(figure(windows, name)).all() for name in missing)
    assert (figure(windows, "not_finite") == 0).all()


def test_what_is_not_finite_is_counted_and_left_out():
    loss = np.ones(400)
    loss[5], loss[205:210] = np.nan, np.inf
    windows = window_features(series(generator__loss=loss), 400)
    assert figure(windows, "not_finite")[[0, 1, 20]] == pytest.approx([0.1, 0, 0.5])
    assert figure(windows, "generator_loss") == pytest.approx(np.arcsinh(1))


@pytest.mark.parametrize("how", ["every third", "means of three"])
def test_rows_further_apart_than_a_step_have_no_deviations(how):
    rng = np.random.default_rng(0)
    loss, steps = rng.normal(size=900), np.arange(900)
    kept = loss[::3] if how == "every third" else loss.reshape(-1, 3).mean(axis=1)
    thinned = Series({"generator/loss": Column(steps[::3], kept, np.zeros(300))})
    windows = window_features(thinned, 900)
    assert np.isfinite(figure(windows, "generator_loss")).all()
    assert np.isnan(figure(windows, "generator_loss_sd")).all()


def test_one_sparse_quantity_takes_the_deviations_of_all():
    every, third = np.arange(900), np.arange(0, 900, 3)
    mixed = Series(
        {
            "generator/loss": Column(every, np.sin(every), np.zeros(900)),
            "discriminator/loss": Column(third, np.cos(third), np.zeros(300)),
        }
    )
    windows = window_features(mixed, 900)
    assert np.isnan(figure(windows, "generator_loss_sd")).all()


def test_gaps_do_not_make_a_record_sparse():
    steps = np.concatenate([np.arange(300), np.arange(600, 900)])
    windows = window_features(
        Series({"generator/loss": Column(steps, np.sin(steps), np.zeros(600))}), 900
    )
    assert np.isfinite(figure(windows, "generator_loss_sd")).any()
