"""Features that a run names: they judge where they work, and lose nothing where they do not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import OptionError
from dlcc.records import Config, HealthRecord, Samples, Series, Sources
from dlcc.runs import Recorder, Run
from dlcc.stage import Case, Context, Deadline, StageResult
from dlcc.stages.health import Health
from tests.conftest import example

CODE = """
import os
import numpy as np

def moments(rows):
    flat = rows.reshape(len(rows), -1)
    return np.stack([flat.mean(1), flat.std(1), np.abs(np.diff(flat)).mean(1)], axis=1)

def not_finite(rows):
    return np.full((len(rows), 2), np.nan)

def too_few(rows):
    return rows.reshape(len(rows), -1)[:-1]

def ends(rows):
    os._exit(3)

def endless(rows):
    while True:
        pass

def late(rows):
    if rows.max() > 90:
        raise ValueError("such rows I do not know")
    return moments(rows)

def reads(rows):
    open(%r)
"""


def recorded(folder: Path, function: str, last: float = 0.0) -> Path:
    """A copy of the start of a run that names a feature function; `last` is added to its last
    samples."""
    code = folder / "mine.py"
    secret = folder / "secret"
    secret.write_text("secret")
    code.write_text(CODE % str(secret))
    source = Run.open(example("digits-collapsed"))
    names = ("generator/loss", "discriminator/loss")
    series = {name: source.series()[name].values for name in names}
    steps = source.sample_steps()[:5]
    with Recorder(
        folder / "run",
        objective={"kind": "gan", "loss": "mm"},
        data={"name": "digits"},
        length=source.length,
        reference=source.reference(),
        features=f"{code}:{function}",
    ) as recorder:
        for step in range(steps[-1]):
            recorder.log(step, {name: float(values[step]) for name, values in series.items()})
        for step in steps:
            moved = last if step == steps[-1] else 0.0
            recorder.samples(step, np.asarray(source.samples(step)) + np.float32(moved))
    return folder / "run"


def judged(folder: Path, seconds: float = 60) -> StageResult:
    """What the stage gives for a run."""
    run = Run.open(folder)
    parts = {kind: kind.of(run, None) for kind in (Config, Series, Samples, Sources)}
    context = Context(np.random.default_rng(0), Deadline(seconds), folder)
    return Health()(Case(Health(), parts, run.length, run.length), context)


def space(result: StageResult) -> str:
    (record,) = result.records
    assert isinstance(record, HealthRecord)
    return record.space


def refusals(result: StageResult) -> list[str]:
    return [found.message for found in result.findings if found.code == "REC009"]


def test_samples_are_compared_in_the_features_that_a_run_names(tmp_path: Path) -> None:
    run = recorded(tmp_path, "moments")
    result = judged(run)
    assert space(result) == "source/mine.py:moments, which came with the run"
    assert not refusals(result)
    description = json.loads((run / "run.json").read_text())
    assert description["data"]["features"] == "source/mine.py:moments"
    assert (run / "source" / "mine.py").read_bytes() == (tmp_path / "mine.py").read_bytes()
    # The same function, called here, gives the very figures.
    own = Health(features=f"{tmp_path / 'mine.py'}:moments")
    opened = Run.open(run)
    parts = {kind: kind.of(opened, None) for kind in (Config, Series, Samples)}
    context = Context(np.random.default_rng(0), Deadline(60), run)
    (mine,) = own(Case(own, parts, opened.length, opened.length), context).records
    (theirs,) = result.records
    assert isinstance(mine, HealthRecord)
    assert isinstance(theirs, HealthRecord)
    assert np.array_equal(mine.figures, theirs.figures)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("not_finite", "not finite"),
        ("ends", "status 3"),
        ("reads", "No such file|not permitted|denied|not shown"),
    ],
)
def test_features_that_fail_are_named_and_the_run_is_judged(
    tmp_path: Path, function: str, says: str
) -> None:
    result = judged(recorded(tmp_path, function))
    (message,) = refusals(result)
    assert re.search(says, message)
    assert space(result) == "rows as given"


def test_features_that_fail_late_lose_nothing(tmp_path: Path) -> None:
    result = judged(recorded(tmp_path, "late", last=100.0))
    assert "such rows I do not know" in refusals(result)[0]
    assert space(result) == "rows as given"


def test_features_that_never_end_leave_time_to_judge(tmp_path: Path) -> None:
    result = judged(recorded(tmp_path, "endless"), seconds=10)
    assert len(refusals(result)) == 1
    assert space(result) == "rows as given"


@pytest.mark.parametrize("entry", ["source/../../x.py:f", 5, "source/n.py:f"])
def test_a_run_may_name_anything(tmp_path: Path, entry: object) -> None:
    run = recorded(tmp_path, "moments")
    description = json.loads((run / "run.json").read_text())
    description["data"]["features"] = entry
    (run / "run.json").write_text(json.dumps(description))
    (run / "digests.txt").unlink()
    result = judged(run)
    assert len(refusals(result)) == 1
    assert space(result) == "rows as given"


@pytest.mark.parametrize("features", ["mine.py", "nosuch.py:f", "mine.py:not a name", ":f", ""])
def test_a_recorder_refuses_what_names_no_function(tmp_path: Path, features: str) -> None:
    (tmp_path / "mine.py").write_text("")
    with pytest.raises(OptionError, match="features"):
        Recorder(tmp_path / "run", features=features)
    assert not (tmp_path / "run").exists()
