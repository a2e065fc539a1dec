"""Whether the review queue finds what moves the calibration, and reviews the weights.

    python benchmarks/review.py

- labels needed: the calibration is fitted on two data sets of the shipped library and meets the
  third; its runs are reviewed one by one, in the queue's order or at random, until the expected
  calibration error over all its runs is at most .06 and stays there for five more labels. A
  repeat draws 60 % of the runs as those that can be reviewed. Four further cases distort the
  logit of calibrated probabilities.
- planted weights: verdicts drawn from a score with known weights; how near the reviews' evidence
  comes.
- undo: weights and calibration after a review and its undoing, bit for bit.

Writes benchmarks/results/review.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from scipy.stats import spearmanr

from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import TERMS, Library
from dlcc.records import LABELS
from dlcc.review.candidates import Candidate, queue
from dlcc.review.effect import logit, recalibrate, review_effect, sigmoid, term_evidence
from dlcc.review.reviews import Review, history, record, undo
from dlcc.scoring.calibration import calibrate, features
from dlcc.scoring.weights import posterior_weights
from dlcc.typing import Floats

BAR, STAYS, MOST, REPEATS, SHARE = 0.06, 5, 120, 20, 0.6


def ece(p: Floats, healthy: Floats, bins: int = 10) -> float:
    """Expected calibration error, ten bins of equal width."""
    at = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [abs(p[at == b].sum() - healthy[at == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(p))


def held_out(library: Library, data: str, *, series_only: bool) -> tuple[Library, Floats]:
    """The rows of a data set, and P(healthy) by a calibration that never saw it."""
    untampered = library.select(library.true_record)
    inside, outside = (
        untampered.select(untampered.data == data),
        untampered.select(untampered.data != data),
    )
    fit = calibrate(outside, series_only=series_only)
    table = inside.columns(features(series_only=series_only), series_only=series_only)
    return inside, fit.probabilities(np.nan_to_num(table))[:, 1]


def candidates_of(rows: Library, p: Floats) -> list[Candidate]:
    """Rows as the queue takes them."""
    return [
        Candidate(
            name=f"run-{i}",
            terms={
                name: (float(mean), float(sd))
                for name, (mean, sd) in zip(TERMS, rows.terms[i], strict=True)
                if np.isfinite(mean) and np.isfinite(sd)
            },
            p_healthy=float(p[i]),
        )
        for i in range(len(rows))
    ]


def labels_needed(
    choose: Callable[[list[int], list[int]], int], pool: list[int], p: Floats, healthy: Floats
) -> int:
    """Labels until the error is at most BAR and stays there; MOST + 1 where it never is."""
    asked: list[int] = []
    left = list(pool)
    errors = [ece(p, healthy)]
    while len(asked) < min(MOST, len(pool)):
        one = choose(left, asked)
        left.remove(one)
        asked.append(one)
        errors.append(ece(recalibrate(p[asked], healthy[asked])(p), healthy))
        if len(errors) > STAYS and max(errors[-STAYS - 1 :]) <= BAR:
            return len(asked) - STAYS
    return MOST + 1


def by_queue(candidates: Sequence[Candidate], healthy: Floats) -> Callable[[Any, Any], int]:
    number = {candidate.name: i for i, candidate in enumerate(candidates)}

    def choose(left: list[int], asked: list[int]) -> int:
        reviews = [
            Review(k, "", candidates[i].name, "", candidates[i].terms, candidates[i].p_healthy,
                   bool(healthy[i]))
            for k, i in enumerate(asked)
        ]  # fmt: skip
        first = queue([candidates[i] for i in left], reviews, most=1)[0]
        return number[first.candidate.name]

    return choose


def at_random(rng: np.random.Generator, left: list[int], asked: list[int]) -> int:
    return left[int(rng.integers(len(left)))]


def in_doubt(p: Floats, left: list[int], asked: list[int]) -> int:
    return min(left, key=lambda i: abs(p[i] - 0.5))


def compare(rows: Library, p: Floats, repeats: int) -> dict[str, Any]:
    """Labels needed by the queue's order and at random."""
    healthy = (rows.labels == LABELS.index("healthy")).astype(np.float64)
    candidates = candidates_of(rows, p)
    active, chance, doubt = [], [], []
    for repeat in range(repeats):
        rng = np.random.default_rng(repeat)
        size = round(SHARE * len(rows))
        pool = [int(i) for i in rng.choice(len(rows), size, replace=False)]
        active.append(labels_needed(by_queue(candidates, healthy), pool, p, healthy))
        chance.append(labels_needed(partial(at_random, rng), pool, p, healthy))
        doubt.append(labels_needed(partial(in_doubt, p), pool, p, healthy))
    best = recalibrate(p, healthy)(p)
    return {
        "runs": len(rows), "ece_before": ece(p, healthy), "ece_with_all_labels": ece(best, healthy),
        "queue": spread(active), "random": spread(chance), "most_uncertain": spread(doubt),
        "queue_to_random": float(np.median(active) / max(1.0, float(np.median(chance)))),
    }  # fmt: skip


def spread(needed: Sequence[int]) -> dict[str, float]:
    low, median, high = np.quantile(needed, [0.1, 0.5, 0.9])
    never = float(np.mean(np.array(needed) > MOST))
    return {"median": float(median), "p10": float(low), "p90": float(high), "never": never}


def planted(verdicts: int, trials: int = 20) -> dict[str, float]:
    """Weights drawn at random, found again from verdicts."""
    errors, ranks, tops = [], [], []
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        weights = rng.dirichlet(np.ones(5))
        terms = rng.random((verdicts, 5))
        score = terms @ weights
        chance = sigmoid(20 * (score - np.median(score)))
        found = term_evidence(terms, (rng.random(verdicts) < chance).astype(np.float64))
        errors.append(float(np.abs(found - weights).sum()))
        ranks.append(float(spearmanr(found, weights).statistic))
        tops.append(float(found.argmax() == weights.argmax()))
    return {
        "l1_error_median": float(np.median(errors)),
        "l1_error_p90": float(np.quantile(errors, 0.9)),
        "rank_correlation_median": float(np.median(ranks)), "same_heaviest": float(np.mean(tops)),
    }  # fmt: skip


def undo_is_exact(library: Library, trials: int = 50) -> bool:
    """Whether calibration and weights come back to the very same bits."""
    prior = dict.fromkeys((*TERMS, "meta"), 0.2)
    rng = np.random.default_rng(0)

    def state(path: Path) -> str:
        now = review_effect(history(path))
        weights = posterior_weights(library, prior, now.counts(prior))
        grid = now.calibration(np.linspace(0.01, 0.99, 99))
        return repr((now, weights, grid.tobytes().hex()))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.jsonl"
        for trial in range(trials):
            before = state(path)
            numbers = {name: (float(rng.random()), 0.05) for name in TERMS}
            given = {"p_before": float(rng.random()), "terms": numbers, "path": path}
            record(f"run-{trial}", healthy=bool(rng.random() < 0.5), **given)
            changed = state(path)
            undo(path)
            if state(path) != before or changed == before:
                return False
            record(f"run-{trial}", healthy=bool(rng.random() < 0.5), **given)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    library = shipped_library()
    cases = {}
    for data, series_only in (("grid9", False), ("grid9", True), ("digits", True)):
        rows, p = held_out(library, data, series_only=series_only)
        name = f"{data}, {'series alone' if series_only else 'with samples'}"
        cases[name] = compare(rows, p, arguments.repeats)
        print(name, json.dumps(cases[name]), flush=True)
    for name, data, series_only, (a, b) in (
        ("too hopeful", "grid9", True, (1.2, 1.0)), ("too gloomy", "digits", False, (-1.5, 1.0)),
        ("too sure", "grid9", True, (0.0, 2.5)), ("too timid", "ring", False, (0.0, 0.4)),
    ):  # fmt: skip
        rows = library.select(library.true_record & (library.data == data))
        table = np.nan_to_num(
            rows.columns(features(series_only=series_only), series_only=series_only)
        )
        sound = calibrate(library, series_only=series_only).probabilities(table)[:, 1]
        cases[name] = compare(rows, sigmoid(a + b * logit(sound)), arguments.repeats)
        print(name, json.dumps(cases[name]), flush=True)
    figures = {
        "labels_needed_to_ece_of_0.06": cases,
        "planted_weights": {str(n): planted(n) for n in (50, 200)},
        "undo_restores_every_bit": undo_is_exact(library),
        "library_runs": len(library),
    }
    if arguments.no_write:
        print(json.dumps(figures, indent=1))
        return
    write_result("review", figures, seeds={"repeats": list(range(arguments.repeats))})


if __name__ == "__main__":
    main()
