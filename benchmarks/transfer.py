"""Forecasts of GANs on real images whose data set, architecture or setting is left out.

python benchmarks/transfer.py --seed SEED [--fresh 71] [--vaes]

Past runs on images are forecast at 10, 20 and 50 % of their length from all others but those of
their data set, of their architecture, or of their fold. Beside them: the same without what the
configuration says; small GANs alone, which no run on images is among; hyperparameters alone; and
the runs that had not failed at the cut. Labels come from classifiers of the data, which no forecast
sees. Intervals are bootstrapped over runs.

--fresh asks about the runs drawn with one seed of a build from those drawn before them, too; --vaes
asks about variational autoencoders of images, from all other past runs, into
results/transfer_vaes.json.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
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
from dlcc.kinds.vae import VAE
from dlcc.past_runs.build.settings import SEEDS_APART
from dlcc.past_runs.in_use import forecast_runs, shipped_library
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


def of_vaes(past: Library) -> NDArray[np.bool_]:
    """Runs of the recipe image-vae."""
    return np.array(["net" in config and "beta" in config for config in past.configs])


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


def at_look(
    past: Library, asked: NDArray[np.bool_], look: int, seed: int, *, series_only: bool
) -> dict[str, Any]:
    """Figures of the runs that are asked about at one of FRACTIONS, by what is left out."""
    own = past.select(asked)
    healthy = own.labels == own.label_names.index("healthy")
    nets = np.array([config["net"] for config in own.configs])
    folds = np.random.default_rng(seed).permutation(len(own)) % FOLDS
    good = own.columns(["good_last"], series_only=False, fraction=look)[:, 0]
    said = not series_only and bool(of_images(own).all())  # VAEs lack what is asked of GANs' ones
    ships = forecast if said or series_only else without_configuration
    at: dict[str, Any] = {}
    for name, groups in (("data set", own.data), ("architecture", nets), ("fold", folds)):
        p = left_out(past, asked, groups, ships, look, series_only=series_only)
        at[f"{name} left out"] = figures(p, healthy, seed)
        if said:
            rest = left_out(past, asked, groups, without_configuration, look, series_only=False)
            more = {"brier more": brier_more(rest, p, healthy, seed)}
            at[f"{name} left out, without the configuration"] = figures(rest, healthy, seed) | more
        alive = good >= 0.5
        if 0 < healthy[alive].sum() < alive.sum():
            at[f"{name} left out, good at the cut"] = figures(p[alive], healthy[alive], seed)
        q = left_out(past, asked, groups, by_configuration, look, series_only=series_only)
        at[f"{name} left out, hyperparameters alone"] = figures(q, healthy, seed)
    p = by_others(past.select(~asked), own, look, series_only)
    return at | {"all others alone": figures(p, healthy, seed)}


def of_fresh(past: Library, build_seed: int, look: int, seed: int) -> dict[str, Any]:
    """Figures of the GANs on images drawn with one seed of a build, from the runs drawn before.

    What ships was chosen before these were trained. Runs on images of the same data set, or of the
    same architecture, are left out of what is known.
    """
    images = of_images(past)
    drawn = np.array([config.get("seed", 0) // SEEDS_APART for config in past.configs])
    fresh = images & (drawn == build_seed)
    own = past.select(fresh)
    healthy = own.labels == own.label_names.index("healthy")
    nets = np.array([config.get("net", "") for config in past.configs])
    at: dict[str, Any] = {}
    for name, groups in (("data set", past.data), ("architecture", nets), ("nothing", images)):
        p: dict[str, Floats] = {rule.__name__: np.zeros(len(own)) for rule in FRESH}
        for group in np.unique(groups[fresh]):
            known = ~fresh if name == "nothing" else ~fresh & ~(images & (groups == group))
            inside = groups[fresh] == group
            for rule in FRESH:
                p[rule.__name__][inside] = rule(
                    past.select(known), own.select(inside), look, series_only=False
                )
        ships, *others = p.values()
        at[f"{name} left out"] = figures(ships, healthy, seed)
        for rule, q in zip(FRESH[1:], others, strict=True):
            more = {"brier more": brier_more(q, ships, healthy, seed)}
            at[f"{name} left out, {rule.__name__}"] = figures(q, healthy, seed) | more
    return at


FRESH: Sequence[Rule] = (forecast, without_configuration, by_configuration)


def main() -> None:
    """Measure with samples and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--vaes", action="store_true", help="ask about VAEs of images instead")
    parser.add_argument("--fresh", type=int, help="seed of the build that drew runs afterwards")
    given = parser.parse_args()
    past = (forecast_runs(VAE) if given.vaes else shipped_library()).untampered
    asked = of_vaes(past) if given.vaes else of_images(past)
    own = past.select(asked)
    found: dict[str, Any] = {
        "runs": {
            data: Counter(own.label_of(int(k)) for k in np.flatnonzero(own.data == data))
            for data in np.unique(own.data).tolist()
        }
    }
    for series_only in (False, True):
        found["series alone" if series_only else "with samples"] = {
            f"at {FRACTIONS[look]:g}": at_look(
                past, asked, look, given.seed, series_only=series_only
            )
            for look in LOOKS
        }
    if given.fresh is not None:
        found["fresh"] = {
            f"at {FRACTIONS[look]:g}": of_fresh(past, given.fresh, look, given.seed)
            for look in LOOKS
        }
    name = "transfer_vaes" if given.vaes else "transfer"
    write_result(name, found, {"folds and bootstrap": given.seed})


if __name__ == "__main__":
    main()
