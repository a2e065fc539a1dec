"""Deviations, and what players make of extreme inputs: pure functions against known answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcc.stages.execution.compare import deviations, worst_by_name
from dlcc.stages.execution.extremes import input_width, try_player
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


class _Doubling:
    """A session whose player doubles its inputs and overflows at 1e6."""

    def forward(self, player: str, inputs: np.ndarray) -> np.ndarray:
        return np.where(np.abs(inputs) >= 1e6, np.inf, 2 * inputs)[:, :1]


def test_a_player_that_overflows_is_named_with_the_inputs() -> None:
    weights: dict[str, Any] = {"model/0.weight": np.zeros((4, 3)), "model/0.bias": np.zeros(4)}
    rng = np.random.default_rng(0)
    tried = try_player(_Doubling(), "model", weights, rng)  # type: ignore[arg-type]
    assert tried.overflowing == ("1e6", "-1e6")
    assert tried.largest["1e3"] == 2000
    assert tried.largest["1e6"] is None
    assert tried.sensitivity == pytest.approx(2, rel=0.05)
    assert tried.finite["normal ×100"] == 1


def test_a_player_whose_inputs_are_not_known_is_not_tried() -> None:
    weights = {"model/0.weight": np.zeros((4, 3, 5, 5))}
    assert input_width("model", weights) is None
    tried = try_player(_Doubling(), "model", weights, np.random.default_rng(0))  # type: ignore[arg-type]
    assert "no matrix" in str(tried.reason)
