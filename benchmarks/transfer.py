"""Forecasts of GANs on real images whose data set, architecture or setting is left out.

python benchmarks/transfer.py --seed SEED

Past runs on images are forecast at 10, 20 and 50 % of their length from all others but those of
their data set, of their architecture, or of their fold. Beside them: the same without what the
configuration says; small GANs alone, which no run on images is among; hyperparameters alone; and
the runs that had not failed at the cut. Labels come
from classifiers of the data, which no forecast sees. Intervals are bootstrapped over runs.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from common import write_result
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forecasters import pooled_shares
from dlcc.forecast.forest import OutcomeForest
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.patterns import CONFIGURED, figures_of
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, Library
from dlcc.scoring.decision import BY_FORECAST

Floats = NDArray[np.float64]
FOLDS, DRAWS = 5, 1_000
LOOKS = (0, 1, 2, 3)


def of_images(past: Library) -> NDArray[np.bool_]:
    """Runs of the recipe image-gan."""
    return np.array(["net" in config and "norm" in config for config in past.configs])


def forecast(
    known: Library, asked: Library, look: int, *, series_only: bool, configured: bool = True
) -> Floats:
    """P(healthy) [n] of runs as forecasts are made: without samples by all past runs, else by those
    whose samples were compared in a space of features, by the others and by the configuration."""
    if series_only:
        return by_others(known, asked, look, series_only=True)
    given = known.as_given
    names = figures_of(("configuration", "rows as given"), Space(given, look, False).names)
    near = Space(known.in_features, look, series_only=False, only=IN_FEATURES)
    general = Space(given, look, False, names)
    told = Space(known, look, series_only=True, only=CONFIGURED) if configured else None
    shared = pooled_shares(near, general, told, FRACTIONS[look])
    return np.asarray(sum(share * by_space(space, asked) for space, share in shared))


def without_configuration(
    known: Library, asked: Library, look: int, *, series_only: bool
) -> Floats:
    """The same without what the configuration says."""
    return forecast(known, asked, look, series_only=series_only, configured=False)


def by_space(space: Space, asked: Library) -> Floats:
    """P(healthy) [n] of runs by the past runs of a space."""
    raw = replace(space, library=asked, only=space.names).raw
    return np.array([found.p_healthy.mean for found in Forecaster.of(space).many(raw)])


def by_others(known: Library, asked: Library, look: int, series_only: bool) -> Floats:
    """P(healthy) [n] of runs by the figures that all past runs have, without configuration."""
    lacking = ("configuration",) if series_only else ("configuration", "rows as given")
    names = figures_of(lacking, Space(known, look, series_only).names)
    return by_space(Space(known, look, series_only, names), asked)


def by_configuration(known: Library, asked: Library, look: int, *, series_only: bool) -> Floats:
    """P(healthy) [n] of runs by a forest on the configuration of known runs alone."""
    table = np.vstack([known.config_vectors, asked.config_vectors])
    table = table[:, np.isfinite(table).any(axis=0)]
    deviation = np.nanstd(table, axis=0) + 1e-9
    scaled = np.nan_to_num((table - np.nanmean(table, axis=0)) / deviation)
    x, y = scaled[: len(known)], scaled[len(known) :]
    forest = OutcomeForest.fit(x, known.labels, known.stability, len(known.label_names))
    return np.asarray(forest.weights(y) @ (known.labels == 0))


Rule = Callable[..., Floats]


def left_out(
    past: Library,
    images: NDArray[np.bool_],
    groups: NDArray[Any],
    rule: Rule,
    look: int,
    *,
    series_only: bool,
) -> Floats:
    """P(healthy) of the runs on images, each group from all runs of no such group."""
    asked = np.flatnonzero(images)
    p = np.full(len(asked), np.nan)
    for group in np.unique(groups):
        inside = groups == group
        known = np.ones(len(past), dtype=np.bool_)
        known[asked[inside]] = False
        p[inside] = rule(
            past.select(known), past.select(asked[inside]), look, series_only=series_only
        )
    return p


def figures(p: Floats, healthy: NDArray[np.bool_], seed: int) -> dict[str, Any]:
    """AUROC and Brier score with 90 % intervals."""
    rng = np.random.default_rng(seed)
    drawn = [k for k in rng.integers(len(p), size=(DRAWS, len(p))) if 0 < healthy[k].sum() < len(p)]
    aurocs = [roc_auc_score(healthy[k], p[k]) for k in drawn]
    briers = [np.mean((p[k] - healthy[k]) ** 2) for k in drawn]

    def three(value: float, others: list[float]) -> list[float]:
        return [round(float(x), 3) for x in (value, *np.quantile(others, [0.05, 0.95]))]

    sure = np.abs(p - 0.5) >= BY_FORECAST
    return {
        "runs": len(p),
        "in words": round(float(sure.mean()), 3),
        "wrong in words": round(float(((p > 0.5) != healthy)[sure].mean()), 3) if sure.any() else 0,
        "auroc": three(roc_auc_score(healthy, p), aurocs),
        "brier": three(float(np.mean((p - healthy) ** 2)), briers),
        "brier of the base rate": round(float(healthy.mean() * (1 - healthy.mean())), 3),
    }


def brier_more(p: Floats, than: Floats, healthy: NDArray[np.bool_], seed: int) -> list[float]:
    """How much larger the Brier score of one forecast is than another's, with its 90 % interval."""
    more = (p - healthy) ** 2 - (than - healthy) ** 2
    drawn = np.random.default_rng(seed).integers(len(p), size=(DRAWS, len(p)))
    bounds = np.quantile(more[drawn].mean(axis=1), [0.05, 0.95])
    return [round(float(x), 4) for x in (more.mean(), *bounds)]


def main() -> None:
    """Measure with samples and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    seed = parser.parse_args().seed
    past = shipped_library().untampered
    images = of_images(past)
    own = past.select(images)
    healthy = own.labels == own.label_names.index("healthy")
    nets = np.array([config["net"] for config in own.configs])
    folds = np.random.default_rng(seed).permutation(len(own)) % FOLDS
    found: dict[str, Any] = {
        "runs": {
            data: Counter(own.label_of(k) for k in np.flatnonzero(own.data == data))
            for data in np.unique(own.data).tolist()
        }
    }
    for series_only in (False, True):
        part: dict[str, Any] = {}
        for look in LOOKS:
            good = own.columns(["good_last"], series_only=False, fraction=look)[:, 0]
            at: dict[str, Any] = {}
            for name, groups in (("data set", own.data), ("architecture", nets), ("fold", folds)):
                p = left_out(past, images, groups, forecast, look, series_only=series_only)
                at[f"{name} left out"] = figures(p, healthy, seed)
                if not series_only:
                    rule = without_configuration
                    rest = left_out(past, images, groups, rule, look, series_only=False)
                    at[f"{name} left out, without the configuration"] = figures(
                        rest, healthy, seed
                    ) | {"brier more": brier_more(rest, p, healthy, seed)}
                alive = good >= 0.5
                if 0 < healthy[alive].sum() < alive.sum():
                    at[f"{name} left out, good at the cut"] = figures(
                        p[alive], healthy[alive], seed
                    )
                q = left_out(past, images, groups, by_configuration, look, series_only=series_only)
                at[f"{name} left out, hyperparameters alone"] = figures(q, healthy, seed)
            p = by_others(past.select(~images), own, look, series_only)
            at["small GANs alone"] = figures(p, healthy, seed)
            part[f"at {FRACTIONS[look]:g}"] = at
        found["series alone" if series_only else "with samples"] = part
    write_result("transfer", found, {"folds and bootstrap": seed})


if __name__ == "__main__":
    main()
