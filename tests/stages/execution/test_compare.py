"""Deviations, and what players make of extreme inputs: pure functions against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from dlcc.stages.execution.compare import deviations, worst_by_name
from dlcc.stages.execution.replays import runs_of


def test_equal_to_the_last_bit_is_zero_and_the_next_bit_is_not() -> None:
    recorded = np.array([0.0, 1.0, np.nan, np.inf, -2.0, 1.0])
    replayed = np.array([-0.0, 1.0, np.nan, np.inf, -2.0, np.nextafter(1.0, 2)])
    apart = deviations(recorded, replayed)
    assert apart[:5].tolist() == [0] * 5
    assert 0 < apart[5] < 1e-15


@pytest.mark.parametrize(
    ("recorded", "replayed", "expected"),
    [(4.0, 5.0, 0.25), (0.5, 0.25, 0.25), (np.nan, 1.0, np.inf), (1.0, np.inf, np.inf),
     (np.inf, -np.inf, np.inf)],
)  # fmt: skip
def test_deviations_are_relative_to_the_larger_of_the_value_and_one(
    recorded: float, replayed: float, expected: float
) -> None:
    assert deviations(np.array([recorded]), np.array([replayed])).tolist() == [expected]


def test_large_integers_that_differ_deviate() -> None:
    assert deviations(np.array([2**62]), np.array([2**62 + 1]))[0] > 0


def test_other_shapes_types_and_names_deviate_without_bound() -> None:
    a = np.zeros((2, 3), np.float32)
    others = [np.zeros((3, 2), np.float32), np.zeros((2, 3), np.float64)]
    assert all(np.isinf(deviations(a, other)).all() for other in others)
    assert worst_by_name({"x": a, "y": a}, {"x": a, "z": a}) == {"x": 0, "y": np.inf, "z": np.inf}
    assert worst_by_name({"empty": a[:0]}, {"empty": a[:0]}) == {"empty": 0}


def test_unbroken_stretches_of_steps() -> None:
    assert runs_of([3, 4, 5, 9, 11, 12]) == [(3, 5), (9, 9), (11, 12)]
    assert runs_of([]) == []
