"""How long one waits: import, help, evaluating an example, and forecasting it.

    python benchmarks/startup.py [--forecasts]

Each as a whole process, five times, as a ratio to `python -c "import torch"` in the same round;
seconds too, for what they are worth on a shared machine. Cold is with an empty cache, cached the
same command again. A further folder is what six copies take beyond one, divided by five; the models
are there by then. --forecasts measures forecasts alone, into results/startup_forecasts.json: all of
it takes 20 minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import write_result

ROUNDS = 5
EXAMPLES = ("digits-healthy", "digits-collapsed", "ring-oscillating")
RUNS = Path(__file__).parent.parent / "runs"
FURTHER = 5
DLCC = (sys.executable, "-m", "dlcc.cli")


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


def light() -> dict[str, float]:
    """Seconds of what needs no run, each in a process."""
    python = sys.executable
    return {
        "python": seconds(python, "-c", "pass"),
        "import torch": seconds(python, "-c", "import torch"),
        "import dlcc": seconds(python, "-c", "import dlcc"),
        "dlcc --help": seconds(*DLCC, "--help"),
    }


def cold_and_cached(name: str, *command: str) -> dict[str, float]:
    """Seconds of a command with an empty cache, and of the same once more."""
    with tempfile.TemporaryDirectory() as folder:
        line = (*DLCC, *(part.replace("OUT", f"{folder}/out") for part in command))
        return {
            f"{name}, {state}": seconds(*line, cache=f"{folder}/cache")
            for state in ("cold", "cached")
        }


def forecasts(run: Path) -> dict[str, float]:
    """Seconds of `dlcc forecast` for a first folder, cold and cached, and for each further one."""
    with tempfile.TemporaryDirectory() as folder:
        copies = [shutil.copytree(run, Path(folder, f"run{k}")) for k in range(FURTHER + 1)]
        given = [(*DLCC, "forecast", *map(str, some)) for some in (copies[:1], copies)]
        cold, cached, six = (seconds(*given[k], cache=f"{folder}/cache") for k in (0, 0, 1))
    name = f"forecast {run.name}"
    return {
        f"{name}, first folder, cold": cold,
        f"{name}, first folder, cached": cached,
        f"{name}, each further one": (six - cached) / FURTHER,
    }


def one_round(*, forecasts_alone: bool) -> dict[str, float]:
    """Seconds of every command, once."""
    found = light()
    for name in EXAMPLES:
        if forecasts_alone:
            found |= forecasts(RUNS / name)
            continue
        run = str(RUNS / name)
        found |= cold_and_cached(f"evaluate {name}", "evaluate", run, "--out", "OUT")
        only = ("evaluate", run, "--only", "health", "--out", "OUT")
        found |= cold_and_cached(f"evaluate {name} --only health", *only)
        found |= forecasts(RUNS / name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forecasts", action="store_true", help="forecasts alone")
    alone = parser.parse_args().forecasts
    rounds = [one_round(forecasts_alone=alone) for _ in range(ROUNDS)]
    figures = {
        name: {
            "seconds": spread([r[name] for r in rounds]),
            "of import torch": spread([r[name] / r["import torch"] for r in rounds]),
        }
        for name in rounds[0]
    }
    write_result("startup_forecasts" if alone else "startup", figures, seeds={})


if __name__ == "__main__":
    main()
