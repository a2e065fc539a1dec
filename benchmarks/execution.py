"""What the execution stage finds in players that break, how far replays move, and what it costs.

    python -m benchmarks.execution [--seed N] [--part players|hostile|sensitivity|costs|segments]

`players`: 14 sound players and 16 with one fault each, in five drawn sizes, tried on extreme
inputs: found and falsely found. `hostile`: what becomes of players that hang, fork, allocate or
answer rubbish. `sensitivity`: how far a few replayed steps move under other conditions. `costs`:
processor time of both stages of trust beside that of `import torch`. `segments`: a full replay,
serial and side by side.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from benchmarks.common import RESULTS, write_result
from dlcc.sandbox import Bounds, Session, best_level
from dlcc.stages.execution.extreme_findings import extreme_findings
from dlcc.stages.execution.extremes import PlayerExtremes, try_players
from dlcc.stages.recorded_state import RecordedState

PLAYERS = Path(__file__).parent / "players"
SIZES = 5
_PATIENCE = 60.0
_CODES = ("EXE006", "EXE011", "EXE012", "EXE013", "EXE014")
HOSTILE = (
    "sleeps", "forks", "allocates", "exits", "returns_words", "returns_another_shape",
    "returns_much", "raises",
)  # fmt: skip


def session(seconds: float = 600.0, memory: int = 2 << 30) -> Session:
    """Session of the sandbox that is shown the players' files."""
    files = {f"source/{path.name}": path for path in PLAYERS.glob("*.py")}
    return Session(files, best_level(), Bounds(seconds, memory))


def tried(
    inside: Session, file: str, config: Mapping[str, Any], seconds: float = _PATIENCE
) -> list[PlayerExtremes]:
    """Try the player of a case as the stage does."""
    inside.build(f"source/{file}.py:build", config)
    tree, tensors = inside.state()
    data = save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
    state = RecordedState(0, "", {"state": tree, "random": {}}, data, inside.weights(), {})
    return try_players(inside, state, state, np.random.default_rng(0), seconds)


def codes_of(found: list[PlayerExtremes]) -> list[str]:
    """Codes of the findings about players."""
    return [f.code for f in extreme_findings(found, 0, "")]


def drawn_config(case: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw a size and the initial weights of a case."""
    return {
        "case": case,
        "width": int(rng.choice([8, 16, 32])),
        "side": int(rng.choice([8, 16])),
        "batch": int(rng.choice([6, 16, 40])),
        "seed": int(rng.integers(1 << 31)),
    }


def measure_players(seed: int) -> dict[str, Any]:
    """Try sound and faulty players in drawn sizes."""
    tree = ast.parse((PLAYERS / "faulty.py").read_text())
    expected = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXPECTED"
    )
    sound = [
        node.name
        for node in ast.parse((PLAYERS / "sound.py").read_text()).body
        if isinstance(node, ast.FunctionDef) and [a.arg for a in node.args.args] == ["c"]
    ]
    rng = np.random.default_rng(seed)
    found: dict[str, list[list[str]]] = {}
    told: dict[str, list[str]] = {}
    began = time.monotonic()
    with session() as inside:
        for file, names in (("faulty", list(expected)), ("sound", sound)):
            for name in names:
                for _ in range(SIZES):
                    one = tried(inside, file, drawn_config(name, rng))
                    found.setdefault(name, []).append(codes_of(one))
                    told.setdefault(name, []).extend(x.reason for x in one if x.reason)
    hits = {n: sum(bool({*codes} & {*expected[n]}) for codes in found[n]) for n in expected}
    false = {n: [c for c in found[n] if {*c} - {"EXE012"}] for n in sound}
    return {
        "faulty": {"players": len(expected), "cases": len(expected) * SIZES,
                   "found": sum(hits.values()), "by_fault": hits,
                   "codes": {n: sorted({c for k in found[n] for c in k}) for n in expected}},
        "sound": {"players": len(sound), "cases": len(sound) * SIZES,
                  "accused": sum(map(len, false.values())),
                  "by_player": {n: c for n, c in false.items() if c},
                  "noted_batch_of_one": sum("EXE012" in c for n in sound for c in found[n])},
        "not_tried": {n: sorted(set(r)) for n, r in told.items() if r},
        "seconds_each": round((time.monotonic() - began) / (SIZES * len(found)), 3),
    }  # fmt: skip


def measure_hostile() -> dict[str, Any]:
    """Try players that do harm, each in a session of its own."""
    figures = {}
    for case in HOSTILE:
        began = time.monotonic()
        with session(60.0, 1 << 30) as inside:
            found = tried(inside, "hostile", {"case": case, "batch": 6, "seed": 0}, seconds=8.0)
        figures[case] = {
            "codes": codes_of(found),
            "reason": next((x.reason for x in found if x.reason), None),
            "seconds": round(time.monotonic() - began, 1),
        }
    return figures


def own_run(script: str, config: Mapping[str, Any], length: int, folder: Path) -> Path:
    """Record a run of one of the scripts in `own_code`, with six snapshots."""
    import sys

    import dlcc

    sys.path.insert(0, str(PLAYERS.parent / "own_code"))
    build = importlib.import_module(script).build
    path = folder / script
    with dlcc.Recorder(path, build=build, config={**config, "seed": 7}, length=length) as recorder:
        recorder.train(snapshots=6, samples=64, sample_steps=4)
    return path


def own_runs(folder: Path) -> dict[str, Path]:
    """Record a convolutional GAN and a convolutional VAE, as a user would."""
    gan = {
        "lrG": 2e-4, "lrD": 2e-4, "beta1": 0.5, "lambda_gp": 0.0, "n_critic": 1,
        "loss_type": "ns", "batchSize": 64,
    }  # fmt: skip
    vae = {
        "model": {"z_dim": 8}, "loss": {"kl_weight": 1.0, "free_bits": 0.0},
        "train": {"learning_rate": 1e-3, "weight_decay": 0.0, "bs": 64},
    }  # fmt: skip
    return {
        "conv_gan": own_run("conv_gan", gan, 3000, folder),
        "conv_vae": own_run("conv_vae", vae, 600, folder),
    }


def executed(path: Path, **settings: Any) -> tuple[Any, float]:
    """Outcome of the execution stage on a run, and seconds."""
    from dlcc.pipeline import run_stages
    from dlcc.runs import Run
    from dlcc.stages.execution import Execution

    run = Run.open(path)
    began = time.monotonic()
    stage = Execution(**settings)
    (outcome,) = run_stages(run, [stage], until=run.length, use_cache=False)
    return outcome, time.monotonic() - began


def measure_sensitivity_of(runs: Mapping[str, Path]) -> dict[str, Any]:
    """Replay a few steps of each run under other conditions."""
    figures = {}
    for name, path in runs.items():
        outcome, _ = executed(path, extremes=False)
        told = outcome.details["sensitivity"]
        figures[name] = {"moves": told["moves"]} | {
            one["condition"]: {
                "largest": max(one["quantities"].values(), default=None),
                "largest_of_change": max(one["of_change"].values(), default=None),
                "weights": one["weights"],
            }
            for one in told["conditions"]
        }
    return figures


_COST = """
import json, resource, sys, time
from dlcc.pipeline import run_stages
from dlcc.pipeline.discovery import installed
from dlcc.runs import Run
run = Run.open(sys.argv[1])
stages = [installed()[name] for name in ("ingestion", "consistency", "execution")]
spent = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
before, began = spent(), time.monotonic()
outcomes = run_stages(run, stages, until=run.length, use_cache=False)
assert all(o.status == "scored" for o in outcomes), outcomes
took = time.monotonic() - began
each = {o.stage: o.environment["seconds"] for o in outcomes}
print(json.dumps([spent() - before, took, each["consistency"], each["execution"]]))
"""


def measure_costs(runs: Mapping[str, Path], before: Path | None, repeats: int) -> dict[str, Any]:
    """Processor time of both stages and of ingestion, which they need, beside `import torch`.

    Times are from when the stages, of which two run at a time, were begun to when they ended.
    """
    import os
    import resource
    import subprocess
    import sys

    def printed(root: Path, *arguments: str) -> list[float]:
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", *arguments], env=environment, capture_output=True, text=True,
            check=True, cwd=root,  # which comes before PYTHONPATH
        )  # fmt: skip
        found: list[float] = json.loads(done.stdout or "[]")
        return found

    def of_torch() -> float:
        spent = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        printed(PLAYERS.parents[1], "import torch")
        return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - spent

    roots = {"now": PLAYERS.parents[1]} | ({"before": before} if before else {})
    figures: dict[str, Any] = {}
    torch = [of_torch() for _ in range(repeats)]
    for name, path in runs.items():
        for when, root in roots.items():
            made = [printed(root, _COST, str(path)) for _ in range(repeats)]
            torch.append(of_torch())
            medians = [round(statistics.median(values), 2) for values in zip(*made, strict=True)]
            keys = ("cpu_seconds", "seconds", "consistency_seconds", "execution_seconds")
            figures.setdefault(name, {})[when] = dict(zip(keys, medians, strict=True))
    one = statistics.median(torch)
    for of_run in figures.values():
        for figure in of_run.values():
            figure["of_import_torch"] = round(figure["cpu_seconds"] / one, 2)
    return {"import_torch_cpu_seconds": round(one, 2), "repeats": repeats, "runs": figures}


def measure_segments(path: Path) -> dict[str, Any]:
    """Replay a whole record in one sandbox, and in two side by side."""
    plain = {"full": True, "extremes": False, "sensitivity": False}
    serial, alone = executed(path, workers=1, **plain)
    beside, took = executed(path, workers=2, **plain)
    same = (serial.records, serial.findings, serial.details) == (
        beside.records, beside.findings, beside.details
    )  # fmt: skip
    return {"same": same, "seconds": round(alone, 2), "seconds_two": round(took, 2),
            "replays": len(serial.details["replays"]), "note": serial.details["note"]}  # fmt: skip


def main() -> None:
    """Measure the parts that are asked for, all by default, and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", action="append", default=[])
    parser.add_argument("--before", type=Path, help="folder of an earlier version, for its costs")
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    examples = PLAYERS.parents[1] / "runs"
    with tempfile.TemporaryDirectory() as folder:
        own = own_runs(Path(folder))
        runs = {path.name: path for path in sorted(examples.iterdir()) if path.is_dir()}
        parts = {
            "players": lambda: measure_players(chosen.seed),
            "hostile": measure_hostile,
            "sensitivity": lambda: measure_sensitivity_of({**runs, **own}),
            "costs": lambda: measure_costs(
                {**runs, "conv_vae": own["conv_vae"]}, chosen.before, chosen.repeats
            ),
            "segments": lambda: measure_segments(own["conv_gan"]),
        }
        wanted = chosen.part or list(parts)
        figures = {name: measure() for name, measure in parts.items() if name in wanted}
    written, seeds = RESULTS / "execution.json", {"players": chosen.seed}
    if chosen.part and written.exists():  # the others stay as they were measured
        earlier = json.loads(written.read_text())
        figures = {**earlier["figures"], **figures}
        seeds = seeds if "players" in chosen.part else earlier["seeds"]
    write_result("execution", figures, seeds)


if __name__ == "__main__":
    main()
