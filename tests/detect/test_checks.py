"""Checks from first principles: each finds its fault, and none where there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from dlcc.detect import TrainingRecord, detect, game_objective, quality_of
from dlcc.runs.series import Column, Series
from dlcc.typing import Floats

LN2 = math.log(2)


def record(kind: str = "gan", objective: str | None = None, **series: Floats) -> TrainingRecord:
    columns = {name.replace("__", "/"): values for name, values in series.items()}
    return TrainingRecord(Series.from_start(columns), kind, objective)


def codes(found: TrainingRecord) -> set[str]:
    return {f.code for f in detect(found).findings}


def game(
    rows: int = 400, seed: int = 0, level: tuple[float, float] = (2 * LN2, LN2)
) -> dict[str, Floats]:
    """Losses of a game that goes on near its equilibrium, coupled as games are."""
    rng = np.random.default_rng(seed)
    push = np.zeros(rows)
    for i in range(1, rows):
        push[i] = 0.9 * push[i - 1] + 0.05 * rng.normal()
    d, g = level
    return {
        "discriminator__loss": d + push + 0.03 * rng.normal(size=rows),
        "generator__loss": g - push + 0.03 * rng.normal(size=rows),
    }


# --- not finite -----------------------------------------------------------------------------------


def test_six_rows_that_end_in_nan_have_failed() -> None:
    values = np.array([1.2, 0.6, 0.3, math.nan, math.nan, math.nan])
    found = detect(record(generator__loss=values, discriminator__loss=-values))
    assert (found.state, found.label, found.since) == ("failed", "diverged", 3)


def test_a_spike_from_which_it_recovers_is_a_warning() -> None:
    values = np.linspace(2, 1, 40)
    values[20:22] = math.nan
    found = detect(record("vae", model__loss=values, model__kl=np.full(40, 5.0)))
    assert found.state == "suspect"
    assert found.findings[0].code == "NAN002"
    assert (found.findings[0].first_step, found.findings[0].last_step) == (20, 21)


def test_columns_without_a_role_count_where_several_are_lost() -> None:
    lost = {name: Column.at_every_step(np.full(4, math.nan)) for name in ("#1", "#2")}
    both = TrainingRecord(Series(), unmapped=Series(lost))
    assert detect(both).state == "failed"
    one = TrainingRecord(Series(), unmapped=Series({"aux": lost["#1"]}))
    assert detect(one).state == "unknown"


def test_a_ratio_that_is_infinite_is_no_fault() -> None:
    noise_scale = np.array([3.0, math.inf, 2.0, math.inf] * 10)
    assert not codes(record(discriminator__grad_noise_scale=noise_scale, **game(40))) & {
        "NAN001", "NAN002",
    }  # fmt: skip


def test_a_metric_that_is_not_finite_is_no_divergence() -> None:
    fid = np.array([90.0, 50, math.inf, 30, 25])
    assert "NAN001" not in codes(record(metrics__fid=fid, **game()))


# --- divergence -----------------------------------------------------------------------------------


def test_a_critic_without_bound_diverges() -> None:
    d = -np.exp(np.linspace(0, 6, 200))
    found = detect(record(discriminator__loss=d, generator__loss=np.linspace(0, 10, 200)))
    assert (found.state, found.label) == ("failed", "diverged")
    assert found.findings[0].player == "discriminator"


def test_a_loss_in_the_millions_is_no_divergence() -> None:
    rng = np.random.default_rng(0)
    loss = 1e6 * (1 + np.exp(-np.arange(300) / 60)) + 1e4 * rng.normal(size=300)
    assert detect(record("diffusion", model__loss=loss)).state == "healthy"


def test_gradients_that_explode_and_vanish() -> None:
    t = np.linspace(0, 1, 300)
    found = codes(record(generator__grad_norm=10 ** (6 * t - 2), **game(300)))
    assert "GRD002" in found
    found = codes(record(generator__grad_norm=10 ** (-6 * t), **game(300)))
    assert "GRD001" in found


# --- balance --------------------------------------------------------------------------------------


def won(rows: int = 100) -> dict[str, Floats]:
    rng = np.random.default_rng(1)
    t = np.arange(rows)
    d = np.where(t < 20, 1.2, 0.001) * rng.uniform(0.5, 1.5, rows)
    g = np.where(t < 20, 1.0, 12.0) * rng.uniform(0.9, 1.1, rows)
    return {"discriminator__loss": d, "generator__loss": g}


def test_a_discriminator_that_has_won() -> None:
    found = detect(record(objective="ns", **won()))
    assert found.state == "failed"
    assert found.findings[0].code == "ADV001"
    assert abs(found.since - 20) <= 2 if found.since is not None else False


def test_without_an_objective_it_is_a_warning_that_says_under_which() -> None:
    found = detect(record(**won()))
    assert found.state == "suspect"
    assert "if the loss is cross-entropy" in found.findings[0].message
    assert any("--objective" in line for line in found.missing)


def test_with_a_relativistic_loss_a_zero_is_normal() -> None:
    assert detect(record(objective="relativistic", **won())).state == "unknown"


def test_outputs_show_the_objective() -> None:
    real, fake = np.full(30, 0.98), np.full(30, 0.02)
    d = -np.log(real) - np.log(1 - fake)
    found = game_objective(
        record(
            discriminator__loss=d, generator__loss=np.full(30, 4.0),
            discriminator__real=real, discriminator__fake=fake,
        )
    )  # fmt: skip
    assert (found.name, found.sure) == ("ns", True)


def test_a_generator_of_several_terms_is_not_judged_by_their_sum() -> None:
    series = {**won(), "generator__reconstruction": np.full(100, 0.1)}
    assert not codes(record(objective="ns", **series)) & {"ADV001", "ADV006"}


def test_a_player_at_the_clamp_is_stuck() -> None:
    d = np.full(6, 13.8155)
    found = detect(record(discriminator__loss=d, generator__loss=np.full(6, -0.0)))
    assert (found.state, found.findings[0].code) == ("failed", "ADV004")


@pytest.mark.parametrize("level", [(2 * LN2, LN2), (0.25, 0.25), (2.0, 0.0), (0.0, 0.0)])
def test_a_constant_at_rest_says_nothing(level: tuple[float, float]) -> None:
    d, g = level
    found = detect(record(discriminator__loss=np.full(50, d), generator__loss=np.full(50, g)))
    assert found.state == "unknown"
    assert not found.evidence.says_something


def test_a_discriminator_that_guesses_is_a_note() -> None:
    rng = np.random.default_rng(0)
    d = 2 + 0.01 * rng.normal(size=100)
    found = detect(record(objective="hinge", discriminator__loss=d, generator__loss=d - 2))
    assert found.state == "unknown"
    assert [f.code for f in found.findings] == ["ADV002"]


def test_two_pairs_are_judged_apart() -> None:
    series = {
        "discriminator_a__loss": won()["discriminator__loss"],
        "generator_a__adversarial": won()["generator__loss"],
        "discriminator_b__loss": game(100)["discriminator__loss"],
        "generator_b__adversarial": game(100)["generator__loss"],
    }
    found = detect(record(objective="ns", **series))
    assert [f.player for f in found.findings if f.code == "ADV001"] == ["discriminator_a"]


def test_losses_that_swing_together() -> None:
    t = np.arange(600)
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * t / 40)
    d = 1 + 0.9 * wave + 0.05 * rng.normal(size=600)
    g = 1.2 + np.roll(wave, 5) + 0.05 * rng.normal(size=600)
    (finding,) = (f for f in detect(record(discriminator__loss=d, generator__loss=g)).findings
                  if f.code == "OSC001")  # fmt: skip
    assert finding.evidence["period"] == pytest.approx(40, abs=2)


@pytest.mark.parametrize("seed", range(6))
def test_a_game_that_goes_on_has_no_finding_and_no_verdict(seed: int) -> None:
    found = detect(record(objective="ns", **game(seed=seed)))
    assert [f for f in found.findings if f.severity != "note"] == []
    assert found.state == "unknown"
    assert found.evidence.says_something


# --- quality --------------------------------------------------------------------------------------


def fid(values: list[float]) -> TrainingRecord:
    return record(metrics__fid=np.array(values), **game(len(values)))


def test_a_metric_that_improves_speaks_for_health() -> None:
    found = detect(fid([300, 90, 60, 45, 40, 36, 33, 31, 30, 29.5, 29.8, 29]))
    assert found.state == "healthy"
    assert found.p_healthy > 0.8


def test_a_metric_that_regresses_names_the_best_step() -> None:
    found = detect(fid([261, 148, 94, 80, 72, 65, 60, 57, 54, 52, 50, 49, 49.4, 84, 77]))
    assert (found.state, found.since) == ("suspect", 13)
    assert found.quality is not None
    assert (found.quality.best_step, found.quality.worse_since) == (11, 13)


def test_a_metric_that_collapses_has_failed() -> None:
    found = detect(fid([261, 148, 94, 74, 59, 56, 249, 249, 284, 277]))
    assert (found.state, found.label) == ("failed", "collapsed")
    assert found.p_healthy < 0.1


def test_one_bad_value_is_no_collapse() -> None:
    found = detect(fid([261, 148, 94, 74, 59, 56, 50, 49, 48, 180]))
    assert not {f.code for f in found.findings} & {"QLT001", "QLT003"}


def test_more_is_better_for_some() -> None:
    psnr = np.array([18.0, 20, 22, 24, 25, 26, 26.4, 26.3])
    found = quality_of(record(metrics__psnr=psnr, **game(8)))
    assert found is not None
    assert (found.better, found.best, found.best_step) == ("higher", 26.4, 6)


def test_values_that_cannot_be_are_told_and_not_used() -> None:
    found = detect(fid([300, -3e68, 8.2e51, 1e57, 40, 30]))
    assert [f.code for f in found.findings if f.severity != "note"] == ["QLT002"]
    assert found.quality is None


def test_noise_is_no_improvement() -> None:
    rng = np.random.default_rng(0)
    states = [detect(fid((50 + 5 * rng.normal(size=30)).tolist())).state for _ in range(100)]
    assert states.count("unknown") >= 95


# --- one loss -------------------------------------------------------------------------------------


def falling(rows: int = 200) -> Floats:
    rng = np.random.default_rng(0)
    return 1 + 3 * np.exp(-np.arange(rows) / 30) + 0.02 * rng.normal(size=rows)


def test_a_loss_that_falls_speaks_for_health() -> None:
    assert detect(record("diffusion", model__loss=falling())).state == "healthy"
    rising = record("diffusion", model__loss=falling(), validation__loss=falling()[::-1])
    assert detect(rising).state != "healthy"


def test_a_loss_that_does_not_fall_is_on_a_plateau() -> None:
    flat = 1 + 0.1 * np.random.default_rng(0).normal(size=200)
    found = detect(record("diffusion", model__loss=flat))
    assert found.state == "unknown"
    assert "PRG002" in {f.code for f in found.findings}


def test_still_improving_is_a_note() -> None:
    assert "PRG001" in codes(record("diffusion", model__loss=np.linspace(5, 1, 200)))


def test_overfitting_names_the_best_step() -> None:
    t = np.arange(100)
    held = 1 + np.exp(-t / 10) + np.maximum(0, t - 40) * 0.02
    found = detect(record("vae", model__loss=3 * np.exp(-t / 40), validation__loss=held,
                          model__kl=np.full(100, 9.0)))  # fmt: skip
    assert found.state == "suspect"
    assert found.findings[0].code == "OVF001"
    assert abs((found.findings[0].first_step or 0) - 40) <= 2


def test_latents() -> None:
    kl = 20 * np.exp(-np.arange(100) / 5.0)
    assert detect(record("vae", model__loss=falling(100), model__kl=kl)).state == "failed"
    used = record("vae", model__loss=falling(100), model__kl=np.full(100, 12.0))
    assert detect(used).state == "healthy"


def test_a_rate_that_has_decayed_to_nothing() -> None:
    rate = {"lr": Column.at_every_step(0.1 * 0.5 ** np.arange(100.0))}
    found = TrainingRecord(Series.from_start({"model/loss": falling(100)}), "vae", rates=rate)
    assert "LRN001" in {f.code for f in detect(found).findings}


# --- the record -----------------------------------------------------------------------------------


def test_gaps_and_clocks() -> None:
    steps = np.array([*range(20), *range(500, 520)])
    column = Column(steps, np.ones(40), np.full(40, math.nan))
    clock = (np.arange(40.0), np.r_[np.arange(20.0), np.arange(20.0) - 5_000])
    found = detect(TrainingRecord(Series({"model/loss": column}), clock=clock))
    assert {"LGG001", "LGG002"} <= {f.code for f in found.findings}


def test_outputs_on_the_wrong_side() -> None:
    series: Mapping[str, Floats] = {
        "discriminator__real": np.full(40, 0.1),
        "discriminator__fake": np.full(40, 0.9),
        **game(40),
    }
    assert "LGG003" in codes(record(**series))


def test_every_finding_has_a_page_and_finite_evidence() -> None:
    for made in (won(), game()):
        for finding in detect(record(objective="ns", **made)).findings:
            assert finding.page.remedy
            for value in finding.evidence.values():
                assert not isinstance(value, float) or math.isfinite(value)
