"""What recording costs, beside TensorBoard and a bare list; how fast a run reads, beside pandas.

    python benchmarks/recording.py [--kills 50]

writes benchmarks/results/recording.json. Times are CPU times of the process, the recorder's thread
included, for the machine is shared; medians over REPETITIONS, with the smallest and the largest;
the repetitions of what is compared alternate in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from common import write_result
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from dlcc.runs import Recorder, Run, Training

HERE = Path(__file__).resolve().parent
KILLING = HERE.parent / "tests" / "runs" / "killing.py"
REPETITIONS = 9
CALLS = 20_000
TENSORBOARD_CALLS = 500
ROWS = 1_000_000
QUANTITIES = 8
WARM, BLOCKS = 20, 20
STEPS = WARM + BLOCKS * 20
SEED = 0


def spread(seconds: list[float], scale: float = 1.0) -> dict[str, float]:
    """Median, smallest and largest, in units of 1 / scale seconds."""
    return {
        "median": round(statistics.median(seconds) * scale, 4),
        "min": round(min(seconds) * scale, 4),
        "max": round(max(seconds) * scale, 4),
    }


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def logging(folder: Path) -> dict[str, Any]:
    """Microseconds for six numbers: this recorder, TensorBoard, a list."""
    values = {f"generator/q{i}": 0.1 * i for i in range(6)}
    rows: list[tuple[float, ...]] = []
    writer = SummaryWriter(str(folder / "tensorboard"))
    times: dict[str, list[float]] = {"recorder": [], "tensorboard": [], "list": []}
    with Recorder(folder / "run") as recorder:
        for repetition in range(REPETITIONS):
            first = repetition * CALLS

            def record(first: int = first) -> None:
                for step in range(first, first + CALLS):
                    recorder.log(step, values)

            def board(first: int = first) -> None:
                for step in range(first, first + TENSORBOARD_CALLS):
                    for name, value in values.items():
                        writer.add_scalar(name, value, step)

            def append(first: int = first) -> None:
                for step in range(first, first + CALLS):
                    rows.append((step, *values.values()))  # noqa: PERF401

            times["recorder"].append(timed(record) / CALLS)
            times["tensorboard"].append(timed(board) / TENSORBOARD_CALLS)
            times["list"].append(timed(append) / CALLS)
            rows.clear()
    writer.close()
    return {name: spread(seconds, 1e6) for name, seconds in times.items()}


def small_gan() -> dict[str, nn.Module]:
    """The ring GAN of the recipes in size: two players of three layers."""
    torch.manual_seed(SEED)
    return {
        name: nn.Sequential(
            nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs)
        )
        for name, inputs, outputs in (("generator", 16, 2), ("discriminator", 2, 1))
    }


def tracking(folder: Path) -> dict[str, Any]:
    """Microseconds a row for measuring the updates of a small GAN, on one thread."""
    calls = 2_000
    values = {f"generator/q{i}": 0.1 * i for i in range(6)}
    players = small_gan()
    seconds = []
    with Recorder(folder / "tracked", players=players) as recorder:
        for repetition in range(REPETITIONS):
            first = repetition * calls

            def record(first: int = first) -> None:
                for step in range(first, first + calls):
                    recorder.log(step, values)

            seconds.append(timed(record) / calls)
    parameters = sum(p.numel() for player in players.values() for p in player.parameters())
    return {"parameters": parameters, **spread(seconds, 1e6)}


class Dcgan:
    """A DCGAN for 28 × 28 images on noise in their place, batch 64, in a plain loop."""

    def __init__(self) -> None:
        torch.manual_seed(SEED)
        self.images = torch.rand(512, 1, 28, 28) * 2 - 1
        self.generator = nn.Sequential(
            nn.Linear(64, 64 * 49), nn.Unflatten(1, (64, 7, 7)), nn.BatchNorm2d(64), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1),
            nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(64 * 49, 1),
        )  # fmt: skip
        self.players = {"generator": self.generator, "discriminator": self.discriminator}
        self.opt_g, self.opt_d = (
            torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for net in self.players.values()
        )

    def step(self, real: torch.Tensor) -> dict[str, torch.Tensor]:
        softplus = nn.functional.softplus
        fake = self.generator(torch.randn(len(real), 64))
        d_loss = softplus(-self.discriminator(real)).mean()
        d_loss = d_loss + softplus(self.discriminator(fake.detach())).mean()
        self.opt_d.zero_grad()
        d_loss.backward()
        self.opt_d.step()
        g_loss = softplus(-self.discriminator(fake)).mean()
        self.opt_g.zero_grad()
        g_loss.backward()
        self.opt_g.step()
        return {"generator/loss": g_loss, "discriminator/loss": d_loss}


def steps_of_a_dcgan(folder: Path) -> dict[str, Any]:
    """A step recorded over one that is not, and both over one of `from_step`, steps in turn."""
    plain, recorded, made = Dcgan(), Dcgan(), Dcgan()
    training = Training.from_step(made.players, made.step, data=made.images, batch=64)
    alone = Dcgan()
    same = Training.from_step(alone.players, alone.step, data=alone.images, batch=64)
    seconds: dict[str, list[float]] = {"plain": [], "recorded": [], "from_step": []}
    with (
        Recorder(folder / "loop", players=recorded.players) as loop,
        Recorder(folder / "made", training=training) as whole,
    ):

        def of_a_loop(gan: Dcgan, step: int) -> dict[str, torch.Tensor]:
            torch.manual_seed(step)
            return gan.step(gan.images[torch.randint(512, (64,))])

        def record(step: int) -> None:
            loop.log(step, of_a_loop(recorded, step))

        for step in range(STEPS):
            work: list[tuple[str, Callable[[], object]]] = [
                ("plain", lambda step=step: of_a_loop(plain, step)),
                ("recorded", lambda step=step: record(step)),
                ("from_step", lambda step=step: whole.log(step, training.step(step))),
            ]
            for name, one in work[step % 3 :] + work[: step % 3]:
                seconds[name].append(timed(one))
            same.step(step)
    warm = {name: times[WARM:] for name, times in seconds.items()}
    blocks = {name: np.array(times).reshape(BLOCKS, -1).sum(axis=1) for name, times in warm.items()}
    ratios = {n: (blocks[n] / blocks["plain"]).tolist() for n in ("recorded", "from_step")}
    return {
        "steps": STEPS,
        "parameters": sum(p.numel() for net in plain.players.values() for p in net.parameters()),
        "milliseconds_plain": spread(warm["plain"], 1e3),
        "recorded_over_plain": spread(ratios["recorded"]),
        "from_step_recorded_over_plain": spread(ratios["from_step"]),
        "weights_equal_with_and_without": equal(plain, recorded) and equal(made, alone),
    }


def equal(one: Dcgan, other: Dcgan) -> bool:
    return all(
        torch.equal(a, b)
        for name, net in one.players.items()
        for a, b in zip(
            net.state_dict().values(), other.players[name].state_dict().values(), strict=True
        )
    )


def reading(folder: Path) -> dict[str, Any]:
    """A million rows of eight quantities: bytes a step, seconds to read, and the same as CSV."""
    rng = np.random.default_rng(SEED)
    table = rng.standard_normal((ROWS, QUANTITIES))
    names = [f"generator/q{i}" for i in range(QUANTITIES)]
    with Recorder(folder / "long") as recorder:
        for step, row in enumerate(table.tolist()):
            recorder.log(step, dict(zip(names, row, strict=True)))
    size = sum(path.stat().st_size for path in (folder / "long" / "series").iterdir())
    csv = folder / "long.csv"
    frame = pd.DataFrame(table, columns=names)
    frame.insert(0, "step", np.arange(ROWS))
    frame.to_csv(csv, index=False)
    run = Run.open(folder / "long")
    columns = run.series().columns
    assert all(np.array_equal(columns[name].values, table[:, i]) for i, name in enumerate(names))
    del columns, frame
    times: dict[str, list[float]] = {"dlcc": [], "pandas": []}
    for _ in range(REPETITIONS):
        times["dlcc"].append(timed(run.series))
        times["pandas"].append(timed(lambda: pd.read_csv(csv)))
    ratios = [b / a for a, b in zip(times["dlcc"], times["pandas"], strict=True)]
    return {
        "rows": ROWS,
        "quantities": QUANTITIES,
        "bytes_a_step": round(size / ROWS, 2),
        "csv_bytes_a_step": round(csv.stat().st_size / ROWS, 2),
        "seconds_dlcc": spread(times["dlcc"]),
        "seconds_pandas": spread(times["pandas"]),
        "times_faster": spread(ratios),
    }


def killing(folder: Path, kills: int) -> dict[str, Any]:
    """Kill a recording training again and again; fails if anything recorded is wrong."""
    command = [sys.executable, str(KILLING), str(folder / "killed"), str(kills), str(SEED)]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    result: dict[str, Any] = json.loads(output.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    kills = parser.parse_args().kills
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = {
            "load_average_at_start": round(load, 2),  # of other work on the machine
            "repetitions": REPETITIONS,
            "microseconds_for_six_numbers": logging(folder),
            "microseconds_a_row_with_tracked_updates": tracking(folder),
            "steps_of_a_dcgan": steps_of_a_dcgan(folder),
            "reading": reading(folder),
            "kills": killing(folder, kills),
        }
    write_result("recording", figures, seeds={"values": SEED})


if __name__ == "__main__":
    main()
