"""A run as a user's own script would have left it: metrics.csv and config.json."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from dlcc.runs import Run

SHORT = {
    "discriminator/loss": "d_loss",
    "generator/loss": "g_loss",
    "discriminator/grad_norm": "d_grad_norm",
    "generator/grad_norm": "g_grad_norm",
    "discriminator/real": "D(x)",
    "discriminator/fake": "D(G(z))",
}
"""Names of columns as scripts have them; every other series keeps its own."""
THEIRS = {"data": "dataset", "optimizer": "optim", "steps": "total_iterations"}
"""Names of configuration keys as scripts have them."""


def export_csv(run_folder: str | Path, out: str | Path) -> Path:
    """Write the series and the configuration of a recorded run into the folder `out`.

    Floats are written by `repr`, so that every value comes back bit for bit; a cell is empty where
    nothing was logged. What rewinds superseded, clocks, snapshots and samples stay behind.
    """
    run, out = Run.open(run_folder), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    columns = run.series().columns
    steps = np.unique(np.concatenate([column.steps for column in columns.values()]))
    cells = []
    for column in columns.values():
        texts = [""] * len(steps)
        rows = np.searchsorted(steps, column.steps).tolist()
        for row, value in zip(rows, column.values.tolist(), strict=True):
            texts[row] = repr(value)
        cells.append(texts)
    with open(out / "metrics.csv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["step", *(SHORT.get(name, name) for name in columns)])
        writer.writerows(zip(steps.tolist(), *cells, strict=True))
    config = {THEIRS.get(key, key): value for key, value in run.manifest.config.items()}
    if run.manifest.length is not None:
        config["total_iterations"] = run.manifest.length
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return out
