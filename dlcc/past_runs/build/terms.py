"""Terms of a library, which scores are made of, from fits that never saw the setting.

Impact and novelty for every run; reproducibility and logic, which cost reruns and replays, for the
runs that were put to the test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dlcc.estimate import Estimate
from dlcc.past_runs.build.assembly import FOLDS, folds_by_setting
from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.independence import SUBSET, SUBSETS, run_graph_centrality
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, TERMS, Library
from dlcc.reruns.deviation import reproducibility
from dlcc.reruns.outcome import Judge
from dlcc.reruns.plan import Rerun
from dlcc.reruns.programs import EnsembleProgram
from dlcc.stage import Deadline
from dlcc.typing import Progress

_END = len(FRACTIONS) - 1
SEEDS = 4
_TOGETHER = 96  # reruns in one ensemble
_DAY = 86_400.0


def moments(estimate: Estimate, name: str) -> tuple[float, float]:
    """Compute mean and standard deviation of an estimate."""
    draws = estimate.sample(name)
    return float(draws.mean()), float(draws.std())


def with_term(library: Library, name: str, values: Mapping[int, tuple[float, float]]) -> Library:
    """Add mean and deviation of a term for some of a library's runs."""
    terms = library.terms.copy()
    for run, pair in values.items():
        terms[run, TERMS.index(name)] = pair
    return replace(library, terms=terms)


def impacts(
    library: Library, seed: int = 0, beside: Library | None = None
) -> dict[int, tuple[float, float]]:
    """Estimate the impact of every run, which has come to its end, from the other folds and the
    runs `beside` them."""
    fold = folds_by_setting(list(library.settings), FOLDS, seed)
    found = {}
    for k in range(FOLDS):
        rest = library.select(fold != k)
        past = rest if beside is None else beside.joined(rest)
        model = HealthModel(past, series_only=False)
        for run in map(int, np.flatnonzero(fold == k)):
            vector = dict(zip(library.names, library.vectors[run, _END].tolist(), strict=True))
            expected = model.continuation(vector)
            if expected is not None:
                found[run] = moments(expected, "impact")
    return found


def novelties(library: Library, seed: int = 0) -> dict[int, tuple[float, float]]:
    """Estimate the independence of every run among random parts of the library."""
    points = Space(library, _END, series_only=False).points
    rng = np.random.default_rng(seed)
    n = len(points)
    found: list[list[float]] = [[] for _ in range(n)]
    for _ in range(2 * SUBSETS):
        part = rng.choice(n, max(2, round(SUBSET * n)), replace=False)
        centrality = run_graph_centrality(points[part])
        ranks = np.argsort(np.argsort(centrality)) / (len(part) - 1)
        for run, rank in zip(part, ranks, strict=True):
            found[run].append(1 - float(rank))
    return {
        run: (float(np.mean(drawn)), float(np.std(drawn)))
        for run, drawn in enumerate(found)
        if drawn
    }


def reproducibilities(
    library: Library, runs: Sequence[int], reference: Callable[[str], Any], progress: Progress
) -> dict[int, tuple[float, float]]:
    """Estimate the reproducibility of these runs' own ends from reruns with other seeds."""
    from dlcc.ensembles import by_shape

    rng = np.random.default_rng(len(library))
    plan = [
        Rerun("seed", {**library.configs[run], "seed": int(rng.integers(2**31))})
        for run in runs
        for _ in range(SEEDS)
    ]
    stability = np.full(len(plan), np.nan)
    groups = [
        group[k : k + _TOGETHER]
        for group in by_shape([rerun.config for rerun in plan])
        for k in range(0, len(group), _TOGETHER)
    ]
    for done, group in enumerate(groups):
        progress(done / len(groups), "reruns")
        program = EnsembleProgram(reference(str(plan[group[0]].config["data"])))
        length = int(plan[group[0]].config["steps"])
        made = program.run([plan[i] for i in group], length, Deadline(_DAY), lambda s, w: None)
        judge = Judge(library, program.reference, program.kind)
        stability[group] = [judge(recorded, length).stability for recorded in made]
    own = library.columns(["good_half"], series_only=False)[:, 0]
    return {
        int(run): moments(reproducibility(outcomes, rng, float(own[run])), "reproducibility")
        for run, outcomes in zip(runs, stability.reshape(len(runs), SEEDS), strict=True)
    }
