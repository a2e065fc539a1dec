"""Kill a recording training at random instants, again and again, and read what is left.

    python tests/runs/killing.py FOLDER KILLS SEED

prints one JSON line. The parent imports torch once and forks each training, which resumes the run
from its newest snapshot, goes on recording, and is killed. Every number is a function of its step,
so that a wrong row is recognised; a note in shared memory says what was logged last and when.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlcc.runs import Recorder, Run

NOTE = struct.Struct("<qd")  # last logged step, unix time
SNAPSHOT_EVERY = 200
LOG_RARE_EVERY = 37


class CountingTraining:
    """A "training" whose weights are the number of steps done."""

    def __init__(self) -> None:
        self.model = torch.nn.Linear(8, 8, dtype=torch.float64)
        self.players = {"model": self.model}
        self._set(0)

    def step(self, step: int) -> dict[str, float]:
        self._set(step + 1)
        return {"model/loss": math.sin(step), "model/step": float(step)}

    def sample(self, n: int, seed: int) -> torch.Tensor:
        return torch.full((n, 2), float(seed))

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "done": int(self.model.weight[0, 0])}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])

    def _set(self, done: int) -> None:
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.fill_(done)


def record(folder: Path, note: mmap.mmap) -> None:
    """Record until killed."""
    training = CountingTraining()
    with Recorder(folder, training=training, config={"width": 8}, seed=0) as recorder:
        step = recorder.resume()
        while True:
            if step % SNAPSHOT_EVERY == 0:
                recorder.snapshot(step, samples=training.sample(4, step))
            recorder.log(step, training.step(step))
            if step % LOG_RARE_EVERY == 0:
                recorder.log(step, {"model/rare": float(step)})
            note[: NOTE.size] = NOTE.pack(step, time.time())
            step += 1


def check(folder: Path) -> tuple[int, float]:
    """The last step in the folder and its clock; raises AssertionError for anything wrong."""
    run = Run.open(folder)
    table = run.series()
    for snapshot in run.snapshots():
        weights = snapshot.weights()
        assert all((array == snapshot.step).all() for array in weights.values()), snapshot
        assert snapshot.state()["done"] == snapshot.step
    for step in run.sample_steps():
        assert (run.samples(step) == step).all()
    if "model/loss" not in table.columns:
        return -1, math.nan
    loss, number = table.columns["model/loss"], table.columns["model/step"]
    assert loss.steps.tolist() == list(range(len(loss.steps)))
    assert number.values.tolist() == number.steps.tolist()
    assert loss.values.tolist() == [math.sin(step) for step in loss.steps.tolist()]
    if "model/rare" in table.columns:
        rare = table.columns["model/rare"]
        assert rare.values.tolist() == rare.steps.tolist()
        assert set(rare.steps.tolist()) <= set(range(0, len(loss.steps) + 1, LOG_RARE_EVERY))
    return int(loss.steps[-1]), float(loss.clock[-1])


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    rng = random.Random(seed)
    lost_rows, lost_seconds, torn, unopened, checked = [], [], 0, 0, 0
    note = mmap.mmap(-1, NOTE.size)
    for _ in range(kills):
        note[: NOTE.size] = NOTE.pack(-1, 0.0)
        child = os.fork()
        if child == 0:
            record(folder, note)
        time.sleep(rng.uniform(0.0, 0.4))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        step, logged = NOTE.unpack(note[: NOTE.size])
        if not (folder / "run.json").exists():
            unopened += 1  # killed before there was a run
            continue
        last, clock = check(folder)
        checked += 1
        torn += Run.open(folder).series().torn
        if step >= 0:
            lost_rows.append(max(0, step - last))
            lost_seconds.append(max(0.0, logged - clock) if last < step else 0.0)
    table = Run.open(folder).series()
    return {
        "kills": kills,
        "seed": seed,
        "killed_before_run_json": unopened,
        "torn_tails": torn,
        "folders_without_a_wrong_row": checked,  # a wrong one would have raised
        "most_rows_lost": max(lost_rows, default=0),
        "most_seconds_lost": round(max(lost_seconds, default=0.0), 4),
        "restarts": len(table.restarts),
        "rewinds": len(table.rewinds),
        "rows": max((len(c.steps) for c in table.columns.values()), default=0),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
