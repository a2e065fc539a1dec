"""Of several processes that train together, the first one records."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dlcc.runs import Recorder, Run
from dlcc.runs.idle_recorder import IdleRecorder
from dlcc.runs.ranks import rank_and_size
from tests.conftest import ROOT

SCRIPT = """
import sys
import torch
import torch.distributed as dist
from torch import nn
import dlcc

rank = int(sys.argv[1])

def build(config):
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    def step(x):
        print(x[:, 0].tolist())
        loss = (model(x + 0.1 * torch.randn_like(x)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"model/loss": loss}
    def sample(n):
        return model(torch.randn(n, 3))
    data = torch.arange(96.0).reshape(32, 3) / 100
    return dlcc.Training.from_step({"model": model}, step, sample=sample, data=data, batch=4)

if __name__ == "__main__":
    dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
    with dlcc.Recorder("run", build=build, length=int(sys.argv[3])) as recorder:
        measure = recorder.measure({"model": lambda net, x: net(x).square()[:, 0]})
        recorder.train(snapshots=2, samples=8, sample_steps=2)
        measure(0, {"model": torch.ones(4, 3)})
        measure.landscape(0, {"model": torch.ones(4, 3)})
    print(type(recorder).__name__)
    dist.destroy_process_group()
"""


def trained(folder: Path, meeting: str, length: int) -> list[list[str]]:
    """Lines that the two processes print."""
    (folder / "train.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "train.py", str(rank), str(folder / meeting), str(length)],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    ended = [process.communicate(timeout=120) for process in processes]
    assert [p.returncode for p in processes] == [0, 0], ended
    return [out.splitlines() for out, _ in ended]


def test_two_processes_train_and_one_records(tmp_path: Path) -> None:
    first, second = trained(tmp_path, "meeting", 8)
    assert (first.pop(), second.pop()) == ("Recorder", "IdleRecorder")
    seen = [float(x) for line in first[:4] + second[:4] for x in line.strip("[]").split(", ")]
    assert np.allclose(sorted(seen), np.arange(0, 96, 3) / 100), "an epoch in four steps of two"
    run = Run.open(tmp_path / "run")
    assert run.series()["model/loss"].steps.tolist() == list(range(8))
    assert run.series()["model/updates"].values.tolist() == list(range(1, 9))
    assert [s.step for s in run.snapshots() if s.resumable] == [0, 4, 8]
    assert run.sample_steps() == [4, 8]
    assert run.manifest.training is None, "one process cannot repeat what two did"


@pytest.mark.parametrize(
    ("rank", "size", "expected"),
    [(None, None, (0, 1)), ("0", "4", (0, 4)), ("3", "4", (3, 4)), ("2", None, (2, 3))],
)
def test_launchers_say_it_before_torch_does(
    rank: str | None, size: str | None, expected: tuple[int, int], tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("RANK", rank), ("WORLD_SIZE", size)):
            patch.delenv(name, raising=False)
            if value is not None:
                patch.setenv(name, value)
        assert rank_and_size() == expected
        with Recorder(tmp_path / "run", length=3, name="mine") as recorder:
            recorder.snapshot(0)
            recorder.log(0, {"model/loss": 1.0})
            recorder.samples(0, np.zeros((3, 2)))
            recorder.flush()
        assert recorder.manifest.name == "mine"
    assert isinstance(recorder, IdleRecorder) == (expected[0] > 0)
    assert (tmp_path / "run").exists() == (expected[0] == 0)
