"""From figures over time to the vector of a run."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcc.health.curves import Curves, run_vector
from dlcc.health.samples import SAMPLE_FEATURES
from dlcc.health.windows import WINDOW_FEATURES, WINDOWS
from dlcc.records import LABELS


def curves(coverage=1.0, quality=0.9, reach=0.0, **windows: object) -> Curves:
    """A run of 40 sample steps; figures are constants or curves [40]."""
    figures = {name: np.zeros(WINDOWS) + windows.get(name, 0.1) for name in WINDOW_FEATURES}
    figures["not_finite"] = np.zeros(WINDOWS) + windows.get("not_finite", 0.0)
    samples = dict.fromkeys(SAMPLE_FEATURES, np.zeros(40)) | {
        "coverage": np.zeros(40) + coverage,
        "quality": np.zeros(40) + quality,
        "reach": np.zeros(40) + reach,
    }
    return Curves(np.column_stack(list(figures.values())), np.column_stack(list(samples.values())))


def rule(run: Curves, good: float) -> dict[str, float]:
    """Probabilities by definition of a run whose sample steps are good with that probability."""
    vector = run_vector(run, np.full(40, good))
    return {name: vector[f"rule_{name}"] for name in LABELS}


SWINGING = np.where(np.arange(40) % 8 < 4, 0.9, 0.3)


@pytest.mark.parametrize(
    ("label", "run", "good"),
    [
        ("healthy", curves(), 1.0),
        ("weak", curves(), 0.1),
        ("collapsed", curves(coverage=0.2), 0.0),
        ("oscillating", curves(coverage=SWINGING), 0.5),
        ("oscillating", curves(quality=SWINGING), 0.5),
        ("diverged", curves(generator_loss=math.asinh(1e4)), 1.0),
        ("diverged", curves(discriminator_grad=5.0), 1.0),
        ("diverged", curves(not_finite=0.1), 1.0),
        ("diverged", curves(reach=2.0), 1.0),
        ("diverged", curves(coverage=SWINGING, reach=12.0), 0.0),
    ],
)
def test_what_the_definitions_say(label, run, good):
    assert rule(run, good)[label] > 0.95


@given(
    arrays(np.float64, st.integers(8, 60), elements=st.floats(0, 1)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_the_probabilities_by_definition_sum_to_one(coverage, quality, good):
    run = curves(quality=quality)
    run.samples[:, 0] = np.resize(coverage, 40)
    found = rule(run, good)
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= 0


def test_a_run_at_a_mark_could_be_either():
    found = rule(curves(coverage=0.5), 0.0)
    assert found["collapsed"] == pytest.approx(0.5, abs=0.01)


def test_without_samples_there_is_no_figure_of_them():
    vector = run_vector(Curves(curves().windows, None), np.full(WINDOWS, 0.5))
    assert not {"swing", "coverage_last", "rule_healthy"} & set(vector)
    assert vector["diverged"] == 0
