"""How long a diagnosis of large records takes, beside readers that people know.

    python benchmarks/reading.py

A CSV of 10^6 rows and 8 columns: clean, with a third of the cells of two columns empty, and with a
word in every thousandth row. `dlcc diagnose` in a process of its own, pandas.read_csv of the same
file, `import torch` for the machine's pace; the largest memory of the diagnosis over that of the
arrays. A text log of 300,000 rows, and a folder of 1,000 runs with `--all`. Medians of five.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result

ROWS, TIMES = 1_000_000, 5
HEADER = "step,d_loss,g_loss,D(x),D(G(z)),d_grad_norm,g_grad_norm,lr"


def csv_lines(kind: str) -> str:
    rng = np.random.default_rng(0)
    cells = np.char.mod("%.6f", rng.normal(1.0, 0.1, (ROWS, 7)))
    if kind == "empty":
        cells[::3, 2] = ""
        cells[::3, 6] = ""
    if kind == "junk":
        cells[::1000, 1] = "oops"
    rows = [f"{i},{','.join(row)}" for i, row in enumerate(cells.tolist())]
    return "\n".join([HEADER, *rows]) + "\n"


def log_lines() -> str:
    return "".join(
        f"[{i // 1000}/300][{i % 1000}/1000] Loss_D: 1.{i % 97:02d} Loss_G: 0.{i % 89:02d} "
        f"D(x): 0.{i % 83:02d} D(G(z)): 0.{i % 79:02d} / 0.{i % 73:02d}\n"
        for i in range(300_000)
    )


def timed(command: list[str]) -> tuple[float, int]:
    """Seconds and largest memory of a process; what its parent held does not count."""
    began, memory = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            memory = max(memory, _peak(process.pid))
            time.sleep(0.01)
    assert process.returncode == 0, command
    return time.perf_counter() - began, memory


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


def median(command: list[str]) -> dict[str, float]:
    runs = [timed(command) for _ in range(TIMES)]
    return {
        "seconds": round(statistics.median(seconds for seconds, _ in runs), 2),
        "low": round(min(seconds for seconds, _ in runs), 2),
        "high": round(max(seconds for seconds, _ in runs), 2),
        "MiB": max(memory for _, memory in runs) >> 20,
    }


def diagnosis(path: Path, *options: str) -> dict[str, float]:
    return median([sys.executable, "-m", "dlcc.cli", "diagnose", str(path), "--json", *options])


def of_csv(folder: Path, kind: str) -> dict[str, Any]:
    path = folder / f"{kind}.csv"
    path.write_text(csv_lines(kind))
    ours = diagnosis(path)
    code = f"import pandas; pandas.read_csv({str(path)!r})"
    return {
        "diagnose": ours,
        "pandas reads it": median([sys.executable, "-c", code]),
        "memory over the arrays'": round(ours["MiB"] / (ROWS * 8 * 8 / 2**20), 1),
    }


def of_folder(folder: Path) -> dict[str, float]:
    for i in range(1_000):
        run = folder / "runs" / f"run{i:04d}"
        run.mkdir(parents=True)
        rows = (
            f"{s},{1.3 + (7 * s + i) % 13 / 40},{0.7 + (5 * s + i) % 11 / 40}" for s in range(200)
        )
        (run / "metrics.csv").write_text("\n".join(["step,d_loss,g_loss", *rows]) + "\n")
    return diagnosis(folder / "runs", "--all")


def of_log(folder: Path) -> dict[str, float]:
    (folder / "train.log").write_text(log_lines())
    return diagnosis(folder / "train.log")


def main() -> None:
    figures: dict[str, Any] = {"import torch": median([sys.executable, "-c", "import torch"])}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for kind in ("clean", "empty", "junk"):
            figures[f"CSV, {kind}"] = of_csv(folder, kind)
        parts: dict[str, Callable[[Path], dict[str, float]]] = {
            "text log of 300,000 rows": of_log,
            "folder of 1,000 runs": of_folder,
        }
        for name, part in parts.items():
            figures[name] = part(folder)
    write_result("reading", figures, {"cells": 0})


if __name__ == "__main__":
    main()
