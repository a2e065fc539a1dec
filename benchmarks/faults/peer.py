"""The linter of training logs `trainproof`, on the same logs, columns mapped by hand.

It judges one loss. A game is given to it twice, as its discriminator's loss and as its generator's,
with the player's gradient norm; its worst verdict counts. It runs in a Python of its own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcc.runs import Run
from faults.judging import Said

_SCRIPT = """
import json, sys
from trainproof.epoch import check_records
for line in sys.stdin:
    found = []
    for records in json.loads(line):
        result = check_records(records)
        found += [(f["id"], f["level"]) for f in result["findings"]]
    print(json.dumps(found))
"""
_LEVELS = {"FAIL": "error", "WARN": "warning"}


def tables(log: Path) -> list[list[dict[str, Any]]]:
    """Records of each player's loss, as the linter reads them."""
    series = Run.open(log).series(None).columns
    found = []
    for player in ("model", "discriminator", "generator"):
        names = {
            f"{player}/loss": "loss", f"{player}/grad_norm": "grad_norm",
            **({"validation/loss": "eval_loss"} if player == "model" else {}),
        }  # fmt: skip
        rows: dict[int, dict[str, Any]] = {}
        for name, field in names.items():
            if f"{player}/loss" in series and name in series:
                for step, value in zip(series[name].steps, series[name].values, strict=True):
                    rows.setdefault(int(step), {"step": int(step)})[field] = float(value)
        if rows:
            found.append([rows[step] for step in sorted(rows)])
    return found


def lint(logs: Sequence[list[list[dict[str, Any]]]], python: Path) -> list[Said]:
    """What the linter says of each log."""
    text = "\n".join(json.dumps(log) for log in logs) + "\n"
    out = subprocess.run(
        [str(python), "-c", _SCRIPT], input=text, capture_output=True, text=True, check=True
    )
    said = []
    for line in out.stdout.splitlines():
        kept = [(name, _LEVELS[level]) for name, level in json.loads(line) if level in _LEVELS]
        kept.sort(key=lambda found: found[1])
        state = "unknown" if not kept else "failed" if kept[0][1] == "error" else "suspect"
        said.append(
            Said(
                state,
                tuple(name for name, _ in kept),
                tuple(severity for _, severity in kept),
                (None,) * len(kept),
                (None,) * len(kept),
            )
        )
    return said
