"""The report's page of a long record: seconds and memory to make it, its size, seconds to open it.

    python benchmarks/page.py [--steps N] [--snapshots N]

A record of 10^6 steps of eight quantities, 1,000 snapshots with their landscape, and 40 steps of
samples of digits, is made in a temporary folder. The page is made in a process of its own, from the
report of an evaluation without stages, so that the page alone is measured; Chromium, where there is
one, says how long it takes until the page is loaded and its first chart drawn.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import write_result
from sklearn.datasets import load_digits

import dlcc
from dlcc.landscape.summary import GameSummary, LandscapeSummary, PlayerSummary
from dlcc.runs.layout import RunLayout
from dlcc.runs.snapshot_landscape import SnapshotLandscape, write_landscape

QUANTITIES = [
    f"{player}/{name}"
    for player in ("generator", "discriminator")
    for name in ("loss", "grad_norm", "penalty", "output")
]
MAKE = """
import resource, sys, time
from dlcc.evaluation import evaluate
found = evaluate(sys.argv[1], only=["ingestion"])
began = time.perf_counter()
text = found.to_html()
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
open(sys.argv[2], "w").write(text)
"""


def record(folder: Path, steps: int, snapshots: int) -> None:
    """Make the record."""
    rng = np.random.default_rng(0)
    digits = torch.as_tensor(load_digits().data / 8 - 1, dtype=torch.float32)
    net = torch.nn.Linear(4, 4)
    every, taken = max(1, steps // 40), max(1, steps // snapshots)
    with dlcc.Recorder(
        folder,
        length=steps,
        track_updates=False,
        players={"generator": net, "discriminator": net},
        reference=digits,
    ) as rec:
        for step in range(steps):
            if step % taken == 0:
                rec.snapshot(step)
            if step % every == 0:
                rec.samples(step, digits[rng.permutation(len(digits))[:256]])
            rec.log(step, dict(zip(QUANTITIES, rng.lognormal(size=8).tolist(), strict=True)))
    for step in RunLayout(folder).snapshot_steps():
        write_landscape(RunLayout(folder).snapshot(step).landscape, landscape(step, rng))


def landscape(step: int, rng: np.random.Generator) -> SnapshotLandscape:
    """Landscape with a slice and ten eigenvalues."""
    line = np.linspace(-1, 1, 21)
    players = {
        name: PlayerSummary(
            loss=0.7, gradient_norm=float(rng.lognormal()), smallest=-0.5, smallest_error=0.01,
            largest=float(rng.lognormal()), largest_error=0.01, trace=3.0, trace_error=0.3,
            slice_at=tuple(line.tolist()), slice_losses=tuple((0.7 + line**2).tolist()),
        )
        for name in ("generator", "discriminator")
    }  # fmt: skip
    real, imaginary = rng.normal(size=(2, 10))
    game = GameSummary(
        tuple(real.tolist()), tuple(imaginary.tolist()), (0.0,) * 10, 0.4, (0.1, 0.2)
    )
    return SnapshotLandscape(1, step, 32, 0.1, None, LandscapeSummary(players, game, None))


def opening(page: Path) -> dict[str, float]:
    """Seconds until Chromium has loaded the page and drawn its first chart."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as made:
        browser = made.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = []
        for _ in range(5):
            shown = browser.new_page(viewport={"width": 1280, "height": 800})
            began = time.perf_counter()
            shown.goto(page.as_uri())
            shown.wait_for_selector("figure.alive canvas")
            found.append(time.perf_counter() - began)
            shown.close()
        browser.close()
    return {"seconds_to_open": float(np.median(found))}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--snapshots", type=int, default=1_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run, page = Path(folder) / "run", Path(folder) / "page.html"
        record(run, asked.steps, asked.snapshots)
        done = subprocess.run(
            [sys.executable, "-c", MAKE, str(run), str(page)], check=True, capture_output=True
        )
        seconds, memory = map(float, done.stdout.split())
        figures = {
            "steps": asked.steps,
            "snapshots": asked.snapshots,
            "seconds": seconds,
            "gib": memory,
            "megabytes": page.stat().st_size / 1e6,
            **opening(page),
        }
    write_result("page", json.loads(json.dumps(figures)), {"numpy": 0})


if __name__ == "__main__":
    main()
