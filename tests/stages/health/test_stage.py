"""The stage on recorded runs, whole and spoiled. The truth is read in here only."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dlcc.recipes import truth
from dlcc.records import Column, Config, HealthRecord, Samples, Series
from dlcc.runs import Run
from dlcc.scoring.calibration import p_healthy
from dlcc.stage import Case, Context, Deadline, NotApplicable, StageResult
from dlcc.stages.health import Health
from tests.conftest import example

EXAMPLES = {
    "digits-healthy": "healthy",
    "ring-oscillating": "oscillating",
    "digits-collapsed": "collapsed",
}


def run_health(run: Path, *, series_only: bool = False, **changed: object) -> StageResult:
    """The stage on a run folder, with parts of it changed (`config`, `series`)."""
    opened = Run.open(run)
    kinds = [Config, Series] if series_only else [Config, Series, Samples]
    parts = {kind: kind.of(opened, opened.length) for kind in kinds}
    for part in changed.values():
        parts[type(part)] = part
    ctx = Context(np.random.default_rng(0), Deadline(60), run)
    return Health()(Case(Health(), parts, opened.length, opened.length), ctx)


@cache
def example_result(name: str) -> StageResult:
    """What the stage gives for an example run."""
    return run_health(example(name))


def health_record(result: StageResult) -> HealthRecord:
    """The one record of a result."""
    (only,) = result.records
    return only


def codes(result: StageResult) -> set[str]:
    return {finding.code for finding in result.findings}


def with_series(run: Path, change) -> Series:
    """The series of a run with `change(name, values)` in place of every quantity; None drops it."""
    opened = Run.open(run)
    columns = {}
    for name, column in Series.of(opened, opened.length).columns.items():
        values = change(name, column.values.copy())
        if values is not None:
            columns[name] = Column(column.steps, values, column.clock)
    return Series(columns)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_judged_right(name):
    found, true = health_record(example_result(name)), truth.read(example(name))
    assert found.label == true.label == EXAMPLES[name]
    assert sum(found.probabilities.values()) == pytest.approx(1)
    low, high = found.stability.interval(0.95)
    assert low - 0.1 <= true.stability <= high + 0.1


def test_the_collapse_begins_within_the_interval_that_is_given():
    found, true = (
        health_record(example_result("digits-collapsed")),
        truth.read(example("digits-collapsed")),
    )
    low, high = found.onset_interval
    assert low <= true.onset <= high
    assert abs(found.onset - true.onset) < 0.2 * true.length
    (collapse,) = [f for f in example_result("digits-collapsed").findings if f.code == "GAN003"]
    assert (collapse.first_step, collapse.last_step) == (found.onset, true.length)


def test_a_healthy_run_has_no_onset_and_no_findings():
    assert health_record(example_result("digits-healthy")).onset is None
    assert codes(example_result("digits-healthy")) == set()


def test_examples_are_in_order():
    """P(healthy): healthy above the others; expected stability: one above the next."""
    records = [health_record(example_result(name)) for name in EXAMPLES]
    healthy, oscillating, collapsed = (p_healthy(r.features) for r in records)
    assert np.mean(healthy > np.maximum(oscillating, collapsed)) >= 0.95
    stability = [r.stability for r in records]
    assert [s.mean for s in stability] == sorted((s.mean for s in stability), reverse=True)
    first, second, third = (s.sample(n) for s, n in zip(stability, EXAMPLES, strict=True))
    assert np.mean(first > second) >= 0.95
    assert np.mean(second > third) >= 0.9


def test_what_it_feeds_is_left_to_others():
    result = example_result("digits-healthy")
    assert result.terms == {}
    assert health_record(result).seen == 1
    assert health_record(result).figures.shape == (40, 8)


def test_without_samples_it_says_so_and_is_less_sure(small_run):
    result = run_health(example("digits-healthy"), series_only=True)
    assert "GAN009" in codes(result)
    assert np.isnan(health_record(result).coverage).all()
    assert max(health_record(result).probabilities.values()) < max(
        health_record(example_result("digits-healthy")).probabilities.values()
    )


def test_samples_without_a_reference_are_no_samples(small_run, few_past_runs):
    (small_run / "samples" / "reference.safetensors").unlink()
    with pytest.raises(NotApplicable, match=r"names no training data.* the length is 200 steps"):
        run_health(small_run)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("series_only", [False, True])
def test_losses_that_are_not_finite_have_diverged(small_run, value, series_only):
    def spoil(name, values):
        values[150:] = value
        return values

    result = run_health(small_run, series_only=series_only, series=with_series(small_run, spoil))
    assert health_record(result).label == "diverged"
    assert "GAN001" in codes(result)
    assert np.isfinite(list(health_record(result).features.values())).all()


def test_samples_that_are_not_finite_have_diverged(small_run, monkeypatch, own_cache):
    at = Samples.at
    monkeypatch.setattr(Samples, "at", lambda self, step: at(self, step) * np.nan)
    assert health_record(run_health(small_run)).label == "diverged"


@pytest.mark.parametrize("kept", ["generator/loss", "discriminator/real", "generator/grad_norm"])
def test_one_quantity_is_enough_for_a_verdict_by_samples(small_run, few_past_runs, kept):
    series = with_series(small_run, lambda name, values: values if name == kept else None)
    found = health_record(run_health(small_run, series=series))
    assert sum(found.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("lost", ["discriminator/real", "generator/grad_norm"])
def test_without_samples_a_quantity_that_is_absent_is_not_taken_for_zero(lost):
    run = example("digits-collapsed")
    series = with_series(run, lambda name, values: None if name == lost else values)
    found = health_record(run_health(run, series_only=True, series=series))
    part = {"discriminator/real": "margin", "generator/grad_norm": "generator_grad"}[lost]
    assert not [name for name in found.features if name.startswith(part)]
    assert "generator_loss_last" in found.features
    assert np.isfinite(found.good).all()


def test_without_samples_both_losses_are_needed():
    run = example("digits-collapsed")
    series = with_series(run, lambda name, v: None if name == "generator/loss" else v)
    with pytest.raises(NotApplicable, match="both losses are needed"):
        run_health(run, series_only=True, series=series)


def test_trainings_of_another_kind_are_refused(small_run):
    config = Config.of(Run.open(small_run), None)
    values = vars(config)
    other = Config(**values | {"objective": {"kind": "diffusion"}, "players": {"encoder": {}}})
    with pytest.raises(
        NotApplicable,
        match="declares kind 'diffusion' with players encoder; kinds",
    ):
        run_health(small_run, config=other)


def test_a_few_rows_are_too_few(small_run):
    opened = Run.open(small_run)
    few = Series.of(opened, 19)
    with pytest.raises(NotApplicable, match="19 rows are too few"):
        run_health(small_run, series=few)


def test_the_truth_is_not_looked_at(small_run, tmp_path):
    before = health_record(run_health(small_run))
    (small_run / "truth.json").write_text("{}")
    shutil.rmtree(small_run / "documents")
    after = health_record(run_health(small_run))
    assert (after.label, after.features) == (before.label, before.features)


def test_a_record_that_is_still_has_no_verdict(small_run):
    still = with_series(small_run, lambda name, values: np.full(len(values), 1.2))
    with pytest.raises(NotApplicable, match="changes anywhere in the record"):
        run_health(small_run, series_only=True, series=still)


@pytest.mark.parametrize("name", ["00000080.safetensors", "reference.safetensors"])
def test_a_damaged_file_of_samples_is_left_out_and_named(name: str, tmp_path: Path) -> None:
    shutil.copytree(example("digits-collapsed"), tmp_path / "run")
    file = tmp_path / "run" / "samples" / name
    file.write_bytes(file.read_bytes()[:-5])
    result = run_health(tmp_path / "run")
    (found,) = (f for f in result.findings if f.code == "REC008")
    assert found.place == f"samples/{name}"
    assert "differs from what was recorded" in found.message
    assert result.details["left_out"] == [f"samples/{name}"]
    whole = example_result("digits-collapsed")
    if name == "reference.safetensors":
        assert result.details["judged_by"] == "series alone"
    else:
        assert health_record(result).label == health_record(whole).label
        assert len(health_record(result).checkpoints) == len(health_record(whole).checkpoints) - 1
    assert "left_out" not in whole.details


@pytest.mark.parametrize(("rows", "first"), [(6, 3), (2, 1), (19, 0)])
def test_losses_that_are_not_finite_are_told_of_a_short_record_too(
    rows: int, first: int, tmp_path: Path
) -> None:
    lines = (f"{i},1.{i},{'nan' if i >= first else 0.5}\n" for i in range(rows))
    (tmp_path / "metrics.csv").write_text("step,d_loss,g_loss\n" + "".join(lines))
    result = run_health(tmp_path, series_only=True)
    assert health_record(result).label == "diverged"
    assert health_record(result).onset == first
    assert "GAN001" in codes(result)


def test_a_short_record_whose_other_losses_are_lost_says_nothing(tmp_path: Path) -> None:
    lines = (f"{i},1.{i},0.5,nan\n" for i in range(6))
    (tmp_path / "metrics.csv").write_text("step,d_loss,g_loss,test/loss\n" + "".join(lines))
    with pytest.raises(NotApplicable, match="6 rows are too few"):
        run_health(tmp_path, series_only=True)
