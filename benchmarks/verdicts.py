"""How right verdicts are on 40 freshly trained runs, with samples and without.

    python benchmarks/verdicts.py --work /tmp/fresh

Trains runs with seeds and settings that the shipped table has never seen (`corpus.py`: the mix with
seed 2, the region "drift" with seed 4, in turn) until 40 are chosen in order, at least 8 of each of
healthy, collapsed, oscillating and diverged by the truth. Each is copied to a numbered folder
without its truth and documents and judged there by the health stage, through the pipeline as users
get it; then again without its samples. Beside the 40, the figures of all the runs that had to be
trained are given, which no quota has chosen. Runs are kept in --work, and trained once.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from corpus import MIX, make_run, run_name

from dlcc.pipeline import run_stages
from dlcc.recipes import truth
from dlcc.records import LABELS, HealthRecord
from dlcc.runs import Run
from dlcc.scoring.calibration import p_healthy
from dlcc.stages.health import Health

CHOSEN, QUOTA = 40, 8
QUOTED = ("healthy", "collapsed", "oscillating", "diverged")
FAILED = ("collapsed", "oscillating", "diverged")
NEAR = 0.1  # of the length, from the true onset
# folder -> corpus seed and regions; runs are taken from them in turn
SOURCES = {"mix": (2, tuple(MIX)), "drift": (4, ("drift",))}
EXAMPLES = ("digits-healthy", "ring-oscillating", "digits-collapsed")  # by falling stability
RUNS = Path(__file__).parent.parent / "runs"


Judged = tuple[truth.Truth, HealthRecord]
"""A run's truth, and what the health stage says of it."""


def fresh_runs(work: Path) -> Iterator[Path]:
    """Run folders, trained when they are asked for."""
    for number in count():
        for source, (seed, regions) in SOURCES.items():
            folder = work / source / run_name(number)
            if not folder.exists():
                folder.parent.mkdir(parents=True, exist_ok=True)
                make_run(folder.parent, seed, number, regions)
            yield folder


def choose(work: Path) -> tuple[list[Path], list[Path]]:
    """The 40, and all that had to be trained to find them.

    A run is taken while its label has fewer than 8; beyond that while places are left that no
    label still has a claim on.
    """
    taken: list[Path] = []
    trained: list[Path] = []
    labels: Counter[str] = Counter()
    for folder in fresh_runs(work):
        label = truth.read(folder).label
        trained.append(folder)
        claimed = sum(max(0, QUOTA - labels[name]) for name in QUOTED)
        wanted = label in QUOTED and labels[label] < QUOTA
        if wanted or len(taken) + claimed < CHOSEN:
            taken.append(folder)
            labels[label] += 1
        print(f"\r{len(trained)} trained, {len(taken)} chosen", end="", file=sys.stderr)
        if len(taken) == CHOSEN:
            break
    print(file=sys.stderr)
    return taken, trained


def judge(folders: Sequence[Path], work: Path, *, series_only: bool) -> list[Judged]:
    """Judge numbered copies that tell nothing but what was recorded; blind without samples."""
    hidden = [truth.TRUTH_FILE, "documents", *(["samples"] if series_only else [])]
    judged = []
    for number, folder in enumerate(folders):
        copy = work / "numbered" / f"{number:02d}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*hidden))
        judged.append((truth.read(folder), health_of(copy)))
        shutil.rmtree(copy)
        print(f"\r{number + 1} of {len(folders)} judged", end="", file=sys.stderr)
    print(file=sys.stderr)
    return judged


def health_of(folder: Path) -> HealthRecord:
    """What the health stage says of a run folder, in a process of its own."""
    run = Run.open(folder)
    (outcome,) = run_stages(run, [Health()], until=run.length)
    if outcome.status != "scored":
        raise RuntimeError(f"{folder}: health {outcome.status}: {outcome.reason}")
    (record,) = outcome.records
    return record


def figures(pairs: Sequence[Judged]) -> dict[str, Any]:
    """Verdicts, onsets and P(healthy) against the truth."""
    table = Counter((t.label, record.label) for t, record in pairs)
    healthy = [record.label for t, record in pairs if t.label == "healthy"]
    return {
        "runs": len(pairs),
        "right": sum(t.label == record.label for t, record in pairs),
        "right_by_data": {
            data: [
                sum(t.label == record.label for t, record in pairs if t.data == data),
                sum(t.data == data for t, _ in pairs),
            ]
            for data in sorted({t.data for t, _ in pairs})
        },
        "healthy_called_failed": sum(label in FAILED for label in healthy),
        "failed_called_healthy": sum(
            n for (label, said), n in table.items() if label in FAILED and said == "healthy"
        ),
        "confusion": {
            label: {said: table[label, said] for said in LABELS if table[label, said]}
            for label in LABELS
            if any(t.label == label for t, _ in pairs)
        },
        "onset": onset_figures(pairs),
        "p_healthy_brier": float(
            np.mean(
                [(p_healthy(r.features).mean() - (t.label == "healthy")) ** 2 for t, r in pairs]
            )
        ),
    }


def onset_figures(pairs: Sequence[Judged]) -> dict[str, int]:
    """Of the runs that have an onset, and of those which have none."""
    have = [(t, t.onset, record) for t, record in pairs if t.onset is not None]
    found = [(t, onset, r.onset, r.onset_interval) for t, onset, r in have if r.onset_interval]
    return {
        "have_one": len(have),
        "found": len(found),
        "near": sum(abs(said - onset) <= NEAR * t.length for t, onset, said, _ in found),
        "inside_90_interval": sum(low <= onset <= high for _, onset, _, (low, high) in found),
        "have_none_and_got_one": sum(t.onset is None and r.onset is not None for t, r in pairs),
    }


def examples() -> dict[str, Any]:
    """P(healthy) and stability of the example runs, and how surely they are in order."""
    records = {name: health_of(RUNS / name) for name in EXAMPLES}
    draws = [p_healthy(records[name].features) for name in EXAMPLES]
    stability = [records[name].stability for name in EXAMPLES]
    samples = [s.sample(name) for s, name in zip(stability, EXAMPLES, strict=True)]
    return {
        "p_healthy": {n: float(d.mean()) for n, d in zip(EXAMPLES, draws, strict=True)},
        "stability": {n: s.mean for n, s in zip(EXAMPLES, stability, strict=True)},
        "p_in_order_by_p_healthy": _in_order(draws),
        "p_in_order_by_stability": _in_order(samples),
    }


def _in_order(draws: Sequence[np.ndarray]) -> list[float]:
    """P(first > second), P(second > third); ties count half."""
    return [float(np.mean(a > b) + 0.5 * np.mean(a == b)) for a, b in pairwise(draws)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the trained runs")
    work = parser.parse_args().work
    taken, trained = choose(work)
    chosen = judge(taken, work, series_only=False)
    others = judge([folder for folder in trained if folder not in taken], work, series_only=False)
    write_result(
        "verdicts",
        {
            "with_samples": figures(chosen),
            "without_samples": figures(judge(taken, work, series_only=True)),
            "all_trained_with_samples": figures([*chosen, *others]),
            "examples": examples(),
        },
        seeds={source: seed for source, (seed, _) in SOURCES.items()},
    )


if __name__ == "__main__":
    main()
