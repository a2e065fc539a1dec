"""How long one waits: import, help, and evaluating an example cold and from the cache.

    python benchmarks/startup.py

Each as a whole process, as a ratio to `python -c "import torch"` in the same round; seconds too,
for what they are worth on a shared machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import write_result

ROUNDS, COLD_ROUNDS = 7, 3
EXAMPLES = ("digits-healthy", "digits-collapsed", "ring-oscillating")
RUNS = Path(__file__).parent.parent / "runs"


def seconds(*command: str, cache: str | None = None) -> float:
    """Wall time of a command."""
    environment = {**os.environ, **({"DLCC_CACHE_DIR": cache} if cache else {})}
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - began


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most."""
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    python = sys.executable
    light = {
        "python": (python, "-c", "pass"),
        "import torch": (python, "-c", "import torch"),
        "import dlcc": (python, "-c", "import dlcc"),
        "dlcc --help": (python, "-m", "dlcc.cli", "--help"),
    }
    rounds = [{name: seconds(*command) for name, command in light.items()} for _ in range(ROUNDS)]
    figures: dict[str, object] = {
        name: {
            "seconds": spread([r[name] for r in rounds]),
            "of import torch": spread([r[name] / r["import torch"] for r in rounds]),
        }
        for name in light
    }
    for name in EXAMPLES:
        cold, cached = [], []
        for _ in range(COLD_ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                command = (python, "-m", "dlcc.cli", "evaluate", str(RUNS / name), "--out",
                           f"{folder}/out")  # fmt: skip
                cold.append(seconds(*command, cache=f"{folder}/cache"))
                cached.append(seconds(*command, cache=f"{folder}/cache"))
        torch = statistics.median(r["import torch"] for r in rounds)
        figures[f"evaluate {name}, cold"] = {
            "seconds": spread(cold), "of import torch": spread([c / torch for c in cold])
        }  # fmt: skip
        figures[f"evaluate {name}, cached"] = {
            "seconds": spread(cached), "of import torch": spread([c / torch for c in cached])
        }  # fmt: skip
    write_result("startup", figures, seeds={})


if __name__ == "__main__":
    main()
