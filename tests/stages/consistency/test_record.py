"""Invariants of a record: an honest one keeps them, each doctored one breaks its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from dlcc.records import Column, Config, Series, Snapshots
from dlcc.runs import Run
from dlcc.stages.consistency.invariants import check_finite, check_record, check_updates
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.losses import check_losses
from dlcc.stages.consistency.objectives import OBJECTIVES


def parts(run: Path) -> tuple[Config, Series, Snapshots]:
    opened = Run.open(run)
    series, snapshots = Series.of(opened, None), Snapshots.of(opened, None)
    assert series is not None
    assert snapshots is not None
    return Config.of(opened, None), series, snapshots


def checked(config: Config, series: Series, snapshots: Snapshots | None) -> Ledger:
    ledger = Ledger()
    check_record(ledger, config, series, snapshots)
    check_updates(ledger, series)
    check_losses(ledger, OBJECTIVES[str(config.objective["loss"])], series, snapshots)
    return ledger


def with_values(series: Series, name: str, changes: Mapping[int, float]) -> Series:
    column = series.columns[name]
    values = column.values.copy()
    for step, value in changes.items():
        values[column.steps == step] = value
    return dataclasses.replace(
        series, columns={**series.columns, name: dataclasses.replace(column, values=values)}
    )


def test_an_honest_record_keeps_every_invariant(small_run: Path) -> None:
    ledger = checked(*parts(small_run))
    assert not ledger.findings
    assert {o.verdict for o in ledger.obligations} == {"proved"}
    assert len(ledger.obligations) > 20


def test_a_loss_below_what_the_outputs_allow(small_run: Path) -> None:
    config, series, snapshots = parts(small_run)
    low = with_values(series, "discriminator/loss", {77: 0.01})
    (finding,) = checked(config, low, snapshots).findings
    assert (finding.code, finding.first_step, finding.last_step) == ("LOG001", 77, 77)


def test_a_row_that_disagrees_with_its_probe(small_run: Path) -> None:
    config, series, snapshots = parts(small_run)
    step = snapshots.handles[1].step
    value = series.columns["discriminator/loss"].values[step]
    high = with_values(series, "discriminator/loss", {step: value + 0.01})
    (finding,) = checked(config, high, snapshots).findings
    assert (finding.code, finding.first_step) == ("LOG001", step)


def test_another_declared_objective_is_contradicted_by_the_probes(small_run: Path) -> None:
    _, series, snapshots = parts(small_run)
    ledger = Ledger()
    check_losses(ledger, OBJECTIVES["mm"], series, snapshots)
    assert {f.code for f in ledger.findings} == {"LOG001"}
    assert {f.player for f in ledger.findings} == {"generator"}


def test_weights_that_move_without_a_step(small_run: Path) -> None:
    config, series, _ = parts(small_run)
    counts = series.columns["generator/updates"].values.copy()
    first, last = series.columns["generator/update_norm"].steps[2:4]
    counts[first + 1 : last + 1] = counts[first]  # no step is counted, yet the weights moved
    counts[last + 1 :] -= last - first
    column = dataclasses.replace(series.columns["generator/updates"], values=counts)
    doctored = dataclasses.replace(series, columns={**series.columns, "generator/updates": column})
    codes = {(f.code, f.first_step) for f in checked(config, doctored, None).findings}
    assert codes == {("LOG002", last), ("LOG003", first + 1)}


def test_weights_that_move_without_any_optimiser_accuse_nobody(small_run: Path) -> None:
    _, series, _ = parts(small_run)
    steps = series.columns["generator/updates"].steps
    half = {int(step): 0.0 for step in steps[: len(steps) // 2]}
    for changes, by_hand, verdict in (
        (dict.fromkeys(map(int, steps), 0.0), (), "unknown"),
        (half, (), "refuted"),
        (half, ("generator",), "unknown"),
    ):
        ledger = Ledger()
        check_updates(ledger, with_values(series, "generator/updates", changes), by_hand)
        verdicts = {o.id: o.verdict for o in ledger.obligations}
        assert verdicts["record/updates/generator"] == verdict
        assert verdicts["record/updates/discriminator"] == "proved"


def test_a_cadence_that_is_changed_on_the_way_is_held_against_the_control(small_run: Path) -> None:
    """From step 101 on the discriminator rests in every odd step, as `control/d_every` says."""
    config, series, _ = parts(small_run)
    name = "discriminator/updates"
    steps = series.columns[name].steps
    rests = (steps > 100) & (steps % 2 == 1)
    rested = with_values(series, name, dict(enumerate(np.cumsum(~rests))))
    (finding,) = checked(config, rested, None).findings
    assert (finding.code, finding.first_step) == ("LOG003", 101)
    for begun, allowed in ((100, True), (90, False)):
        said = Column(np.array([0, begun]), np.array([1.0, 2.0]), np.zeros(2))
        told = dataclasses.replace(rested, columns={**rested.columns, "control/d_every": said})
        assert (not checked(config, told, None).findings) == allowed


def test_a_clock_that_runs_backwards(small_run: Path) -> None:
    config, series, _ = parts(small_run)
    name = "generator/loss"
    clock = series.columns[name].clock.copy()
    clock[50] -= 100
    column = dataclasses.replace(series.columns[name], clock=clock)
    doctored = dataclasses.replace(series, columns={**series.columns, name: column})
    (finding,) = checked(config, doctored, None).findings
    assert (finding.code, finding.first_step) == ("LOG003", 50)


def test_snapshots_farther_apart_than_the_updates_between(small_run: Path) -> None:
    config, series, snapshots = parts(small_run)
    norms = series.columns["generator/update_norm"]
    smaller = dataclasses.replace(norms, values=norms.values / 50)
    doctored = dataclasses.replace(
        series, columns={**series.columns, "generator/update_norm": smaller}
    )
    found = checked(config, doctored, snapshots).findings
    assert {f.code for f in found} == {"LOG006"}
    assert all(f.place and f.place.startswith("snapshots/") for f in found)


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_jensens_bound_holds_for_any_outputs(loss: str) -> None:
    objective = OBJECTIVES[loss]
    rng = np.random.default_rng(0)
    for _ in range(50):
        real, fake = rng.normal(0, 3, (2, 32))
        exact = objective.discriminator(real, fake).mean()
        if objective.probability:
            means = [np.mean(1 / (1 + np.exp(-outputs))) for outputs in (real, fake)]
        else:
            means = [real.mean(), fake.mean()]
        bound = objective.bound(np.array([means[0]]), np.array([means[1]]))[0]
        assert bound <= exact + 1e-9
        if objective.exact_bound:
            assert bound == pytest.approx(exact)


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_objectives_are_the_losses_of_the_recipes(loss: str) -> None:
    import torch

    from dlcc.recipes.small_gan.training import LOSSES

    rng = np.random.default_rng(1)
    real, fake = rng.normal(0, 3, (2, 64))
    d, g = LOSSES[loss]
    mine = OBJECTIVES[loss]
    assert float(d(torch.tensor(real), torch.tensor(fake))) == pytest.approx(
        mine.discriminator(real, fake).mean()
    )
    assert float(g(torch.tensor(fake))) == pytest.approx(mine.generator(fake).mean())


def test_finite_losses_after_lost_weights(small_run: Path) -> None:
    config, series, _ = parts(small_run)
    ledger = Ledger()
    check_finite(ledger, series, {100: {"generator": np.array([1.0, np.nan])}})
    assert [f.code for f in ledger.findings] == ["LOG007"]
    steps = np.arange(3, dtype=np.int64)
    lost = Column(steps, np.full(3, np.nan), np.zeros(3))
    ledger = Ledger()
    check_finite(ledger, Series({"generator/loss": lost}), {0: {"generator": np.array([np.nan])}})
    assert not ledger.findings
    assert config.length == 200


def test_saturated_probabilities_stand_for_what_float32_rounds_to_them(small_run: Path) -> None:
    """D's mean output of 1.0 is anything within rounding: the loss beside it is finite."""
    config, series, snapshots = parts(small_run)
    changed = with_values(series, "discriminator/fake", {5: 1.0})
    changed = with_values(changed, "discriminator/loss", {5: 133.8})
    assert not checked(config, changed, snapshots).findings
    lied = with_values(changed, "discriminator/loss", {5: 1.0})
    assert [f.code for f in checked(config, lied, snapshots).findings] == ["LOG001"]


def test_a_large_penalty_leaves_its_rounding_behind(small_run: Path) -> None:
    _, series, _ = parts(small_run)
    loss, real, fake = (series.columns[f"discriminator/{n}"] for n in ("loss", "real", "fake"))
    wide = fake.values - real.values
    columns = dict(series.columns) | {
        "discriminator/loss": dataclasses.replace(loss, values=wide + 1e6 + 0.5),
        "discriminator/penalty": dataclasses.replace(loss, values=np.full(len(wide), 1e6)),
    }
    ledger = Ledger()
    check_losses(ledger, OBJECTIVES["wgangp"], dataclasses.replace(series, columns=columns), None)
    assert not ledger.findings


def test_an_adaptive_step_may_be_lost_in_rounding(small_run: Path) -> None:
    """After a huge gradient RMSprop divides by it: a small one then moves nothing."""
    config, series, _ = parts(small_run)
    step = int(series.columns["generator/update_norm"].steps[1])
    quiet = with_values(series, "generator/grad_norm", {step - 1: 1e5, step: 1e-2})
    quiet = with_values(quiet, "generator/update_norm", {1: 0.0})
    assert not [f for f in checked(config, quiet, None).findings if f.code == "LOG002"]


def test_a_folder_without_a_clock_has_no_obligation_about_it(small_run: Path) -> None:
    config, series, _ = parts(small_run)
    nowhere = {
        name: Column(c.steps, c.values, np.full(len(c.steps), np.nan))
        for name, c in series.columns.items()
    }
    ledger = checked(config, dataclasses.replace(series, columns=nowhere), None)
    assert "record/clock" not in {o.id for o in ledger.obligations}
