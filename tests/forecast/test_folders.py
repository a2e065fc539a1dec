"""Forecasts of run folders, and that they look at nothing behind `until`."""

import json
import shutil

import numpy as np
import pytest

from dlcc.errors import LibraryError, RunError
from dlcc.forecast.folders import forecast_folders
from dlcc.kinds.map import MAP
from dlcc.past_runs.build import doctoring
from dlcc.past_runs.in_use import forecast_runs, shipped_library
from dlcc.records import LABELS
from dlcc.runs import Run
from tests.conftest import example


@pytest.fixture(scope="module")
def past():
    """Every eighth past run that ships."""
    whole = shipped_library()
    return whole.select(np.arange(0, len(whole), 8))


def forecast(folder, until, past):
    (found,) = forecast_folders([folder], until, past=past)
    return found


def test_a_line_has_what_it_should(past):
    line = forecast(example("digits-healthy"), "0.2", past).to_json()
    assert list(line) == [
        "run", "p_healthy", "interval", "stability", "stability_interval", "kind",
        "advice", "saving", "saving_interval", "probabilities", "next_quarter",
        "next_quarter_interval", "failed", "hazard", "best_so_far", "best_is_behind", "best_ahead",
    ]  # fmt: skip
    assert json.loads(json.dumps(line)) == line
    low, high = line["interval"]
    assert 0 <= low <= line["p_healthy"] <= high <= 1
    assert line["kind"] in LABELS


def test_nothing_behind_until_is_looked_at(tmp_path, past):
    """The rest of the record is poisoned, in every file; the forecast stays what it was."""
    source = example("digits-collapsed")
    copy = tmp_path / source.name
    shutil.copytree(source, copy)
    run = Run.open(copy)
    until = run.length // 5
    before = forecast(copy, until, past)
    for step in run.sample_steps():
        if step > until:
            run.layout.samples_file(step).write_bytes(b"poison")
    for step in (until, until + 7, run.length - 1):
        doctoring.set_value(copy, "generator/loss", step, np.nan)
    for step in run.layout.snapshot_steps():
        if step > until:
            shutil.rmtree(run.layout.snapshot(step).path)
    for text in copy.glob("truth.json"):
        text.write_text("poison")
    after = forecast(copy, until, past)
    assert after.prediction == before.prediction


def test_early_and_late(past):
    early, late = (forecast(example("digits-collapsed"), u, past) for u in ("0.1", "1.0"))
    assert early.seen == pytest.approx(0.1)
    assert late.seen == 1
    assert late.prediction.p_healthy.mean < 0.3


def test_the_order_is_that_of_the_folders(past):
    names = ["ring-oscillating", "digits-healthy"]
    found = list(forecast_folders([example(n) for n in names], "0.5", past=past))
    assert [f.run.rpartition("/")[2] for f in found] == names


def test_columns_of_other_names_are_mapped(tmp_path, past):
    rng = np.random.default_rng(0)
    names = {"a": "generator/grad_norm", "b": "discriminator/grad_norm", "c": "discriminator/real"}
    rows = (f"{step},{','.join(map(str, rng.normal(size=6)))}\n" for step in range(60))
    (tmp_path / "metrics.csv").write_text("step,errD,errG,a,b,c,D(G(z))\n" + "".join(rows))
    config = {
        "total_iterations": 600, "loss": "ns", "lr": 1e-3, "optim": "adam", "width": 32, "depth": 2,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (mapped,) = forecast_folders(
        [tmp_path], mapping={name: column for column, name in names.items()}, past=past
    )
    (losses,) = forecast_folders([tmp_path], past=past)
    assert mapped.seen == losses.seen == 0.1
    assert mapped.prediction.p_healthy.mean != losses.prediction.p_healthy.mean
    (tmp_path / "config.json").write_text('{"total_iterations": 60}')
    with pytest.raises(RunError, match=r"outside of what was verified: .*the objective is not"):
        list(forecast_folders([tmp_path], past=past))


def test_before_twenty_rows_there_is_no_forecast(past):
    with pytest.raises(RunError, match=r"before step 19, 19 rows are too few.*--until") as caught:
        forecast(example("digits-healthy"), 19, past)
    assert caught.value.exit_code == 2


def test_a_network_alone_is_forecast_from_its_own_kind_too(recorded_map):
    (found,) = forecast_folders([recorded_map], "0.2")
    assert found.prediction.p_healthy.mean > 0.5
    (both,) = forecast_folders([recorded_map], "0.2", past=forecast_runs(MAP))
    assert both.prediction.p_healthy.mean == found.prediction.p_healthy.mean


def test_a_damaged_library_of_networks_alone_is_no_matter_for_a_gan(
    recorded_map, tmp_path, monkeypatch
):
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "own.npz"))
    (tmp_path / "own-single.npz").write_text("nothing")
    (found,) = forecast_folders([example("digits-healthy")], "0.2")
    assert found.seen == pytest.approx(0.2)
    with pytest.raises(LibraryError, match=r"own-single.npz: not a readable library"):
        list(forecast_folders([recorded_map], "0.2"))


def test_a_network_alone_without_samples_is_not_forecast(recorded_map, tmp_path):
    shutil.copytree(recorded_map, tmp_path / "map")
    shutil.rmtree(tmp_path / "map" / "samples")
    with pytest.raises(RunError, match="kind 'map' is judged by its samples"):
        list(forecast_folders([tmp_path / "map"]))


def test_a_training_of_an_unknown_kind_is_not_forecast(small_run):
    file = small_run / "run.json"
    file.write_text(file.read_text().replace('"kind": "gan"', '"kind": "diffusion"'))
    with pytest.raises(
        RunError,
        match=r"no forecast can be made: this run declares kind 'diffusion'.* gan \(players gen",
    ):
        list(forecast_folders([small_run]))
