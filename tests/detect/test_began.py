"""Convergence measure of a boundary-equilibrium GAN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcc.detect import Assessment, TrainingRecord, detect, game_objective
from dlcc.diagnosis import diagnose
from dlcc.runs.series import Series
from dlcc.typing import Floats

N = 400
T = np.linspace(0, 1, N)


def noisy(values: Floats, seed: int = 0, size: float = 0.05) -> Floats:
    return np.asarray(values * np.exp(size * np.random.default_rng(seed).normal(size=len(values))))


def judged(measure: Floats) -> Assessment:
    columns = {"discriminator/convergence": measure, "generator/loss": 0.5 * measure}
    return detect(TrainingRecord(Series.from_start(columns), "gan"))


def codes(measure: Floats) -> set[str]:
    return {finding.code for finding in judged(measure).findings} & {"BGN001", "BGN002"}


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_measure_that_falls_speaks_for_the_training(scale: float) -> None:
    found = judged(noisy(scale * (0.05 + 0.3 * np.exp(-3 * T))))
    assert found.state == "healthy"
    assert "convergence measure falls" in found.why


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_measure_that_rises_again_is_told_with_its_onset(scale: float) -> None:
    values = 0.05 + 0.3 * np.exp(-8 * T) + 0.4 * np.maximum(0, T - 0.6)
    found = judged(noisy(scale * values))
    assert (found.state, found.findings[0].code) == ("suspect", "BGN001")
    assert found.since is not None
    assert abs(found.since - 0.6 * N) < 0.06 * N


def test_a_measure_that_rests_is_a_note() -> None:
    found = judged(noisy(0.05 + 0.3 * np.exp(-20 * T)))
    (note,) = (f for f in found.findings if f.code == "BGN002")
    assert note.severity == "note"
    assert note.first_step is not None
    assert 0.05 * N < note.first_step < 0.45 * N


@pytest.mark.parametrize("seed", range(30))
def test_a_measure_in_any_order_has_no_verdict(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = judged(np.abs(rng.normal(0.3, 0.1, size=N)))
    assert found.state == "unknown"
    assert {f.code for f in found.findings if f.severity != "note"} == set()


def test_a_convergence_of_no_game_says_nothing() -> None:
    series = Series.from_start({"discriminator/convergence": np.linspace(1, 0, N)})
    assert detect(TrainingRecord(series)).state == "unknown"


def test_it_is_computed_where_both_terms_are_logged() -> None:
    real = noisy(0.05 + 0.3 * np.exp(-8 * T) + 0.4 * np.maximum(0, T - 0.6))
    losses = {"discriminator/loss_real": real, "generator/loss": 0.5 * real}
    series = Series.from_start(losses)

    def found(objective: str | None, **settings: object) -> set[str]:
        record = TrainingRecord(series, "gan", objective, settings=settings)
        return {f.code for f in detect(record).findings} & {"BGN001", "BGN002"}

    assert found("began", gamma=0.5) == {"BGN001"}
    assert found("began") == found("hinge", gamma=0.5) == set()


def test_a_measure_tells_the_objective() -> None:
    columns = {
        "discriminator/convergence": 0.01 + 0.4 * np.exp(-9 * T),
        "discriminator/loss": 0.01 + 0.6 * np.exp(-9 * T),
        "generator/loss": 0.01 + 0.5 * np.exp(-9 * T),
    }
    record = TrainingRecord(Series.from_start(columns), "gan")
    assert game_objective(record).name == "began"
    assert {f.code for f in detect(record).findings if f.severity != "note"} == set()


def test_a_printed_log(tmp_path: Path) -> None:
    values = noisy(0.05 + 0.3 * np.exp(-8 * T) + 0.4 * np.maximum(0, T - 0.6))
    lines = [
        f"[Epoch {i // 40}/10] [Batch {i % 40}/40] [D loss: {v:.6f}] [G loss: {v / 2:.6f}] -- "
        f"M: {v:.6f}, k: {0.1 + 0.001 * i:.6f}"
        for i, v in enumerate(values)
    ]
    (tmp_path / "out.txt").write_text("\n".join(lines) + "\n")
    found = diagnose(tmp_path / "out.txt")
    assert "discriminator/convergence" in found.record.series
    assert found.assessment.findings[0].code == "BGN001"
