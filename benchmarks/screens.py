"""First screens of reports of six kinds of run, for docs/screens/, and docs/report.png.

    python benchmarks/screens.py [--out DIR]

The two examples are evaluated as they lie here; the others are trained in DIR first, some minutes
in all. Needs Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from dlcc.evaluation import evaluate
from dlcc.recipes.train import train

ROOT = Path(__file__).parent.parent
SCREENS = ROOT / "docs" / "screens"
TRAINED: dict[str, dict[str, Any]] = {
    "image-vae": {"steps": 1_500},
    "map-f1": {},
    "ae-f3": {},
    "table-gan": {"steps": 2_000},
}
"""Recipe -> its settings."""
EXAMPLES = ("digits-collapsed", "ring-oscillating")


def pages() -> dict[str, Path]:
    """Reports by the name of their run, in the folder where this is called."""
    runs = {name: Path("runs") / name for name in EXAMPLES}
    for recipe, settings in TRAINED.items():
        runs[recipe] = Path("runs") / recipe
        if not runs[recipe].exists():
            train(recipe, runs[recipe], settings)
    found = {}
    for name, run in runs.items():
        out = Path("reports") / name
        print(name, evaluate(run, out=out).report.verdict.sentence, flush=True)
        found[name] = out / "report.html"
    return found


def main() -> None:
    """Make the screens."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(tempfile.mkdtemp()))
    folder = parser.parse_args().out
    for name in EXAMPLES:
        shutil.copytree(ROOT / "runs" / name, folder / "runs" / name, dirs_exist_ok=True)
    os.chdir(folder)  # so that pages name runs by short paths
    made = pages()
    SCREENS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, page in made.items():
            shown = browser.new_page(viewport={"width": 1280, "height": 800})
            shown.goto(page.resolve().as_uri())
            shown.wait_for_selector("figure.alive canvas")
            shown.wait_for_timeout(500)
            shown.screenshot(path=SCREENS / f"{name}.png")
            shown.close()
        browser.close()
    shutil.copy(SCREENS / "digits-collapsed.png", ROOT / "docs" / "report.png")


if __name__ == "__main__":
    main()
