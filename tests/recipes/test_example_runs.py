"""The recorded runs that the package ships are trainings of its recipes, and end as they say."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dlcc.recipes import get_recipe, truth
from dlcc.recipes.train import judge_run
from dlcc.runs import Run

RUNS = Path(__file__).parents[2] / "runs"
LABELS = {
    "digits-healthy": "healthy",
    "digits-collapsed": "collapsed",
    "ring-oscillating": "oscillating",
}


@pytest.fixture(params=LABELS)
def run(request):
    """Each of the example runs."""
    return Run.open(RUNS / request.param)


def test_the_truth_follows_from_the_samples(run):
    written = truth.read(run.path)
    judged = judge_run(run, run.manifest.data["name"])
    assert written.label == judged.label == LABELS[run.name]
    assert (written.onset, written.good) == (judged.onset, judged.good)
    assert written.length == run.length


def test_the_collapse_comes_midway_after_a_good_beginning():
    judged = truth.read(RUNS / "digits-collapsed")
    assert 0.35 <= judged.onset / judged.length <= 0.65
    before = [c.step < judged.onset for c in judged.checkpoints]
    assert np.mean([good for good, early in zip(judged.good, before, strict=True) if early]) > 0.5


def test_the_configuration_is_one_of_the_recipe(run):
    config = dict(run.manifest.config)
    assert get_recipe(config.pop("data")).configure(config) == run.manifest.config


def test_the_records_replay_from_a_snapshot(run):
    """From the code that came with the run; to the precision that other machines share."""
    spec = importlib.util.spec_from_file_location("recorded", run.path / "source" / "train.py")
    recorded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recorded)
    snapshots = run.snapshots()
    snapshot = snapshots[len(snapshots) // 2]
    training = recorded.build(run.manifest.config)
    training.load_state_dict(snapshot.state())
    columns = run.series().columns
    for step in range(snapshot.step, snapshot.step + 3):
        row = training.step(step)
        assert {name: columns[name].values[step] for name in row} == pytest.approx(row, rel=1e-3)


def test_together_they_stay_small():
    size = sum(path.stat().st_size for name in LABELS for path in (RUNS / name).rglob("*"))
    assert size < 7_500_000
