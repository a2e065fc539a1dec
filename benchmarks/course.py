"""Whether what forecasts say of the rest of a training holds, on settings and data sets left out.

    python benchmarks/course.py

Past runs are forecast at 10, 20 and 50 % from other folds of settings, and from other data sets:
the probability of each label, the share of good sample steps in the next quarter, the risk to fail
over the rest, and where samples are best. Beside each stands what the past runs say alike of every
run (the base rate). Intervals are bootstrapped over settings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import write_result
from members import FAMILIES, LOOKS, Bootstrap, Family, Question
from numpy.typing import NDArray
from own_runs import beyond_chance
from transfer import of_images

from dlcc.forecast.forecaster import Forecaster, Prediction
from dlcc.forecast.forecasters import pooled_shares
from dlcc.forecast.forest import OutcomeForest
from dlcc.forecast.pooled import PooledForecaster
from dlcc.past_runs.courses import KNOWN_AT, Courses
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.patterns import CONFIGURED, figures_of
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS

Floats = NDArray[np.float64]
SEED, TREES = 0, 36


def grown(space: Space) -> Forecaster:
    """Forecaster of few trees on the past runs of a space."""
    past = space.library
    forest = OutcomeForest.fit(
        space.points, past.labels, past.stability, len(past.label_names), TREES
    )
    return Forecaster(space, forest, None)


def predictions(question: Question) -> list[Prediction]:
    """Forecasts of the runs that are asked about, as they ship."""
    near = grown(question.space)
    if not question.images:
        return near.many(question.raw)
    given, asked, look = question.known.as_given, question.asked, question.look
    names = figures_of(("configuration", "rows as given"), Space(given, look, False).names)
    told = Space(question.known, look, series_only=True, only=CONFIGURED)
    general = Space(given, look, False, names)
    shared = pooled_shares(question.space, general, told, FRACTIONS[look])
    pooled = PooledForecaster(
        (near, *(grown(space) for space, _ in shared[1:])), tuple(share for _, share in shared)
    )
    vectors = [dict(zip(asked.names, row, strict=True)) for row in asked.vectors[:, look]]
    return [pooled(vector, config) for vector, config in zip(vectors, asked.configs, strict=True)]


def scored(
    p: Floats, y: NDArray[np.bool_], base: Floats, boot: Bootstrap, rng: np.random.Generator
) -> dict[str, Any]:
    """Brier score, that of the base rate less it, and the calibration error beyond chance."""
    error = (p - y) ** 2
    return {
        "share": round(float(y.mean()), 3),
        "brier": boot.mean(error),
        "base rate's brier less it": boot.mean((base - y) ** 2 - error),
        "ECE beyond chance": round(beyond_chance(p, y, rng), 4),
    }


def of_family(family: Family, groups: NDArray[Any], look: int) -> dict[str, Any]:
    """Figures of one family, split and look."""
    runs, seen = family.asked, FRACTIONS[look]
    n = len(runs)
    boot, rng = Bootstrap.of(runs.settings, SEED), np.random.default_rng(SEED)
    names = runs.label_names
    labels, label_base = np.zeros((n, len(names))), np.zeros((n, len(names)))
    times = [k for k, at in enumerate(KNOWN_AT) if at >= seen]
    lasting, lasting_base = np.zeros((n, len(times))), np.zeros((n, len(times)))
    quarter, quarter_base, inside = np.zeros(n), np.zeros(n), np.zeros(n)
    behind, behind_base = np.full(n, np.nan), np.full(n, np.nan)
    courses = Courses.of(runs)
    truth, best = courses.lasting[:, times], courses.best
    after = runs.next_quarter[:, look]
    for own, question in family.questions(groups, look):
        known = question.space.library
        label_base[own] = np.bincount(known.labels, minlength=len(names)) / len(known)
        lasting_base[own] = question.space.courses.lasting[:, times].mean(axis=0)
        quarter_base[own] = known.next_quarter[:, look].mean()
        others = question.space.courses.best
        if np.isfinite(others).any():
            behind_base[own] = np.mean(others[np.isfinite(others)] <= seen)
        for i, found in zip(own, predictions(question), strict=True):
            labels[i] = [found.probabilities[name] for name in names]
            assert found.hazard is not None
            parts = np.linspace(seen, 1, len(found.hazard.lasting))
            lasting[i] = np.interp([KNOWN_AT[t] for t in times], parts, found.hazard.lasting)
            quarter[i] = found.next_quarter.mean
            low, high = found.next_quarter.interval(0.9)
            inside[i] = low - 1e-3 <= after[i] <= high + 1e-3
            if found.best is not None:
                behind[i] = found.best.behind
    error = np.abs(quarter - after)
    figures: dict[str, Any] = {
        "labels": {
            name: scored(labels[:, k], runs.labels == k, label_base[:, k], boot, rng)
            for k, name in enumerate(names)
        },
        "most probable label is right": boot.mean((labels.argmax(axis=1) == runs.labels) * 1.0),
        "not failed by": {
            f"{KNOWN_AT[t]:g}": scored(
                lasting[:, k], truth[:, k] > 0, lasting_base[:, k], boot, rng
            )
            for k, t in enumerate(times)
        },
        "next quarter": {
            "mean error": boot.mean(error),
            "past runs' mean less it": boot.mean(np.abs(quarter_base - after) - error),
            "inside 90 % interval": boot.mean(inside),
        },
    }
    told = np.isfinite(behind) & np.isfinite(best)
    if told.sum() > 20:
        of_told = Bootstrap.of(runs.settings[told], SEED)
        figures["best step is behind"] = scored(
            behind[told], best[told] <= seen, behind_base[told], of_told, rng
        )
    else:
        figures["best step is behind"] = "unknown: past runs like these have no traces"
    return figures


def main() -> None:
    past = shipped_library().untampered
    images = of_images(past)
    found: dict[str, Any] = {}
    for family in (Family(FAMILIES[0], past, ~images), Family(FAMILIES[1], past, images)):
        splits = family.splits(SEED)
        found[family.name] = {
            f"{split} left out": {
                f"at {FRACTIONS[look]:g}": of_family(family, splits[split], look) for look in LOOKS
            }
            for split in ("fold", "data set")
        }
        print(family.name, flush=True)
    write_result("course", found, {"folds and bootstrap": SEED})


if __name__ == "__main__":
    main()
