"""One run of every recipe: its truth, what `dlcc evaluate` says of it, and a picture.

    python benchmarks/gallery.py [--out DIR] [--page] [NAME ...]

Trains each into DIR (kept there: called again, finished runs are only judged), evaluates it
without reruns, and writes the picture of its samples to docs/gallery/. --page writes
docs/gallery.md from the result as well. lgc-dcgan takes an hour on a core.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from common import RESULTS, write_result
from sample_figure import samples_over_time

from dlcc.evaluation import evaluate
from dlcc.recipes import recipes
from dlcc.recipes.train import train
from dlcc.records import HealthRecord, Samples

DOCS = Path(__file__).parent.parent / "docs"
MOMENTS = 6
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "lgc-vanilla": [{}, {"optimizer": "rmsprop"}],
    "map-f1": [{"variant": "paper"}, {"variant": "mended"}],
    "map-f2": [{"variant": "paper"}, {"variant": "mended"}],
    "map-f3": [{"variant": "paper"}, {"variant": "mended"}],
    "map-reg": [{"regulariser": "l1", "strength": 1e-5}],
    "ae-f4": [{"prior": "standard"}, {"prior": "fitted"}],
}
"""Beside the defaults, of the recipes that need others or more than one run."""


def shown(recipe: str, settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """Train, judge and picture one run."""
    name = "-".join([recipe, *(str(v) for v in settings.values() if isinstance(v, str))])
    start = time.process_time()
    truth = train(recipe, out / name, settings)
    trained = time.process_time() - start
    found = evaluate(out / name, skip=["reproducibility"])
    health, certain = found.record(HealthRecord), found.report.verdict.p_healthy
    samples = Samples.of(found.evaluated_run, None)
    figure = None if samples is None else samples_over_time(samples) or columns_over_time(samples)
    if figure is not None:
        figure.savefig(DOCS / "gallery" / f"{name}.png", dpi=110)
    row: dict[str, Any] = {
        "recipe": recipe,
        "settings": settings,
        "truth": None if truth is None else truth.label,
        "verdict": None if health is None else health.label,
        "state": found.report.verdict.state,
        "p_healthy": None if certain is None else certain.mean,
        "value": None if found.report.value is None else found.report.value.mean,
        "findings": {f.code: f.message for o in found.outcomes for f in o.findings},
        "cpu_seconds": trained,
    }
    print(
        name, {k: v for k, v in row.items() if k != "findings"}, list(row["findings"]), flush=True
    )
    return {name: row}


def columns_over_time(samples: Samples) -> Any:
    """Two columns of a table's samples at six moments, over those of the training data; None where
    there is nothing to hold them against."""
    from matplotlib.figure import Figure

    if samples.reference is None or samples.reference.ndim != 2:
        return None
    figure = Figure(figsize=(9, 1.9), layout="constrained")
    steps = samples.steps
    moments = [steps[round(k * (len(steps) - 1) / (MOMENTS - 1))] for k in range(MOMENTS)]
    for axes, step in zip(figure.subplots(1, MOMENTS), moments, strict=True):
        axes.plot(*samples.reference[:, :2].T, ".", color="0.8", markersize=2)
        axes.plot(*samples.at(step)[:, :2].T, ".", color="tab:blue", markersize=2)
        axes.set(title=f"{step:,}", xticks=[], yticks=[])
    return figure


def page(rows: dict[str, dict[str, Any]]) -> str:
    """docs/gallery.md."""
    described = recipes()
    parts = [
        "# Every recipe once",
        "One run of each recipe as it comes, with samples at six moments over the training data, "
        "and what `dlcc evaluate` says of it. Made by `benchmarks/gallery.py`.",
    ]
    for name, row in rows.items():
        description = described[row["recipe"]].description
        options = "".join(f" --set {key}={value}" for key, value in row["settings"].items())
        if row["verdict"] is None:
            continue
        said = "unknown" if row.get("state") == "unknown" else row["verdict"]
        verdict = f"{said.capitalize()}, P(healthy) {row['p_healthy']:.0%}"
        if row["value"] is not None:
            verdict += f", V {row['value']:.2f}".replace("0.", ".")
        told = [f"{code}: {text}" for code, text in row["findings"].items() if _matters(code)]
        parts += [
            f"## {name}",
            f"{description[0].upper()}{description[1:]}.",
            f"`dlcc train {row['recipe']} --out {name}{options}`",
            f"![Samples of {name} at six moments over its training data](gallery/{name}.png)",
            f"**{verdict}** (by its target: {row['truth']}).",
            *told,
        ]
    return "\n\n".join(parts) + "\n"


def _matters(code: str) -> bool:
    return code.startswith(("GAN", "GEN", "LOG", "EXE", "REC"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "gallery")
    parser.add_argument("--page", action="store_true", help="write docs/gallery.md")
    parser.add_argument("names", nargs="*", help="recipes; all where none is named")
    given = parser.parse_args()
    os.environ["DLCC_LIBRARY"] = str(given.out / "none.npz")
    (DOCS / "gallery").mkdir(exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    for name in given.names or recipes():
        for settings in SETTINGS.get(name, [{}]):
            rows |= shown(name, settings, given.out)
    if given.names:
        before = json.loads((RESULTS / "gallery.json").read_text(encoding="utf-8"))["figures"]
        rows = before["runs"] | rows
    known = [row for row in rows.values() if row["truth"] is not None]
    judged = [row for row in known if row.get("state") != "unknown"]
    right = sum(row["truth"] == row["verdict"] for row in judged)
    figures = {"right": right, "judged": len(judged), "unknown": len(known) - len(judged)}
    figures["runs"] = rows
    write_result("gallery", figures, seeds={"run": [0]})
    if given.page:
        (DOCS / "gallery.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
