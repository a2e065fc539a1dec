"""Whether a diagnosis says *unknown* of series that say nothing, and what that costs real runs.

    python benchmarks/says_nothing.py [--logs FOLDER] [--bench FOLDER]

Series of both losses around the equilibrium of four objectives, in an order that means nothing:
noise of four shapes, and constants. Lengths of 20 to 20,000 rows. For real runs: the recordings in
runs/, with --logs a folder of public logs, and with --bench the trainings of the fault bench
(`fault_bench.py --work FOLDER`); how many of them are said to say nothing, and what is found in the
healthy ones.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from faults.habits import habit_of, write_log
from faults.population import members, path_of
from faults.recording import read

from dlcc.detect import TrainingRecord, detect, evidence_of
from dlcc.diagnosis import diagnose
from dlcc.errors import InputError
from dlcc.runs.series import Series
from dlcc.typing import Floats

LEVELS = {
    "ns": (2 * math.log(2), math.log(2)),
    "ls": (0.25, 0.125),
    "hinge": (2.0, 0.0),
    "wgangp": (0.0, 0.0),
}
ROWS = (20, 60, 200, 2_000, 20_000)
SHAPES = ("normal", "uniform", "heavy", "skewed", "constant")
DRAWS = 20


def noise(shape: str, rows: int, rng: np.random.Generator) -> Floats:
    """Values [rows] of unit scale in no order."""
    if shape == "normal":
        return rng.normal(size=rows)
    if shape == "uniform":
        return rng.uniform(-1.7, 1.7, size=rows)
    if shape == "heavy":
        return rng.standard_t(3, size=rows)
    if shape == "skewed":
        return rng.exponential(size=rows) - 1
    return np.zeros(rows)


def nothing(objective: str, shape: str, rows: int, rng: np.random.Generator) -> TrainingRecord:
    """Record around the equilibrium of an objective, whose order means nothing."""
    d, g = LEVELS[objective]
    spread = 0.1 * max(abs(d), 0.5)
    columns = {
        "discriminator/loss": d + spread * noise(shape, rows, rng),
        "generator/loss": g + spread * noise(shape, rows, rng),
    }
    if objective in ("ns", "ls"):
        columns = {name: np.abs(values) for name, values in columns.items()}
    stated = objective if rng.random() < 0.5 else None
    return TrainingRecord(Series.from_start(columns), "gan", stated)


def of_nothing() -> dict[str, Any]:
    """Shares of states, by objective, shape and length."""
    rng = np.random.default_rng(0)
    states: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    number = 0
    for objective in LEVELS:
        for shape in SHAPES:
            for rows in ROWS:
                for _ in range(DRAWS):
                    found = detect(nothing(objective, shape, rows, rng))
                    number += 1
                    states[found.state] += 1
                    silent[f"{rows} rows"] += not found.evidence.says_something
                    codes.update(f.code for f in found.findings if f.severity != "note")
    of_length = len(LEVELS) * len(SHAPES) * DRAWS
    return {
        "records": number,
        "unknown": states["unknown"] / number,
        "states": dict(states),
        "said to say nothing": {key: count / of_length for key, count in silent.items()},
        "findings above a note": dict(codes),
    }


def of_real(folders: list[Path]) -> dict[str, Any]:
    """Share of real runs that are said to say nothing, among those with twenty rows."""
    silent, number, names = 0, 0, []
    for folder in folders:
        try:
            record = diagnose(folder).record
        except InputError:
            continue
        if record.series.rows < 20:
            continue
        number += 1
        if not evidence_of(record).says_something:
            silent += 1
            names.append(folder.name)
    return {"runs": number, "said to say nothing": silent / max(number, 1), "which": names}


def of_bench(work: Path) -> dict[str, Any]:
    """The same for the fault bench's trainings, and findings above a note in its healthy ones."""
    silent, number, healthy = 0, 0, 0
    codes: Counter[str] = Counter()
    for member in members():
        recording = read(path_of(member, work))
        habit = habit_of(recording, zlib.crc32(f"habit {member.name}".encode()), metric=False)
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = diagnose(write_log(recording, habit, Path(folder), broken_metric=False))
            except InputError:
                continue
        if not member.is_fault:
            healthy += 1
            codes.update(f.code for f in found.assessment.findings if f.severity != "note")
        if found.rows >= 20 and (not member.is_fault or number < 200):
            number += 1
            silent += not found.assessment.evidence.says_something
    return {
        "runs": number,
        "said to say nothing": silent / max(number, 1),
        "healthy runs": healthy,
        "findings above a note in the healthy": dict(codes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, default=None, help="folder of folders or logs")
    parser.add_argument("--bench", type=Path, default=None, help="the fault bench's folder")
    arguments = parser.parse_args()
    real = sorted((Path(__file__).parent.parent / "runs").iterdir())
    if arguments.logs is not None:
        real += sorted(p for p in arguments.logs.iterdir() if p.suffix not in (".md", ".csv"))
    figures = {"series that say nothing": of_nothing(), "real runs": of_real(real)}
    if arguments.bench is not None:
        figures["trainings of the fault bench"] = of_bench(arguments.bench)
    write_result("says_nothing", figures, {"noise": 0})


if __name__ == "__main__":
    main()
