"""Two hundred reruns of a user's own code: in turn, by two processes, and on two Ray nodes.

    pip install 'dlcc[distributed]'; python benchmarks/own_reruns.py [--reruns 200] [--steps 400]

The code is `own_code/closures.py`, rerun in sandboxes. One of the two Ray nodes, of a processor
each on this machine, is killed half-way, and the other one goes on. What is kept of each
rerun is held against what the same program keeps in one process, byte for byte. Time is compared in
turn with two processes, on a part of the reruns, in one go and in both orders.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import write_result
from engine import Nodes
from own_code import closures

from dlcc import Recorder
from dlcc.engine.engines import Engine, Local, Processes
from dlcc.reruns import plan_reruns
from dlcc.reruns.folder import program_for
from dlcc.reruns.sandbox_program import SandboxProgram
from dlcc.reruns.spread import SpreadProgram
from dlcc.runs import Run
from dlcc.stage import Deadline

CONFIG = {
    "learning_rate_g": 1e-3, "learning_rate_d": 1e-3, "betas": [0.5, 0.999], "r1_gamma": 0.1,
    "bs": 32, "seed": 0,
}  # fmt: skip
LONG = 3600.0  # seconds; enough for all


def quiet(share: float, what: str) -> None:
    """Progress that nobody looks at."""


def program_of_code(folder: Path, steps: int) -> tuple[SandboxProgram, Any]:
    """Record the code's training, and find the program that reruns it."""
    with Recorder(
        folder, build=closures.build, config=CONFIG, length=steps, objective={"kind": "gan"}
    ) as recorder:
        recorder.train(samples=128, snapshots=2, sample_steps=4)
    program, config = program_for(Run.open(folder), trust=True)
    assert isinstance(program, SandboxProgram)
    return program, config


def kept(program: SandboxProgram, plan: Any, steps: int, engine: Engine, folder: Path) -> Any:
    """Make all reruns of a plan; returns what is kept of them, by name, and the seconds."""
    started = time.perf_counter()
    made = SpreadProgram(program, engine, folder).run(plan, steps, Deadline(LONG), quiet)
    seconds = time.perf_counter() - started
    assert len(made) == len(plan)
    return {file.name: file.read_bytes() for file in folder.iterdir()}, seconds


def with_a_kill(program: SandboxProgram, plan: Any, steps: int, folder: Path) -> Any:
    """The same on two Ray nodes, of which one is killed when half of the reruns are there."""
    nodes, killed = Nodes(2), threading.Event()

    def strike() -> None:
        while len([*folder.glob("*")]) < len(plan) // 2:
            time.sleep(0.2)
        nodes.cluster.remove_node(nodes.workers.pop(), allow_graceful=False)
        killed.set()

    folder.mkdir()
    thread = threading.Thread(target=strike, daemon=True)
    thread.start()
    try:
        files, seconds = kept(program, plan, steps, nodes.engine, folder)
    finally:
        nodes.stop()
    assert killed.is_set()
    return files, seconds


def in_turn(program: SandboxProgram, plan: Any, steps: int) -> float:
    """Seconds that the program takes by itself, in one sandbox that stays."""
    started = time.perf_counter()
    program.run(plan, steps, Deadline(LONG), quiet)
    return time.perf_counter() - started


def main() -> None:
    """Measure, and hold results against each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reruns", type=int, default=200)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--timed", type=int, default=24, help="reruns that times are taken of")
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program, config = program_of_code(folder / "run", given.steps)
        plan = plan_reruns(
            config.config, given.reruns, np.random.default_rng(0), batches=program.splits_seeds
        )
        few, ratios = plan[: given.timed], []
        for k in range(given.times):
            pair = [
                lambda: in_turn(program, few, given.steps),
                lambda k=k: kept(program, few, given.steps, Processes(2), folder / f"two-{k}")[1],
            ]
            first = k % 2
            seconds = [0.0, 0.0]
            for which in (first, 1 - first):
                seconds[which] = pair[which]()
            ratios.append(seconds[0] / seconds[1])
            print("in turn, by two:", seconds, file=sys.stderr)
        on_ray, ray_seconds = with_a_kill(program, plan, given.steps, folder / "ray")
        here, _ = kept(program, plan, given.steps, Local(), folder / "here")
    figures = {
        "reruns": len(plan),
        "steps": given.steps,
        "kept after a node was killed, as here, byte for byte": on_ray == here,
        "seconds on two Ray nodes, the kill included": ray_seconds,
        "two processes, times as fast as in turn": median(ratios),
        "ratios": ratios,
    }
    print(figures)
    write_result("own_reruns", figures, {"plan": 0})


if __name__ == "__main__":
    main()
