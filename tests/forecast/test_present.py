"""What forecasts are made of: the run as it was at earlier fractions, and what spreads."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.estimate import Estimate
from dlcc.forecast.diffusion import bass
from dlcc.forecast.present import earlier_vectors, spreading
from dlcc.kinds.gan import GAN
from dlcc.past_runs.in_use import shipped_library
from dlcc.records import HealthRecord, Series

SAMPLE_STEPS = np.arange(10, 401, 10)
HEALTH = HealthRecord(
    label="healthy",
    probabilities={},
    onset=None,
    onset_interval=None,
    stability=Estimate.exactly(1.0),
    checkpoints=SAMPLE_STEPS,
    coverage=np.ones(40),
    quality=np.ones(40),
    figures=np.random.default_rng(0).random((40, 8)),
    good=np.ones(40),
    seen=1.0,
    features={},
)
SERIES_ONLY = replace(HEALTH, figures=np.zeros((0, 8)))


def series(length=400):
    rng = np.random.default_rng(1)
    return Series.from_start({"generator/loss": rng.random(length)})


def earlier(record, health=HEALTH, length=400):
    return earlier_vectors(record, health, shipped_library().good, length, GAN)


@pytest.mark.parametrize("health", [HEALTH, SERIES_ONLY])
def test_every_fraction_before_the_present_has_its_vector(health):
    assert list(earlier(series(), health)) == [0.1, 0.2, 0.5]
    assert list(earlier(series(), replace(health, seen=0.5))) == [0.1, 0.2]


def test_a_vector_knows_nothing_of_what_came_later():
    later = HEALTH.figures.copy()
    later[SAMPLE_STEPS > 80] = 0.5
    values = series().columns["generator/loss"].values.copy()
    values[80:] = np.nan
    spoilt = Series.from_start({"generator/loss": values})
    assert earlier(series())[0.2] == earlier(spoilt, replace(HEALTH, figures=later))[0.2]


@pytest.mark.parametrize("health", [HEALTH, SERIES_ONLY])
def test_before_there_were_enough_rows_there_is_none(health):
    """At a tenth 15 rows; and a training that went on from step 150."""
    short = replace(health, checkpoints=SAMPLE_STEPS * 150 // 400)
    assert list(earlier(series(150), short, 150)) == [0.2, 0.5]
    column = series().columns["generator/loss"]
    late = replace(column, steps=column.steps[150:], values=column.values[150:])
    assert list(earlier(Series({"generator/loss": late}), health)) == [0.5]


def test_what_spreads_is_the_recall_of_samples_or_else_a_logged_quality():
    curve = bass(np.arange(400) / 400, 0.8, 1.0, 10.0)
    logged = Series.from_start({"model/quality": curve, "model/loss": curve})
    assert spreading(logged, SERIES_ONLY, 400).fitted[-1] == pytest.approx(curve[-1], abs=0.01)
    assert len(spreading(logged, HEALTH, 400).times) == 40
    assert spreading(Series.from_start({"model/quality": 2 * curve}), SERIES_ONLY, 400) is None
