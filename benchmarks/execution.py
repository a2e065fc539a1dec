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
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from benchmarks.common import write_result
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
    import ast

    tree = ast.parse((PLAYERS / "faulty.py").read_text())
    expected = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXPECTED"
    )
    sound = [
        name
        for node in ast.parse((PLAYERS / "sound.py").read_text()).body
        if isinstance(node, ast.FunctionDef) and [a.arg for a in node.args.args] == ["c"]
        for name in [node.name]
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


def main() -> None:
    """Measure the parts that are asked for, and write the result of all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", action="append", default=[])
    chosen = parser.parse_args()
    parts = {"players": lambda: measure_players(chosen.seed), "hostile": measure_hostile}
    figures = {n: measure() for n, measure in parts.items() if not chosen.part or n in chosen.part}
    if chosen.part:
        import json

        print(json.dumps(figures, indent=1))
    else:
        write_result("execution", figures, {"players": chosen.seed})


if __name__ == "__main__":
    main()
