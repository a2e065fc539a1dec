"""A recorder that builds the training itself holds all that it takes to run it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from dlcc.errors import OptionError
from dlcc.recipes.small_gan.training import build
from dlcc.runs import Recorder, Run
from dlcc.runs.build_source import source_of
from tests.conftest import ROOT

SCRIPT = """
import torch
from parts import layer
from tools.losses import squared

import dlcc

def build(config):
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
    def step(x):
        loss = squared(model(x) - 2 * x + 0.1 * torch.randn(len(x), 1))
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        return {"model/loss": loss}
    data = torch.linspace(-1, 1, 200)[:, None]
    def sample(n):
        return model(torch.randn(n, 1))
    return dlcc.Training.from_step({"model": model}, step, sample=sample, data=data)

if __name__ == "__main__":
    with dlcc.Recorder("run", build=build, config={"lr": 0.1}, length=20) as rec:
        rec.train(snapshots=2, samples=30, sample_steps=4)
"""


def files_of(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_script_is_recorded_with_the_modules_beside_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "parts.py").write_text(
        "import torch\n\ndef layer():\n    return torch.nn.Linear(1, 1)\n"
    )
    (tmp_path / "unused.py").write_text("1 / 0\n")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "weights.bin").write_bytes(bytes(100))
    (tmp_path / "tools" / "losses.py").write_text("def squared(x):\n    return x.square().mean()\n")
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = Run.open(tmp_path / "run")
    assert run.manifest.training == "source/train.py:build"
    assert run.manifest.config == {"seed": 0, "lr": 0.1}
    assert run.manifest.seed == 0
    held = files_of(run.path / "source")
    assert held == ["parts.py", "tools/losses.py", "train.py"]
    assert [s.step for s in run.snapshots() if s.resumable] == [0, 10, 20]
    assert run.sample_steps() == [5, 10, 15, 20]
    assert run.samples(5).shape == (30, 1)
    reference = run.reference()
    assert reference is not None
    assert reference.shape == (200, 1)


def test_a_script_that_would_record_when_it_is_imported_is_refused(tmp_path: Path) -> None:
    """It is imported to build the training again; said before anything is recorded."""
    open_script = SCRIPT.replace('if __name__ == "__main__":', "if True:")
    open_script = open_script.replace("from parts import layer", "from torch.nn import Linear")
    open_script = open_script.replace("layer()", "Linear(1, 1)")
    (tmp_path / "train.py").write_text(open_script.replace("from tools.losses", "# "))
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "train.py:21: records where the file is imported" in done.stderr
    assert "if __name__ == '__main__':" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_training_that_was_interrupted_ends_in_the_same_run(tmp_path: Path) -> None:
    config = {"data": "ring", "seed": 2}

    def record(name: str) -> Run:
        with Recorder(tmp_path / name, build=build, config=config, length=12) as recorder:
            recorder.train(snapshots=3, samples=20, sample_steps=4)
        return Run.open(tmp_path / name)

    whole = record("whole")

    class Stopped(Exception):  # noqa: N818
        pass

    class Stopper:
        def watch(self, step: int, row: Any) -> None:
            if step == 6:
                raise Stopped

    with Recorder(tmp_path / "cut", build=build, config=config, length=12) as recorder:
        recorder.control(Stopper())
        with pytest.raises(Stopped):
            recorder.train(snapshots=3, samples=20, sample_steps=4)
    cut = record("cut")
    for name, column in whole.series().columns.items():
        assert column.values.tolist() == cut.series()[name].values.tolist(), name
    for one, other in zip(whole.snapshots(), cut.snapshots(), strict=True):
        for name, tensor in one.torch_weights("generator").items():
            assert torch.equal(tensor, other.torch_weights("generator")[name])
    record("cut")  # there is nothing left to do


@pytest.mark.parametrize(
    ("options", "numbers", "what"),
    [
        ({}, {}, r"pass Recorder\(..., build=...\)"),
        ({"build": build}, {}, r"pass Recorder\(..., length=...\)"),
        ({"build": build, "length": 3}, {"snapshots": 0}, "snapshots=0: expected"),
        ({"build": build, "length": 3}, {"sample_steps": 0.5}, "sample_steps=0.5: expected"),
        ({"build": build, "length": 3}, {"samples": -1}, "samples=-1: expected"),
    ],
)
def test_bad_arguments(
    tmp_path: Path, options: dict[str, Any], numbers: dict[str, Any], what: str
) -> None:
    with (
        Recorder(tmp_path / "run", **options) as recorder,
        pytest.raises(OptionError, match=what),
    ):
        recorder.train(**numbers)


@pytest.mark.parametrize("function", [lambda config: None, Path.exists, len, 3])
def test_what_cannot_be_built_again_is_refused(function: Any) -> None:
    with pytest.raises(OptionError, match="expected a function at the top level of a file"):
        source_of(function)
