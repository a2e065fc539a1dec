"""Data that a script loads from the disk go with the run, and are there where nothing else is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcc.runs import Run
from dlcc.runs.kept_data import load
from dlcc.runs.layout import TRAINING_DATA
from dlcc.runs.tensors import write_tensors
from dlcc.sandbox import Session, best_level
from tests.conftest import ROOT

SCRIPT = """
import sys
import numpy as np
import torch
import dlcc

def load():
    return np.load("/NOWHERE/rows.npz")["rows"]

def build(config):
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    def step(x):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"model/loss": loss}
    return dlcc.Training.from_step({"model": model}, step, data=load, batch=8)

if __name__ == "__main__":
    with dlcc.Recorder("run", build=build, length=6) as rec:
        rec.train(snapshots=1)
"""


def test_a_run_is_built_again_without_the_disk(tmp_path: Path) -> None:
    rows = np.arange(90, dtype=np.float32).reshape(30, 3) / 90
    np.savez(tmp_path / "rows.npz", rows=rows)
    (tmp_path / "train.py").write_text(SCRIPT.replace("/NOWHERE", str(tmp_path)))
    subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True
    )
    run = Run.open(tmp_path / "run")
    reference = run.reference()
    assert reference is not None
    assert np.array_equal(reference, rows)
    losses = run.series()["model/loss"].values
    files = run.source_files()
    assert sorted(files) == ["source/train.py", f"source/{TRAINING_DATA}"]
    (tmp_path / "rows.npz").unlink()
    with Session(files, best_level(trust=True)) as session:
        session.build("source/train.py:build", run.manifest.config)
        stepped = session.step(0, 6, ["model/loss"])
    assert np.array_equal(stepped.values[:, 0], losses)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.arange(6.0).reshape(3, 2),
        lambda: np.arange(6.0).reshape(3, 2),
        lambda: (torch.zeros(3, 2), np.ones(3)),
        lambda: {"x": torch.zeros(3, 2), "labels": torch.ones(3)},
    ],
)
def test_what_is_kept_comes_back(make: Callable[[], Any], tmp_path: Path) -> None:
    data, kept = load(make)
    assert kept is not None
    write_tensors(tmp_path / TRAINING_DATA, kept)
    shutil.copy(__file__, tmp_path / "copy_of_test.py")
    code = make.__code__.replace(co_filename=str(tmp_path / "copy_of_test.py"))
    again, nothing = load(type(make)(code, globals()))
    assert nothing is None

    def parts(value: Any) -> dict[Any, Any]:
        if isinstance(value, dict):
            return value
        return dict(enumerate(value if isinstance(value, tuple) else (value,)))

    assert parts(again).keys() == parts(data).keys()
    for key, part in parts(data).items():
        assert torch.equal(parts(again)[key], torch.as_tensor(part))


def test_what_is_no_array_is_not_kept() -> None:
    assert load(lambda: [{"x": torch.zeros(3)}])[1] is None
    assert load(lambda: torch.zeros(1).expand(1 << 28))[1] is None
