"""Labels of the packages' documented functions: made before the linker, and checked ever after.

    pip download --no-deps -d downloads PACKAGE==VERSION ...   # as labels.json names them
    # unpack each into FOLDER/PACKAGE-VERSION, torch's nn and optim as installed into FOLDER/torch
    python -m benchmarks.documented_code.labels FOLDER --write

A label is a file, a qualified name and a hash of the docstring, of which no text is kept here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.documented_code.cases import units_of

LABELS = Path(__file__).with_name("labels.json")
DEVELOPMENT = ("torch", "torchmetrics", "gpytorch", "pyro_ppl", "numpyro", "kornia")
"""Packages on which weights, calibration and threshold are fitted; all others are held out."""
FEWEST = 4  # documented units of a package that is worth a line


def folders(folder: Path) -> dict[str, Path]:
    """Unpacked packages by name."""
    return {p.name.rpartition("-")[0] or p.name: p for p in sorted(folder.iterdir()) if p.is_dir()}


def labels() -> dict[str, dict[str, object]]:
    """Labels by package: `part`, `version` and `units`."""
    found: dict[str, dict[str, object]] = json.loads(LABELS.read_text())
    return found


def labels_of(folder: Path) -> dict[str, dict[str, object]]:
    """Make the labels of unpacked packages."""
    found: dict[str, dict[str, object]] = {}
    for package, path in folders(folder).items():
        units = [[u.file, u.name, u.digest] for u in units_of(path, package)]
        if len(units) >= FEWEST:
            found[package] = {
                "part": "development" if package in DEVELOPMENT else "held out",
                "version": path.name.rpartition("-")[2],
                "units": units,
            }
    return found


def check(folder: Path) -> None:
    """Exit where a folder's packages are not those that were labelled."""
    here = labels_of(folder)
    for package, its in labels().items():
        if here.get(package) != its:
            raise SystemExit(
                f"{folder}: {package} {its['version']} is not there as it was labelled"
            )


def main() -> None:
    """Write the labels, or check a folder against them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    if chosen.write:
        lines = [
            f" {json.dumps(p)}: {json.dumps(its)}" for p, its in labels_of(chosen.folder).items()
        ]
        LABELS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    check(chosen.folder)


if __name__ == "__main__":
    main()
