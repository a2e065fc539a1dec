"""Whether V can be had cheaply: variants of ten healthy runs that must not score above them.

    python benchmarks/variants.py --work /tmp/fresh

The first ten healthy ones of the 40 fresh runs of benchmarks/verdicts.py, and of each

- doctored: a copy in which something was forged, every checksum put right again;
- collapsed: the same setting with a generator that hardly learns, so that it collapses with every
  seed: as reproducible as can be;
- diverged: the same data with wide networks, a long noise and rates that no past run had: novel,
  and it diverges;
- stripped: a copy without snapshots and documents.

All are evaluated with all stages, as `dlcc evaluate` does, their truth hidden. For each variant:
how many score above their original, by V and by P(healthy), and for the stripped ones how many of
the 90 % intervals hold the original's V. Variants and evaluations are kept in --work.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result
from verdicts import choose

from dlcc import evaluate
from dlcc.past_runs.build.forgeries import doctored_copy
from dlcc.recipes import truth
from dlcc.recipes.train import train
from dlcc.runs import Run

RUNS, SEED = 10, 905
COLLAPSED = {"lr_g": 1e-6}
DIVERGED = {
    "optimizer": "sgd", "beta1": 0.97, "lr_g": 10.0, "lr_d": 10.0, "width": 96, "depth": 4,
    "zdim": 48, "batch": 100, "init": 3.0,
}  # fmt: skip
Numbers = Mapping[str, Any]


def _trained(change: Mapping[str, Any], label: str) -> Callable[[Path, Path, int], str]:
    def make(original: Path, target: Path, number: int) -> str:
        config = dict(Run.open(original).manifest.config)
        data = config.pop("data")
        judged = train(data, target, {**config, **change, "seed": SEED + number}, snapshots=2)
        if judged.label != label:
            raise RuntimeError(f"{target}: {judged.label}, expected {label}")
        return judged.label

    return make


def _doctored(original: Path, target: Path, number: int) -> str:
    return doctored_copy(original, target, np.random.default_rng([SEED, number]))


def _stripped(original: Path, target: Path, number: int) -> str:
    shutil.copytree(original, target, ignore=shutil.ignore_patterns("snapshots", "documents"))
    return "no snapshots, no documents"


VARIANTS: Mapping[str, Callable[[Path, Path, int], str]] = {
    "doctored": _doctored,
    "collapsed": _trained(COLLAPSED, "collapsed"),
    "diverged": _trained(DIVERGED, "diverged"),
    "stripped": _stripped,
}


def scores(folder: Path, work: Path) -> Numbers:
    """What an evaluation with all stages says of a copy without the truth."""
    kept = work / f"{folder.parent.name}-{folder.name}.json"
    if not kept.exists():
        copy = work / "copy" / "run"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(truth.TRUTH_FILE))
        report = evaluate(copy, use_cache=False).report
        failed = [stage.name for stage in report.failed_stages]
        if failed:
            raise RuntimeError(f"{folder}: {', '.join(failed)} failed")
        p = report.verdict.p_healthy
        kept.write_text(
            json.dumps(
                {
                    "v": asdict(report.value),
                    "p": None if p is None else asdict(p),
                    "terms": {t.name: round(t.mean, 4) for t in report.terms if t.measured},
                    "label": report.verdict.label,
                }
            )
        )
    return dict(json.loads(kept.read_text()))


def made(kind: str, original: Path, number: int, work: Path) -> Path:
    """The folder of a variant, made if it is not there."""
    target = work / kind / f"{number:02d}"
    if not target.exists():
        beside = work / "making" / f"{number:02d}"
        shutil.rmtree(beside, ignore_errors=True)
        beside.parent.mkdir(parents=True, exist_ok=True)
        VARIANTS[kind](original, beside, number)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.rename(target)
    return target


def compared(kind: str, originals: list[Path], work: Path) -> dict[str, Any]:
    """The variants of a kind beside their originals."""
    pairs = []
    for number, original in enumerate(originals):
        variant = scores(made(kind, original, number, work), work)
        pairs.append((scores(original, work), variant))
        print(f"\r{kind} {number + 1} of {len(originals)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    v = np.array(
        [[a["v"]["mean"], b["v"]["mean"], b["v"]["low"], b["v"]["high"]] for a, b in pairs]
    )
    p = np.array([[a["p"]["mean"], b["p"]["mean"]] for a, b in pairs])
    return {
        "above_by_v": int((v[:, 1] > v[:, 0]).sum()),
        "above_by_p_healthy": int((p[:, 1] > p[:, 0]).sum()),
        "interval_holds_the_original_v": int(((v[:, 2] <= v[:, 0]) & (v[:, 0] <= v[:, 3])).sum()),
        "v": np.round(v, 3).tolist(),
        "p_healthy": np.round(p, 3).tolist(),
        "terms": [variant["terms"] for _, variant in pairs],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the trained runs")
    fresh = parser.parse_args().work
    torch.set_num_threads(1)
    folders = [f for f in choose(fresh)[0] if truth.read(f).label == "healthy"]
    if len(folders) < RUNS:  # the quota fills with eight; the rest are the next that were trained
        taken = set(folders)
        more = [f for f in choose(fresh)[1] if f not in taken and truth.read(f).label == "healthy"]
        folders += more
    originals, work = folders[:RUNS], fresh / "variants"
    work.mkdir(exist_ok=True)
    write_result(
        "variants",
        {"runs": len(originals), **{kind: compared(kind, originals, work) for kind in VARIANTS}},
        seeds={"variants": SEED},
    )


if __name__ == "__main__":
    main()
