"""Numbers of `report.json` that two versions of this package do not share.

```console
$ python tests/equal.py v0.1.0 HEAD
$ python tests/equal.py v0.1.0 . --keep /tmp/equal
```
OLD and NEW are revisions of this repository, or folders that hold a checkout. Each version is
installed beside the other without its dependencies, and evaluates the same cases from an empty
cache: the bundled runs, `map-f1` as its paper has it and mended (both trained by OLD), and a folder
with metrics.csv. Every leaf of the reports outside `environment` is compared and each that differs
is printed; the exit code is 1 if one does that is not prose (`WORDED`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ("digits-healthy", "digits-collapsed", "ring-oscillating")
TRAINED: Mapping[str, tuple[str, ...]] = {
    "map-f1-paper": ("map-f1", "--set", "variant=paper"),
    "map-f1-mended": ("map-f1", "--set", "variant=mended"),
}
WORDED = frozenset(
    (
        "sentence",
        "record",
        "disagreement",
        "message",
        "title",
        "remedy",
        "note",
        "words",
        "describes",
        "reason",
        "region",
        "statement",
        "where",
        "why_no_reruns",
    )
)
"""Keys of the report whose texts are prose; any other text, such as a label, is a figure."""
_CSV = """
import csv, json, sys
from pathlib import Path
from dlcc.runs import Run
run, out = Run.open(sys.argv[1]), Path(sys.argv[2])
out.mkdir()
columns = run.series().columns
names = [n for n in ("d_loss", "g_loss", "d_real", "d_fake")]
series = [columns[n] for n in ("discriminator/loss", "generator/loss", "discriminator/real",
                               "discriminator/fake")]
with (out / "metrics.csv").open("w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["step", *names])
    rows.writerows(zip(series[0].steps.tolist(), *(c.values.tolist() for c in series)))
(out / "config.json").write_text(json.dumps({"loss": "ns", "total_iterations": run.length}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--keep", type=Path, help="folder in which installations and reports stay")
    parser.add_argument("--only", nargs="*", help="names of cases")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.keep or Path(temporary)
        work = work.resolve()
        work.mkdir(parents=True, exist_ok=True)
        old, new = installed(given.old, work), installed(given.new, work)
        cases = made_cases(work / "cases", old)
        chosen = {n: p for n, p in cases.items() if not given.only or n in given.only}
        differing = 0
        for name, path in chosen.items():
            before, after = (report(p, name, path, work) for p in (old, new))
            found = list(differences(before, after))
            figures = sum(not worded for _, worded in found)
            count = sum(1 for _ in leaves(before))
            print(f"{name}: {figures} of {count} leaves differ, {len(found) - figures} in words")
            for line, _ in found:
                print(f"  {line}")
            differing += figures
    return 1 if differing else 0


def installed(version: str, work: Path) -> Path:
    """Folder that holds the package of a revision, or of a checkout, and its entry points."""
    checkout = Path(version)
    if not (checkout / "pyproject.toml").is_file():
        commit = _git("rev-parse", f"{version}^{{commit}}")
        checkout, target = work / f"checkout-{commit[:12]}", work / f"package-{commit[:12]}"
        if not checkout.exists():
            _run("git", "clone", "--quiet", "--no-checkout", str(ROOT), str(checkout))
            _run("git", "-C", str(checkout), "checkout", "--quiet", commit)
    else:
        target = work / f"package-{checkout.resolve().name}"
        shutil.rmtree(target, ignore_errors=True)
    if not target.exists():
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps")
        _run(*pip, "--target", str(target), str(checkout))
    return target


def made_cases(folder: Path, package: Path) -> dict[str, Path]:
    """Name of each case and its folder; what is there already is not made again."""
    cases = {name: ROOT / "runs" / name for name in BUNDLED}
    folder.mkdir(exist_ok=True)
    for name, (recipe, *settings) in TRAINED.items():
        cases[name] = folder / name
        if not cases[name].exists():
            _dlcc(package, folder, "train", recipe, "--out", str(cases[name]), *settings)
    cases["csv"] = folder / "csv"
    if not cases["csv"].exists():
        python = (sys.executable, "-c", _CSV, str(cases["digits-healthy"]), str(cases["csv"]))
        _run(*python, cwd=folder, env=_environment(package, folder))
    return cases


def report(package: Path, name: str, run: Path, work: Path) -> dict[str, Any]:
    """The report of a case by a package, without what may differ between two evaluations."""
    out = work / f"reports-{package.name}" / name
    if not (out / "report.json").is_file():
        # reruns in the sandbox take long: as many as surely fit, for their number is in the report
        few = ("--set", "reproducibility.reruns=4") if name in TRAINED else ()
        options = ("--json", "--no-cache", "--timeout", "3600", *few)
        _dlcc(package, work, "evaluate", str(run), "--out", str(out), *options)
    content: dict[str, Any] = json.loads((out / "report.json").read_text())
    return {key: value for key, value in content.items() if key != "environment"}


def differences(old: Any, new: Any) -> Iterator[tuple[str, bool]]:
    """A line for each leaf that one of them has not, or has otherwise, and whether it is prose in
    both."""
    before, after = dict(leaves(old)), dict(leaves(new))
    for path in sorted({*before, *after}):
        ours, theirs = before.get(path, "(not there)"), after.get(path, "(not there)")
        if ours != theirs:
            line = f"{path}: {ours!r:.160} -> {theirs!r:.160}"
            key = path.rpartition(".")[2].partition("[")[0]
            prose = isinstance(ours, str) and isinstance(theirs, str)
            yield line, prose and path in before and path in after and key in WORDED


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value of a JSON document and the way to it; lists of named items go by name."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "environment":
                yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for i, item in enumerate(value):
            name = item.get("name", item.get("code", i)) if isinstance(item, dict) else i
            yield from leaves(item, f"{path}[{name}]")
    else:
        yield path, value


def _dlcc(package: Path, work: Path, *arguments: str) -> None:
    command = (sys.executable, "-c", "from dlcc.cli import main; main()", *arguments)
    _run(*command, cwd=work, env=_environment(package, work), also=(3,))


def _environment(package: Path, work: Path) -> dict[str, str]:
    """That of a package before any other, with no cache and no past runs of one's own."""
    empty = {"DLCC_CACHE_DIR": f"cache-{package.name}", "DLCC_LIBRARY": "own/library.npz",
             "XDG_DATA_HOME": "own"}  # fmt: skip
    return {**os.environ, "PYTHONPATH": str(package)} | {k: str(work / v) for k, v in empty.items()}


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _run(*command: str, also: tuple[int, ...] = (), **options: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode not in (0, *also):
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
