"""Make the table of past runs that ships with the package, from corpora of recorded runs.

    python benchmarks/corpus.py --out /tmp/corpus --n 304 --seed 1
    python benchmarks/corpus.py --out /tmp/corpus-drift --n 60 --seed 3 --regions drift
    python benchmarks/outcomes.py /tmp/corpus /tmp/corpus-drift

Every run of a corpus is read as any run would be, through its record alone; its truth gives the
label. P(good) enters the vectors out of fold (five folds over runs; every run is a setting of its
own), so that what is fitted on the vectors meets them as they will be for a new run. Writes
dlcc/library/outcomes.npz and, with the errors of the estimates, benchmarks/results/outcomes.json.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import write_result
from numpy.typing import NDArray

from dlcc.library.logistic import LogisticPosterior, fit_logistic
from dlcc.library.outcomes import LABELS, TABLE, Outcomes
from dlcc.recipes import truth
from dlcc.records import Samples, Series
from dlcc.runs import Run
from dlcc.stages.health.curves import Curves, run_vector
from dlcc.stages.health.model import blind_features, sighted_features
from dlcc.stages.health.samples import Reference, sample_features
from dlcc.stages.health.windows import window_features

Floats = NDArray[np.float64]
FOLDS = 5


@dataclass(frozen=True)
class Row:
    """One run: its figures over time, and how it ended."""

    name: str
    """`corpus/run`, of their folders."""
    curves: Curves
    truth: truth.Truth

    @property
    def blind(self) -> Curves:
        return Curves(self.curves.windows, None)

    @property
    def good(self) -> NDArray[np.int64]:
        return np.array(self.truth.good[: truth.CHECKPOINTS], dtype=np.int64)


def read_rows(corpora: Sequence[Path], cache: Path | None = None) -> list[Row]:
    """Every complete run of the corpora; figures already made are taken from `cache` (a folder)."""
    references: dict[str, Reference] = {}
    rows = []
    for folder in (f for corpus in corpora for f in _complete(corpus)):
        name = f"{folder.parent.name}/{folder.name}"
        kept = cache / f"{name}.npz" if cache else None
        if kept and kept.exists():
            with np.load(kept) as file:
                curves = Curves(file["windows"], file["samples"])
        else:
            curves = _curves(folder, references)
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                np.savez(kept, windows=curves.windows, samples=curves.samples)
        rows.append(Row(name, curves, truth.read(folder)))
        print(f"\r{len(rows)} runs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def _complete(corpus: Path) -> list[Path]:
    return sorted(path.parent for path in corpus.glob(f"*/{truth.TRUTH_FILE}"))


def _curves(folder: Path, references: dict[str, Reference]) -> Curves:
    run = Run.open(folder)
    series, samples = Series.of(run, run.length), Samples.of(run, run.length)
    assert series is not None
    assert samples is not None
    data = str(run.manifest.data["name"])
    if data not in references:  # the reference is the same for every run of a data set
        assert samples.reference is not None
        references[data] = Reference.of(samples.reference)
    figures = [sample_features(samples.at(step), references[data]) for step in samples.steps]
    return Curves(window_features(series, run.length), np.array(figures))


def make_outcomes(rows: list[Row], seed: int = 0) -> Outcomes:
    """The table of these runs, P(good) out of fold."""
    fold = np.random.default_rng(seed).permutation(len(rows)) % FOLDS
    vectors, blind_vectors = [{}] * len(rows), [{}] * len(rows)
    for k in range(FOLDS):
        sighted, blind = _fit_good([r for r, f in zip(rows, fold, strict=True) if f != k])
        for i in np.flatnonzero(fold == k):
            row = rows[i]
            good = sighted.probabilities(sighted_features(row.curves))[:, 1]
            vectors[i] = run_vector(row.curves, good)
            good = blind.probabilities(blind_features(row.blind))[:, 1]
            blind_vectors[i] = run_vector(row.blind, good)
    names = tuple(vectors[0])
    sighted, blind = _fit_good(rows)
    return Outcomes(
        names=names,
        vectors=np.array([[v[n] for n in names] for v in vectors]),
        blind_vectors=np.array([[v.get(n, np.nan) for n in names] for v in blind_vectors]),
        labels=np.array([LABELS.index(r.truth.label) for r in rows]),
        stability=np.array([r.truth.stability for r in rows]),
        next_quarter=np.array([r.truth.next_quarter for r in rows], dtype=np.float64),
        data=np.array([r.truth.data for r in rows]),
        good=sighted,
        blind_good=blind,
    )


def _fit_good(rows: list[Row]) -> tuple[LogisticPosterior, LogisticPosterior]:
    good = np.concatenate([r.good for r in rows])
    sighted = fit_logistic(np.concatenate([sighted_features(r.curves) for r in rows]), good, 2)
    blind = fit_logistic(np.concatenate([blind_features(r.blind) for r in rows]), good, 2)
    return sighted, blind


def errors(rows: list[Row], table: Outcomes) -> dict[str, float]:
    """How far estimates from records lie from the truth: standard deviations."""
    coverage, swing = [], []
    for row in rows:
        true = np.array([c.coverage for c in row.truth.checkpoints[: truth.CHECKPOINTS]])
        assert row.curves.samples is not None
        coverage.append(row.curves.samples[-4:, 0].mean() - true[-4:].mean())
        half = row.curves.samples[len(true) // 2 :, 0]
        swing.append(
            truth.deviation_from_trend(list(half))
            - truth.deviation_from_trend(list(true[len(true) // 2 :]))
        )
    quarter = [r.good[-10:].mean() for r in rows]
    share = table.columns(["good_quarter"], blind=False)[:, 0] - quarter
    return {
        "coverage_last_sd": float(np.std(coverage)),
        "coverage_swing_sd": float(np.std(swing)),
        "good_quarter_sd": float(np.std(share)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path, nargs="+", metavar="CORPUS")
    parser.add_argument("--cache", type=Path, help="folder for figures already made")
    parser.add_argument("--out", type=Path, default=TABLE)
    arguments = parser.parse_args()
    rows = read_rows(arguments.corpora, arguments.cache)
    table = make_outcomes(rows)
    table.save(arguments.out)
    labels = Counter(r.truth.label for r in rows)
    write_result(
        "outcomes",
        {
            "runs": len(rows),
            "labels": dict(labels),
            "data": dict(Counter(r.truth.data for r in rows)),
            "bytes": arguments.out.stat().st_size,
            "errors_of_estimates": errors(rows, table),
        },
        seeds={"corpora": [1, 3], "folds": 0},
    )


if __name__ == "__main__":
    main()
