"""Discriminators that know their training rows by heart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlcc.detect import TrainingRecord, detect
from dlcc.diagnosis import diagnose
from dlcc.runs.series import Column, Series
from dlcc.typing import Floats

N = 60
T = np.linspace(0, 1, N)
OURS = {"OVF002", "OVF003", "ADV009"}


def noise(seed: int, size: float, rows: int = N) -> Floats:
    return size * np.random.default_rng(seed).normal(size=rows)


def codes(
    augmentation: Floats | None = None, ada_target: float | None = None, **series: Floats
) -> set[str]:
    columns = {name.replace("__", "/"): values for name, values in series.items()}
    strengths = {} if augmentation is None else {"p": Column.at_every_step(augmentation)}
    settings: dict[str, object] = {} if ada_target is None else {"ada_target": ada_target}
    record = TrainingRecord(
        Series.from_start(columns), "gan", augmentation=strengths, settings=settings
    )
    return {finding.code for finding in detect(record).findings} & OURS


def outputs(held: Floats, scale: float = 1.0, seed: int = 0) -> dict[str, Floats]:
    """Mean outputs on training rows and samples that part, with those on held-out rows."""
    real, fake = 0.2 + 2 * T, -0.2 - 2 * T
    return {
        "discriminator__real": scale * (real + noise(seed, 0.05)),
        "discriminator__fake": scale * (fake + noise(seed + 1, 0.05)),
        "validation__discriminator_real": scale * (real + held * (fake - real) + noise(seed, 0.05)),
    }


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_held_out_rows_that_become_samples(scale: float) -> None:
    assert codes(**outputs(0.9 * T, scale)) == {"OVF002"}


@pytest.mark.parametrize("held", [0.0, 0.2, 0.4])
def test_held_out_rows_that_stay_with_the_training_rows(held: float) -> None:
    assert codes(**outputs(held * T)) == set()
    assert codes(**outputs(np.full(N, held))) == set()


def test_held_out_rows_may_be_measured_seldom() -> None:
    series = outputs(0.9 * T)
    held = Column(np.arange(0, N, 4), series["validation__discriminator_real"][::4], np.zeros(15))
    columns = {
        "discriminator/real": Column.at_every_step(series["discriminator__real"]),
        "discriminator/fake": Column.at_every_step(series["discriminator__fake"]),
        "validation/discriminator_real": held,
    }
    found = detect(TrainingRecord(Series(columns), "gan")).findings
    assert [f.code for f in found] == ["OVF002"]
    assert abs((found[0].first_step or 0) - N * 0.5 / 0.9) < 6


def test_losses_that_part() -> None:
    train = 1.3 * np.exp(-2 * T) + noise(0, 0.01)
    held = 1.3 - 0.6 * T + 3 * np.maximum(0, T - 0.3) + noise(1, 0.01)
    assert codes(discriminator__loss=train, validation__discriminator_loss=held) == {"OVF002"}
    both = {"discriminator__loss": train, "validation__discriminator_loss": train + 0.1}
    assert codes(**both) == set()
    worse = {"discriminator__loss": held, "validation__discriminator_loss": held + 0.02 * T}
    assert codes(**worse) == set()  # the generator gets better, and both rise


def test_signs_that_drift_apart() -> None:
    real, fake = 0.97 - 0.6 * np.exp(-5 * T), -0.98 + 0.6 * np.exp(-5 * T)
    apart = {"discriminator__sign_real": real, "discriminator__sign_fake": fake}
    assert codes(**apart) == {"ADV009"}
    aimed = {
        "discriminator__sign_real": 0.6 + noise(0, 0.03),
        "discriminator__sign_fake": -0.7 + noise(1, 0.03),
    }
    assert codes(**aimed) == set()


def test_an_augmentation_at_its_bound() -> None:
    assert codes(np.minimum(1.0, 2 * T)) == {"OVF003"}
    assert codes(np.minimum(0.8, 2 * T)) == {"OVF003"}
    assert codes(3 * T) == {"OVF003"}  # it goes on above 1, where all rows are augmented
    assert codes(0.7 * T + noise(0, 0.01) + 0.1) == set()
    assert codes(np.full(N, 0.7)) == set()  # fixed, not adapted
    assert codes(np.minimum(0.3, T)) == set()


def test_an_augmentation_that_suffices_is_no_fault() -> None:
    strength, signs = np.minimum(1.0, 2 * T), 0.55 + noise(0, 0.02)
    assert codes(strength, discriminator__sign_real=signs) == set()
    assert codes(strength, discriminator__sign_real=signs + 0.2) == {"OVF003"}
    assert codes(strength, discriminator__sign_real=signs + 0.35) == {"OVF002"}
    assert codes(strength, 0.4, discriminator__sign_real=signs) == {"OVF003"}


@pytest.mark.parametrize("seed", range(30))
def test_rows_in_any_order_are_no_fault(seed: int) -> None:
    rng = np.random.default_rng(seed)
    level = rng.uniform(0, 1)
    series = {
        "discriminator__real": 1 + rng.normal(size=N),
        "discriminator__fake": -1 + rng.normal(size=N),
        "validation__discriminator_real": 1 - 2 * level + rng.normal(size=N),
        "discriminator__loss": np.abs(rng.normal(size=N)),
        "validation__discriminator_loss": np.abs(rng.normal(size=N)),
        "discriminator__sign_real": rng.uniform(0.9, 1, size=N),
        "discriminator__sign_fake": rng.uniform(-1, -0.9, size=N),
    }
    assert codes(rng.uniform(0, 1, size=N), **series) == set()


def test_a_stylegan_folder(tmp_path: Path) -> None:
    with (tmp_path / "stats.jsonl").open("w") as stats:
        for i in range(N):
            row = {
                "Progress/kimg": 4 * i, "Progress/augment": min(1.0, 2 * T[i]),
                "Loss/signs/real": 0.95 - 0.6 * np.exp(-9 * T[i]),
                "Loss/signs/fake": -0.95 + 0.6 * np.exp(-9 * T[i]),
                "Loss/D/loss": 0.9 - 0.3 * T[i], "Loss/G/loss": 1.2 + T[i],
            }  # fmt: skip
            stats.write(json.dumps({k: {"num": 1, "mean": v, "std": 0} for k, v in row.items()}))
            stats.write("\n")
    found = diagnose(tmp_path)
    assert OURS - {"OVF003"} <= {f.code for f in found.assessment.findings}
    assert found.state == "suspect"
