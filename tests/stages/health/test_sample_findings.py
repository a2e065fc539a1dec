"""Networks that train alone: what is said of their samples, and why they shrank."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import dlcc
from dlcc.evaluation import evaluate
from dlcc.health.curves import Curves
from dlcc.health.windows import window_features
from dlcc.kinds.map import MAP
from dlcc.records import Config, Forecast, HealthRecord, Neighbourhood, Samples, Series
from dlcc.runs import Run
from dlcc.stage import Case, Context, Deadline, NotApplicable, StageResult
from dlcc.stages.health import Health
from dlcc.stages.health.sample_findings import loss_of_a_point
from dlcc.stages.impact import Impact
from dlcc.stages.novelty import Novelty

STEPS = 400
MMD = {"kind": "map", "loss": "mmd", "kernel_width": 6.0}
Sampler = Callable[[float, np.random.Generator], NDArray[np.float64]]
"""Samples [n, 2] when this share of the training is done."""
SAMPLERS: dict[str, Sampler] = {
    "sound": lambda done, rng: rng.normal(size=(400, 2)),
    "shrinking": lambda done, rng: (1 - min(1, 2 * done)) * rng.normal(size=(400, 2)) + 0.1,
    "blurred": lambda done, rng: 4 * rng.normal(size=(400, 2)),
    "lost": lambda done, rng: np.full((400, 2), np.nan),
}


def recorded(
    folder: Path,
    sampler: str,
    objective: Mapping[str, Any] | None = None,
    player: str = "generator",
    config: Mapping[str, Any] | None = None,
    **series: Callable[[float], float],
) -> Path:
    """A run of one player on a normal target; `series` are functions of the share that is done."""
    rng = np.random.default_rng(0)
    with dlcc.Recorder(
        folder,
        players={player: torch.nn.Linear(2, 2)},
        objective=dict(objective or MMD),
        config=dict(config or {}),
        length=STEPS,
        reference=torch.from_numpy(rng.normal(size=(1000, 2))),
    ) as rec:
        for step in range(STEPS):
            if step % 10 == 0:
                rec.samples(step, torch.from_numpy(SAMPLERS[sampler](step / STEPS, rng)))
            row = {"loss": 0.5, **{name: of(step / STEPS) for name, of in series.items()}}
            rec.log(step, {f"{player}/{name}": value for name, value in row.items()})
    return folder


def health_result(folder: Path, *, samples: bool = True) -> StageResult:
    """What the health stage gives for a run folder."""
    run = Run.open(folder)
    kinds = [Config, Series, Samples] if samples else [Config, Series]
    case = Case(Health(), {kind: kind.of(run, STEPS) for kind in kinds}, STEPS, STEPS)
    return Health()(case, Context(np.random.default_rng(0), Deadline(60), folder))


def health_record(result: StageResult) -> HealthRecord:
    """The one record of a result."""
    (record,) = result.records
    assert isinstance(record, HealthRecord)
    return record


@pytest.mark.parametrize("player", ["generator", "autoencoder", "flow"])
def test_sound_samples_are_healthy_whoever_makes_them(tmp_path: Path, player: str) -> None:
    result = health_result(recorded(tmp_path / "run", "sound", player=player))
    assert health_record(result).probabilities["healthy"] > 0.9
    assert not result.findings


def test_samples_that_shrink_have_collapsed_and_it_is_said_why(tmp_path: Path) -> None:
    folder = recorded(
        tmp_path / "run",
        "shrinking",
        loss=lambda done: 2.0 if done < 0.1 else 0.12,
        mmd=lambda done: 0.10,
        penalty=lambda done: 1.8 if done < 0.1 else 0.02,
    )
    result = health_result(folder)
    assert health_record(result).probabilities["collapsed"] > 0.9
    (finding,) = result.findings
    assert finding.code == "GEN001"
    assert finding.first_step == pytest.approx(STEPS / 2, abs=30)
    of_point, median = loss_of_a_point(np.asarray(Samples.of(Run.open(folder), None).reference), 6)
    assert finding.evidence["loss_of_a_point"] == pytest.approx(of_point, rel=1e-3)
    assert finding.evidence["median_squared_distance"] == pytest.approx(median, rel=1e-3)
    assert finding.evidence["penalty_share_first"] == pytest.approx(0.9)
    assert finding.evidence["spread"] < 2e-3
    assert "kernel of width 6" in finding.message
    assert "falls from 1.8 to 0.02" in finding.message


@pytest.mark.parametrize(
    ("objective", "mmd"),
    [({"kind": "map"}, 0.1), (MMD, 0.3), ({**MMD, "kernel_width": "wide"}, 0.1),
     ({**MMD, "kernel_width": 0}, 0.1), ({**MMD, "kernel_width": True}, 0.1),
     ({**MMD, "kernel_width": 10**400}, 0.1), ({**MMD, "kernel_width": 0.01}, 1.0)],
)  # fmt: skip
def test_no_kernel_is_blamed_that_is_not_known_to_have_done_it(
    tmp_path: Path, objective: dict[str, Any], mmd: float
) -> None:
    result = health_result(recorded(tmp_path / "run", "shrinking", objective, mmd=lambda done: mmd))
    (finding,) = result.findings
    assert finding.code == "GEN001"
    assert set(finding.evidence) == {"spread"}


@pytest.mark.parametrize(("penalty", "loss"), [(1e-6, 1.0), (0.5, -1.0)])
def test_a_penalty_that_is_nothing_beside_the_loss_is_not_blamed(
    tmp_path: Path, penalty: float, loss: float
) -> None:
    series = {
        "penalty": lambda done: penalty * (1 - done),
        "loss": lambda done: loss if done < 0.1 else 1.0,
    }
    (finding,) = health_result(recorded(tmp_path / "run", "shrinking", **series)).findings
    assert "penalty" not in finding.message


def test_two_players_of_one_network_are_both_looked_at(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "run", "sound", {"kind": "vae"}, "decoder")
    with dlcc.Recorder(folder) as rec:
        rec.log(STEPS, {"decoder/loss": 1.0, "encoder/loss": np.nan})
    run = Run.open(folder)
    series = Series.of(run, STEPS + 1)
    assert series is not None
    windows = window_features(series, STEPS + 1, MAP)
    assert np.nanmax(windows[:, -1]) > 0
    assert np.isnan(window_features(series, STEPS + 1)[:, 0]).all()  # no generator of a game


def test_a_quantity_that_was_not_measured_in_a_row_is_no_divergence(tmp_path: Path) -> None:
    unmeasured = {"held_out": lambda done: np.nan if done == 0.5 else 1.0}
    result = health_result(recorded(tmp_path / "run", "sound", **unmeasured))
    assert health_record(result).label == "healthy"


@pytest.mark.parametrize(("kl", "blamed"), [(0.001, True), (3.0, False)])
def test_empty_latents_are_named(tmp_path: Path, kl: float, blamed: bool) -> None:
    kind = {"kind": "autoencoder", "loss": "elbo"}
    folder = recorded(tmp_path / "run", "shrinking", kind, "autoencoder", kl=lambda done: kl)
    (finding,) = health_result(folder).findings
    assert ("posterior collapse" in finding.message) is blamed


@pytest.mark.parametrize(("sampler", "code"), [("blurred", "GEN002"), ("lost", "GEN003")])
def test_other_ends(tmp_path: Path, sampler: str, code: str) -> None:
    result = health_result(recorded(tmp_path / "run", sampler))
    assert [finding.code for finding in result.findings] == [code]
    assert health_record(result).probabilities["healthy"] < 0.1


def test_without_samples_it_is_not_judged(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "run", "sound")
    with pytest.raises(NotApplicable, match="'map' is judged by its samples"):
        health_result(folder, samples=False)


@pytest.mark.parametrize(("sampler", "ends"), [("sound", "healthy"), ("shrinking", "collapsed")])
def test_it_is_held_against_its_own_kind(tmp_path: Path, sampler: str, ends: str) -> None:
    folder = recorded(tmp_path / "run", sampler)
    run = Run.open(folder)
    parts = {kind: kind.of(run, STEPS) for kind in (Config, Series)}
    parts[HealthRecord] = health_record(health_result(folder))
    ctx = Context(np.random.default_rng(0), Deadline(60), folder)
    novelty, impact = (
        stage(Case(stage, parts, STEPS, STEPS), ctx) for stage in (Novelty(), Impact())
    )
    (near,), (forecast,) = novelty.records, impact.records
    assert isinstance(near, Neighbourhood)
    assert {past.data for past in near.nearest} <= {"square", "gaussian", "cube", "cube_surface"}
    assert isinstance(forecast, Forecast)
    assert max(forecast.probabilities, key=forecast.probabilities.__getitem__) == ends
    assert (impact.terms["impact"].mean > 0.6) == (ends == "healthy")


def test_settings_of_gans_are_no_advice_for_it(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "run", "shrinking", config={"beta1": 0.9})
    report = evaluate(folder, only=["health"]).report
    assert report.verdict.label == "collapsed"
    assert report.advice is None


def test_the_loss_of_a_point_beside_a_gaussian() -> None:
    """E k(y, y') = (1 + 4/r)^(−d/2) and E k(0, y) = (1 + 2/r)^(−d/2) of standard normal y."""
    rows, r = np.random.default_rng(0).normal(size=(2000, 2)), 3.0
    found, median = loss_of_a_point(rows, r)
    assert found == pytest.approx(1 + 1 / (1 + 4 / r) - 2 / (1 + 2 / r), abs=0.01)
    assert median == pytest.approx(4 * np.log(2), rel=0.05)  # of ‖y − y'‖², 2·χ² of 2 degrees


def test_games_are_not_judged_by_shrinking() -> None:
    samples = np.zeros((8, 8))
    samples[:, 6] = -20.0
    windows = np.zeros((40, 11))
    assert Curves(windows, samples, MAP).shrunk.all()
    assert not Curves(windows, samples).shrunk.any()
