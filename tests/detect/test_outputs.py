"""Losses against the outputs of the discriminator, under an objective that is stated."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from dlcc.detect import TrainingRecord, detect
from dlcc.detect.bounds import least_loss
from dlcc.runs.series import Series
from dlcc.typing import Floats

N, BATCH = 120, 64
T = np.linspace(0, 1, N)[:, None]
Scale = Literal["raw", "probability"]


def codes(
    objective: str | None,
    loss: Floats,
    real: Floats,
    fake: Floats,
    outputs: Scale | None = None,
    **settings: object,
) -> set[str]:
    series = {
        "discriminator/loss": loss, "discriminator/real": real, "discriminator/fake": fake,
    }  # fmt: skip
    record = TrainingRecord(
        Series.from_start(series), "gan", objective, outputs=outputs, settings=settings
    )
    return {finding.code for finding in detect(record).findings} & {"OBJ001", "OBJ002"}


def logits(seed: int = 0, spread: float = 1.0, apart: float = 2.0) -> tuple[Floats, Floats]:
    """Logits [N, BATCH] on real rows and samples that part over time."""
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(2, N, BATCH)) * spread
    return real + apart * T, fake - apart * T


def rows_of(objective: str, real: Floats, fake: Floats) -> Floats:
    """Losses [N, BATCH] of the rows of a batch."""
    if objective in ("ns", "mm"):
        return np.asarray(np.logaddexp(0, -real) + np.logaddexp(0, fake))
    if objective == "ls":
        return np.asarray(0.5 * (real - 1) ** 2 + 0.5 * fake**2)
    if objective == "hinge":
        return np.asarray(np.maximum(0, 1 - real) + np.maximum(0, 1 + fake))
    return np.asarray(fake - real)


OBJECTIVES = ("ns", "mm", "ls", "hinge", "wgan", "wgangp")


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(5))
def test_no_loss_of_real_outputs_is_under_the_bound(objective: str, seed: int) -> None:
    real, fake = logits(seed, spread=1 + seed)
    loss = rows_of(objective, real, fake).mean(axis=1)
    least = least_loss(objective, real.mean(axis=1), fake.mean(axis=1))
    assert least is not None
    assert (loss >= least - 1e-9).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("spread", [0.01, 1.0, 5.0])
def test_a_loss_of_its_outputs_is_no_fault(objective: str, scale: float, spread: float) -> None:
    real, fake = logits(spread=spread)
    loss = scale * rows_of(objective, real, fake).mean(axis=1)
    assert codes(objective, loss, real.mean(axis=1), fake.mean(axis=1)) == set()
    penalised = loss + 0.3 * scale * np.random.default_rng(0).random(N)
    assert codes(objective, penalised, real.mean(axis=1), fake.mean(axis=1)) == set()


@pytest.mark.parametrize("outputs", [None, "probability"])
def test_probabilities_of_a_cross_entropy_are_no_fault(outputs: Scale | None) -> None:
    for apart in (0.2, 2.0, 8.0):
        real, fake = logits(apart=apart)
        loss = rows_of("ns", real, fake).mean(axis=1)
        p, q = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
        assert codes("ns", loss, p.mean(axis=1), q.mean(axis=1), outputs) == set()


def test_sigmoids_beside_another_loss_say_nothing() -> None:
    real, fake = logits(apart=6.0)
    p, q = (1 / (1 + np.exp(-real))).mean(axis=1), (1 / (1 + np.exp(-fake))).mean(axis=1)
    for objective in ("hinge", "ls", "wgan"):
        assert codes(objective, rows_of(objective, real, fake).mean(axis=1), p, q) == set()


@pytest.mark.parametrize(("objective", "low"), [("ns", 0.1), ("hinge", 0.1), ("ls", 0.01)])
def test_a_loss_near_0_with_outputs_that_hardly_differ(objective: str, low: float) -> None:
    real, fake = -0.2 + 0.1 * np.sin(9 * T[:, 0]), 0.2 + 0.1 * np.cos(9 * T[:, 0])
    loss = low * (1 + 0.1 * np.random.default_rng(0).random(N))
    assert codes(objective, loss, real, fake) == {"OBJ001"}
    assert codes(None, loss, real, fake) == set()
    assert codes("relativistic", loss, real, fake) == set()


def test_a_cross_entropy_that_goes_below_0() -> None:
    real, fake = logits()
    loss = rows_of("ns", real, fake).mean(axis=1)
    falling = np.r_[loss[:30], -np.arange(N - 30) * 0.1 - 0.1]
    assert codes("ns", falling, real.mean(axis=1), fake.mean(axis=1)) == {"OBJ001"}
    assert codes("wgan", falling, real.mean(axis=1) + 99, fake.mean(axis=1)) == set()
    assert codes("ns", -loss, np.full(N, 0.5), np.full(N, 0.5)) == set()  # logged negative


@pytest.mark.parametrize("objective", ["ns", "ls", "hinge", "wgan"])
def test_a_sum_over_the_batch(objective: str) -> None:
    real, fake = logits(spread=0.05)
    total = rows_of(objective, real, fake).sum(axis=1)
    means = real.mean(axis=1), fake.mean(axis=1)
    assert codes(objective, total, *means) == {"OBJ002"}
    assert codes(objective, total, *means, batch_size=BATCH) == {"OBJ002"}
    assert codes(objective, total, *means, batch_size=100) == set()
    assert codes(objective, 10 * total / BATCH, *means) == set()  # a weight


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_rows_in_any_order_around_chance_are_no_fault(objective: str) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        loss = np.abs(rng.normal(1.4, 0.2, size=N))
        assert codes(objective, loss, *rng.normal(size=(2, N)) * 0.3) == set()
