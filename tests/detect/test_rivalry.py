"""Bounds that a game keeps to, and players that do not play."""

import numpy as np
import pytest

from dlcc.detect import TrainingRecord, detect
from dlcc.runs.series import Series
from dlcc.typing import Floats

N = 200
T = np.linspace(0, 1, N)


def codes(d: Floats, g: Floats, objective: str | None = None) -> set[str]:
    losses = {"discriminator/loss": d, "generator/loss": g}
    record = TrainingRecord(Series.from_start(losses), "gan", objective)
    return {finding.code for finding in detect(record).findings}


def falling(first: float, last: float) -> Floats:
    return last + (first - last) * np.exp(-8 * T)


def noise(seed: int, size: float) -> Floats:
    return size * np.random.default_rng(seed).normal(size=N)


def test_both_losses_near_0_are_no_game() -> None:
    assert "ADV007" in codes(falling(1.386, 0.001), falling(0.693, 0.002))


def test_a_negative_cross_entropy_with_a_discriminator_at_0_is_no_game() -> None:
    assert "ADV007" in codes(falling(1.3, 0.0005), falling(-0.7, -9.0))


@pytest.mark.parametrize("objective", [None, "ns", "hinge", "ls", "relativistic"])
def test_losses_of_real_outputs_keep_to_the_bounds(objective: str | None) -> None:
    """Whatever the outputs on real rows and samples are, no bound is broken."""
    rng = np.random.default_rng(0)
    for level in (-4.0, -1.0, 0.0, 1.0, 4.0):
        real = level + 2 + rng.normal(size=(N, 32))
        fake = level - 1 + rng.normal(size=(N, 32))
        if objective in (None, "ns"):
            d, g = np.logaddexp(0, -real) + np.logaddexp(0, fake), np.logaddexp(0, -fake)
        elif objective == "hinge":
            d, g = np.maximum(0, 1 - real) + np.maximum(0, 1 + fake), -fake
        elif objective == "ls":
            d, g = 0.5 * (real - 1) ** 2 + 0.5 * fake**2, 0.5 * (fake - 1) ** 2
        else:
            d, g = np.logaddexp(0, fake - real), np.logaddexp(0, real - fake)
        assert "ADV007" not in codes(d.mean(axis=1), g.mean(axis=1), objective)


def test_least_squares_that_begin_like_cross_entropy_are_no_fault() -> None:
    d = falling(0.66, 0.137) + noise(0, 0.01)
    assert "ADV007" not in codes(d, falling(0.6, 0.31) + noise(1, 0.01))


def test_a_generators_loss_with_a_small_factor_is_no_fault() -> None:
    assert "ADV007" not in codes(0.3 + noise(0, 0.02), 0.004 + noise(1, 0.0002))


def test_a_discriminator_that_is_always_fooled_does_not_learn() -> None:
    found = codes(1.386 + 8 * T, falling(0.693, 0.0005), "ns")
    assert "ADV005" in found
    assert "ADV007" not in found


def test_a_discriminator_worse_than_guessing_does_not_learn() -> None:
    assert "ADV005" in codes(2.0 + noise(0, 0.05), 0.19 + noise(1, 0.01), "ns")
    assert "ADV005" not in codes(2.0 + noise(0, 0.05), 0.69 + noise(1, 0.01), "ns")  # R1 in it
    assert "ADV005" not in codes(1.9 + noise(0, 0.05), 0.2 + noise(1, 0.01))  # a hinge, maybe


def test_a_dead_discriminator_once_moved() -> None:
    d = 1.38629 + 0.05 * np.exp(-20 * T)
    assert "ADV008" in codes(d, 0.6931 + 0.02 * np.exp(-20 * T), "ns")
    assert "ADV008" not in codes(np.full(N, 1.38629), np.full(N, 0.6931), "ns")
    assert "ADV008" not in codes(1.386 + noise(0, 0.004), 0.693 + noise(1, 0.004), "ns")


@pytest.mark.parametrize("seed", range(5))
def test_a_critic_that_stands_still_mirrors_the_generator(seed: int) -> None:
    on_samples = 3 * (1 - np.exp(-3 * T))
    d = 10 + on_samples + noise(seed, 0.1)  # 10: the penalty of a critic that was never trained
    g = -on_samples + noise(seed + 50, 0.05)
    assert "ADV005" in codes(d, g, "wgangp")
    assert "ADV005" in codes(d, g)
    learns = d - 0.7 * on_samples
    assert "ADV005" not in codes(learns, g, "wgangp")
    assert "ADV005" not in codes(10 + noise(seed, 0.1), noise(seed + 50, 0.1), "wgangp")


def test_a_minimax_loss_with_real_rows_that_are_known_is_no_fault() -> None:
    on_samples = 0.2 + T + noise(0, 0.02)
    for objective in ("mm", None):
        assert "ADV005" not in codes(on_samples + 0.05, -on_samples, objective)
