"""Replays under other conditions move as these do, and the same ones not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlcc.past_runs.build import doctoring
from dlcc.sandbox import available_levels
from dlcc.sandbox.rounding import rounded_products
from dlcc.stages.execution.sensitivity import AGAIN, SEED, Moved, summary
from tests.stages.execution.test_execution import STEP, execute

pytestmark = pytest.mark.skipif(
    not available_levels(), reason="this machine offers neither bubblewrap nor Landlock"
)


def test_each_condition_moves_steps_as_far_as_it_is_coarse(small_run: Path) -> None:
    told = execute(small_run, sensitivity=True).details["sensitivity"]
    moved = {one["condition"]: one for one in told["conditions"]}
    assert all(one["reason"] is None and one["steps"] == 4 for one in moved.values())
    assert set(moved[AGAIN]["quantities"].values()) == {0.0}
    assert set(moved[AGAIN]["weights"].values()) == {0.0}

    def largest(condition: str) -> float:
        return max(moved[condition]["quantities"].values())

    sizes = [largest(f"products in {name}") for name in ("float64", "tf32", "bfloat16")]
    assert 0 < sizes[0] < 1e-5 < sizes[1] < largest(SEED)
    assert sizes[2] > 1e-3
    assert moved[SEED]["of_change"]["generator/loss"] > 0
    assert told["moves"].startswith("replayed steps repeat to the last bit")
    assert "another seed moves them by" in told["moves"]


def test_chance_of_no_seed_is_told(small_run: Path) -> None:
    noise = "batch.noise + 1e-3 * torch.randn_like(batch.noise)"
    chance = STEP.replace("batch.noise", noise).replace("batch =", "torch.seed(); batch =")
    doctoring.edit_source(small_run, STEP, chance)
    told = execute(small_run, sensitivity=True).details["sensitivity"]
    assert "repeat within" in told["moves"]


def test_what_was_not_measured_is_not_told_as_exact() -> None:
    assert summary([]) == "how far replayed steps move was not measured"
    assert "measured" in summary([Moved(AGAIN, 0, reason="4 steps take 30.0 s")])
    assert summary(
        [Moved(AGAIN, 4, {"model/loss": 0.0}), Moved("2 threads", 4, {"a/b": None})]
    ) == ("replayed steps repeat to the last bit, within more than any number with 2 threads")


@pytest.mark.parametrize(("precision", "bits"), [("tf32", 10), ("bfloat16", 7), ("float64", 23)])
def test_what_is_multiplied_has_so_many_bits(precision: str, bits: int) -> None:
    one = torch.ones(1, 1)
    for power in range(1, 24):
        number = torch.full((1, 1), 1 + 2.0**-power)
        with rounded_products(precision):
            kept = (number @ one).item() == number.item()
        assert kept == (power <= bits)


def test_other_operations_and_types_are_as_ever() -> None:
    a = torch.linspace(0.1, 1, 9, dtype=torch.float64).reshape(3, 3)
    b = a.float()
    plain = a @ a, b * b
    with rounded_products("bfloat16"):
        assert torch.equal(a @ a, plain[0])
        assert torch.equal(b * b, plain[1])
        assert not torch.equal(b @ b, plain[0].float())
        image, kernel = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2)
        assert torch.nn.functional.conv2d(image, kernel).sum() == 16
