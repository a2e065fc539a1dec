"""What a distance is between two draws of the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcc.metrics import energy_distance, noise_floor, over_floor, sliced_wasserstein
from dlcc.typing import Floats, Rows
from tests.metrics.conftest import normal


def draw(n: int, rng: np.random.Generator) -> Floats:
    return rng.standard_normal((n, 2))


def sw1(x: Rows, y: Rows) -> Any:
    return sliced_wasserstein(x, y, projections=16)


def test_fresh_draws_and_halves_agree() -> None:
    fresh = noise_floor(sw1, draw, (200, 300), repeats=40)
    for size in (500, 2000):
        halves = noise_floor(sw1, normal(size, 2, 5), (200, 300), repeats=40)
        assert halves.value == pytest.approx(fresh.value, rel=0.15)
        assert halves.sd == pytest.approx(fresh.sd, rel=0.5)
    assert fresh.error == pytest.approx(fresh.sd / 40**0.5)
    assert fresh.upper > fresh.value
    assert "40 pairs of fresh draws" in fresh.method
    assert fresh.rows == (200, 300)


def test_a_good_generator_is_at_the_floor_and_a_bad_one_above() -> None:
    floor = noise_floor(sw1, draw, (400, 400), repeats=30)
    ratios = [
        over_floor(sw1(normal(400, 2, s), normal(400, 2, s, at=1)), floor).value for s in range(30)
    ]
    assert np.mean(ratios) == pytest.approx(1, abs=0.2)
    bad = over_floor(sw1(normal(400, 2, 0, 0.5), normal(400, 2, 1)), floor)
    assert bad.interval(0.99)[0] > 2


def test_the_floor_of_an_unbiased_energy_is_its_closed_form() -> None:
    floor = noise_floor(energy_distance, draw, (80, 120), repeats=200, rate=1)
    wanted = np.sqrt(
        np.mean([
            energy_distance(normal(80, 2, s), normal(120, 2, s, at=1)).floor ** 2
            for s in range(50)
        ])
    )  # fmt: skip
    assert floor.sd == pytest.approx(wanted, rel=0.25)
    assert abs(floor.value) < 4 * floor.error


def test_a_seed_is_a_floor() -> None:
    one, other = (noise_floor(sw1, draw, (30, 30), repeats=3, seed=s) for s in range(2))
    assert one == noise_floor(sw1, draw, (30, 30), repeats=3)
    assert one.value != other.value
    plain = noise_floor(lambda x, y: float(len(x)), normal(9, 1, 0), (4, 4), repeats=2)
    assert (plain.value, plain.sd) == (4, 0)


@pytest.mark.parametrize(
    ("target", "settings", "words"),
    [
        (np.zeros((3, 2)), {}, "target has 3 rows; this needs at least 4"),
        (draw, {"repeats": 1}, "repeats is 1; expected 2 or more"),
        (lambda n, rng: np.zeros(n), {}, r"a draw has the shape \[9\]"),
    ],
)
def test_what_cannot_be_used(target: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        noise_floor(sw1, target, (9, 9), **settings)
