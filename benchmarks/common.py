"""What every benchmark writes: figures, seeds, versions, machine, date."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
