"""A metric that never got better."""

import numpy as np

from dlcc.detect import TrainingRecord, detect
from dlcc.runs.series import Column, Series
from dlcc.typing import Floats


def codes(fid: Floats, first: int = 0, trend: float = 3e-4) -> set[str]:
    rng = np.random.default_rng(0)
    steps = np.arange(1000)
    at = np.linspace(first, 999, len(fid)).astype(np.int64)
    columns = {
        "discriminator/loss": Column(
            steps, 1.2 - steps * trend + 0.1 * rng.normal(size=1000), np.zeros(1000)
        ),
        "generator/loss": Column(steps, 0.9 + 0.1 * rng.normal(size=1000), np.zeros(1000)),
        "metrics/fid": Column(at, fid, np.zeros(len(fid))),
    }
    return {finding.code for finding in detect(TrainingRecord(Series(columns), "gan")).findings}


def test_a_metric_that_stays_where_it_began_is_told() -> None:
    assert "QLT004" in codes(300 + 5 * np.sin(np.arange(12.0)))


def test_one_that_falls_is_not() -> None:
    assert "QLT004" not in codes(np.linspace(300, 40, 12))


def test_one_that_begins_late_is_not() -> None:
    assert "QLT004" not in codes(30 + np.sin(np.arange(12.0)), first=400)


def test_noise_beside_noise_says_nothing() -> None:
    assert "QLT004" not in codes(300 + 5 * np.sin(np.arange(12.0)), trend=0.0)
