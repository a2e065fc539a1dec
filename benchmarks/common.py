"""What every benchmark writes: figures, seeds, versions, machine, date."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dlcc.runs import machine_fingerprint

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "dlcc", "torch", "numpy", "scipy", "scikit-learn", "pandas", "tensorboard", "sympy", "xxhash",
)  # fmt: skip


def write_result(name: str, figures: Mapping[str, Any], seeds: Mapping[str, Any]) -> Path:
    """Write `results/NAME.json` and print it."""
    result = {
        "benchmark": name,
        "figures": figures,
        "seeds": seeds,
        "versions": _versions(),
        "machine": machine_fingerprint(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))
    return path


def over_seeds(runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Median and range of each figure; of one that some runs lack, how many have it."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for run in runs for key in run):
        values = [run[key] for run in runs if key in run]
        found[key] = {
            "median": statistics.median(values),
            "low": min(values),
            "high": max(values),
        }
        if len(values) < len(runs):
            found[key]["runs"] = len(values)
    return found


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
