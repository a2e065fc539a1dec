"""Each member of a blend of forecasts, and each group of figures, on splits that leave groups out.

    python benchmarks/members.py --seed SEED --work FOLDER

Past runs are forecast at 10, 20 and 50 % of their length from those of other folds of settings, of
other data sets, and of other architectures: width and depth of small GANs, nets of GANs on images.
The blend's weights are chosen on folds of the runs that are learnt from, and judged on what is left
out. A member earns its place where leaving it out makes the blend's Brier score worse there.
Intervals are bootstrapped over settings. Predictions are kept in FOLDER, so that a second call goes
on; with weights of benchmarks/prior_fitted.py in FOLDER its network is a member, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result
from numpy.typing import NDArray
from prior_fitted import WEIGHTS, PriorFitted
from scipy.optimize import nnls
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import roc_auc_score
from transfer import by_configuration, by_others, of_images
from weighted_neighbours import attention, kernel_neighbours

from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forest import OutcomeForest
from dlcc.forecast.gnn import OutcomeGNN
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs.build.assembly import folds_by_setting
from dlcc.past_runs.configuration import CONFIG_FEATURES
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, Library

Floats = NDArray[np.float64]
Groups = Mapping[str, NDArray[Any]]
LOOKS = (0, 1, 2)
OF_ALL_RUNS = "forest of all runs"
FOLDS, DRAWS, TREES = 5, 1_000, 20
FAMILIES = ("small GANs", "GANs on images")
UNASKED: Mapping[str, tuple[str, ...]] = {FAMILIES[0]: ("fold", "depth"), FAMILIES[1]: ()}
"""Splits on which groups of figures are not left out."""


@dataclass(frozen=True)
class Question:
    """Past runs that are known, and others of the same family that are asked about."""

    known: Library
    asked: Library
    look: int
    images: bool

    @cached_property
    def space(self) -> Space:
        """Known runs of the family as points."""
        if self.images:
            return Space(self.known.in_features, self.look, False, IN_FEATURES)
        return Space(self.known.as_given, self.look, False)

    @cached_property
    def raw(self) -> Floats:
        """Figures of the runs that are asked about."""
        return Space(self.asked, self.look, False, self.space.names).raw

    @cached_property
    def points(self) -> Floats:
        """The same as points of the space."""
        return self.space.standardised(self.raw)

    @cached_property
    def healthy(self) -> NDArray[np.bool_]:
        """Whether the known runs of the family ended healthy."""
        return np.asarray(self.space.library.labels == 0)


def forest(q: Question) -> Floats:
    """P(healthy) as forecasts of `dlcc forecast` are made, of the family's figures."""
    return np.array([found.p_healthy.mean for found in Forecaster.of(q.space).many(q.raw)])


def of_all_runs(q: Question) -> Floats:
    """The forest on the figures that all past runs have, small GANs among them."""
    return by_others(q.known, q.asked, q.look, False)


def hyperparameters(q: Question) -> Floats:
    """A forest on the configuration alone."""
    return by_configuration(q.known, q.asked, q.look, series_only=False)


def logistic(q: Question) -> Floats:
    """Logistic regression; the penalty is chosen among known runs."""
    fit = LogisticRegressionCV(
        Cs=[0.003, 0.03, 0.3], cv=4, scoring="neg_brier_score", max_iter=500, l1_ratios=[0.0],
        use_legacy_attributes=False,
    )  # fmt: skip
    fit.fit(q.space.points, q.healthy)
    return np.asarray(fit.predict_proba(q.points)[:, 1])


def graph_network(q: Question) -> Floats:
    """The graph network of the seed."""
    return np.asarray(OutcomeGNN.fit(q.space).probabilities(q.points)[:, 0])


def nearest(q: Question) -> Floats:
    """Known runs weighed by a Gaussian kernel of their distance."""
    return kernel_neighbours(q.space.points, q.healthy, q.points)


def attending(q: Question) -> Floats:
    """Known runs weighed by attention in a space that is learnt."""
    return attention(q.space.points, q.healthy, q.points)


MEMBERS: Mapping[str, Callable[[Question], Floats]] = {
    "forest": forest,
    "hyperparameters": hyperparameters,
    "logistic regression": logistic,
    "nearest runs": nearest,
    "attention over runs": attending,
    "graph network": graph_network,
}
GROUPS: Mapping[str, Callable[[str], bool]] = {
    "configuration": lambda n: n in CONFIG_FEATURES,
    "P(good)": lambda n: "good_" in n and not n.endswith(("_swing", "_trend")),
    "P(labels by definition)": lambda n: n.startswith("rule_"),
    "levels of series": lambda n: n.endswith("_last") and of_series(n) and "_sd_" not in n,
    "changes of series": lambda n: n.endswith("_change") and of_series(n) and "_sd_" not in n,
    "swings": lambda n: n.endswith(("swing", "_trend")),
    "deviations within windows": lambda n: "_sd_" in n,
    "losses": lambda n: "_loss_" in n or n == "loss_scale",
    "gradients": lambda n: "_grad_" in n or n == "gradient_scale",
    "margin": lambda n: n.startswith("margin"),
    "figures of samples": lambda n: n.startswith(
        ("coverage", "quality", "imbalance", "frechet", "recall", "density", "reach")
    ),
    "levels in the space": lambda n: n.startswith("space_") and n.endswith(("_last", "_best")),
    "changes in the space": lambda n: n.startswith("space_") and n.endswith("_change"),
    "swings in the space": lambda n: n.startswith("space_") and n.endswith("_swing"),
    "Fréchet distance": lambda n: "frechet" in n,
    "recall and coverage": lambda n: "recall" in n or "coverage" in n,
}


def of_series(name: str) -> bool:
    """Whether a figure is one of losses, gradients or the margin."""
    return any(part in name for part in ("_loss_", "_grad_", "margin_"))


@dataclass(frozen=True)
class Family:
    """Runs of one family, which are asked about, and all past runs."""

    name: str
    past: Library
    own: NDArray[np.bool_]
    """Which of the past runs are of the family, [n]."""

    @cached_property
    def asked(self) -> Library:
        """Runs of the family."""
        return self.past.select(self.own)

    @cached_property
    def healthy(self) -> NDArray[np.bool_]:
        """Whether each ended healthy."""
        return np.asarray(self.asked.labels == 0)

    def splits(self, seed: int) -> Groups:
        """Groups that are left out, by the name of the split."""
        configs = self.asked.configs
        folds = folds_by_setting(list(self.asked.settings), FOLDS, seed)
        if self.name == FAMILIES[1]:
            return {
                "fold": folds,
                "data set": self.asked.data,
                "net": np.array([c["net"] for c in configs]),
            }
        return {
            "fold": folds,
            "data set": self.asked.data,
            "width": np.array([c["width"] for c in configs]),
            "depth": np.array([c["depth"] for c in configs]),
        }

    def questions(self, groups: NDArray[Any], look: int) -> Iterator[tuple[NDArray[Any], Question]]:
        """Numbers of the runs of each group, and the question about them."""
        for group in np.unique(groups):
            inside = np.flatnonzero(groups == group)
            known = np.ones(len(self.past), dtype=np.bool_)
            known[np.flatnonzero(self.own)[inside]] = False
            yield (
                inside,
                Question(
                    self.past.select(known),
                    self.asked.select(inside),
                    look,
                    self.name == FAMILIES[1],
                ),
            )


def predicted(
    family: Family, rule: Callable[[Question], Floats], groups: NDArray[Any], look: int, kept: Path
) -> Floats:
    """P(healthy) of the family's runs, each group from runs of the others; kept in a file."""
    if kept.exists():
        found = np.load(kept)
        if len(found) == len(family.asked):
            return np.asarray(found)
    p = np.full(len(family.asked), np.nan)
    for inside, question in family.questions(groups, look):
        p[inside] = rule(question)
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(kept, p)
    print(kept.name, round(float(np.mean((p - family.healthy) ** 2)), 4), flush=True)
    return p


# ------------------------------------------------------------------------------------- figures


@dataclass(frozen=True)
class Bootstrap:
    """Draws of settings, [draws, runs] times that each run counts."""

    counts: Floats

    @classmethod
    def of(cls, settings: NDArray[np.str_], seed: int) -> Bootstrap:
        """Draw settings with replacement."""
        names, which = np.unique(settings, return_inverse=True)
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
        return cls(drawn[:, which].astype(np.float64))

    def mean(self, values: Floats) -> list[float]:
        """Mean of values [runs], and its 90 % interval."""
        drawn = self.counts @ values / self.counts.sum(axis=1)
        return _rounded(float(values.mean()), drawn)

    def auroc(self, p: Floats, healthy: NDArray[np.bool_], draws: int = 60) -> list[float]:
        """AUROC and its 90 % interval."""
        drawn = [roc_auc_score(healthy, p, sample_weight=w) for w in self.counts[:draws]]
        return _rounded(float(roc_auc_score(healthy, p)), drawn)


def _rounded(value: float, drawn: Any) -> list[float]:
    return [round(float(x), 4) for x in (value, *np.quantile(drawn, [0.05, 0.95]))]


def stacked_weights(p: Floats, healthy: NDArray[np.bool_]) -> Floats:
    """Weights of members [k], at least 0 and of sum 1, of least Brier score on P(healthy) [n, k].

    The sum is asked for as one more row of the least squares, which weighs enough to be held.
    """
    much = 1e3 * np.sqrt(len(p))
    found, _ = nnls(np.vstack([p, np.full(p.shape[1], much)]), np.append(healthy, much))
    return np.asarray(found / found.sum())


def blended(
    on_folds: Floats, p: Floats, healthy: NDArray[np.bool_], groups: NDArray[Any]
) -> tuple[Floats, Floats]:
    """Blend of members' P(healthy) [n, k]: weights of each group are chosen on folds of the others.

    Returns P(healthy) [n] and the mean weights [k].
    """
    out, weights = np.zeros(len(p)), []
    for group in np.unique(groups):
        inside = groups == group
        weights.append(stacked_weights(on_folds[~inside], healthy[~inside]))
        out[inside] = p[inside] @ weights[-1]
    return out, np.mean(weights, axis=0)


def score(p: Floats, healthy: NDArray[np.bool_], boot: Bootstrap) -> dict[str, Any]:
    """AUROC and Brier score with their 90 % intervals."""
    return {"auroc": boot.auroc(p, healthy), "brier": boot.mean((p - healthy) ** 2)}


def of_members(
    family: Family,
    members: Mapping[str, Callable[[Question], Floats]],
    seed: int,
    work: Path,
) -> dict[str, Any]:
    """Figures of the members and of their blends, by look and split."""
    healthy, boot = family.healthy, Bootstrap.of(family.asked.settings, seed)
    names = list(members)
    found: dict[str, Any] = {"runs": len(healthy), "healthy": int(healthy.sum())}
    for look in LOOKS:
        at: dict[str, Any] = {}
        tables: dict[str, Floats] = {}
        splits = family.splits(seed)
        for split, groups in splits.items():
            tables[split] = np.stack(
                [
                    predicted(
                        family,
                        rule,
                        groups,
                        look,
                        work / f"{seed} {family.name} {look} {split} {name}.npy",
                    )
                    for name, rule in members.items()
                ],
                axis=1,
            )
            p = tables[split]
            blend, weights = blended(tables["fold"], p, healthy, groups)
            error = (blend - healthy) ** 2
            without = {}
            for k, name in enumerate(names):
                rest = np.arange(len(names)) != k
                less, _ = blended(tables["fold"][:, rest], p[:, rest], healthy, groups)
                without[name] = boot.mean((less - healthy) ** 2 - error)
            equal = p.mean(axis=1)
            against = (p[:, 0] - healthy) ** 2
            at[split] = {
                **{name: score(p[:, k], healthy, boot) for k, name in enumerate(names)},
                "blend": score(blend, healthy, boot)
                | {"weights": dict(zip(names, weights.round(3).tolist(), strict=True))},
                "blend less forest: brier": boot.mean(error - against),
                "as it ships": score(as_it_ships(names, p), healthy, boot),
                "all in equal parts": score(equal, healthy, boot),
                "in equal parts less forest: brier": boot.mean((equal - healthy) ** 2 - against),
                "blend without a member less blend: brier": without,
            }
        base = np.array([healthy[splits["fold"] != f].mean() for f in splits["fold"]])
        at["base rate: brier"] = round(float(np.mean((base - healthy) ** 2)), 4)
        found[f"at {FRACTIONS[look]:g}"] = at
    return found


def as_it_ships(names: Sequence[str], p: Floats) -> Floats:
    """P(healthy) [n] of `dlcc forecast`, of P(healthy) [n, members]: the forest, and of images as
    much of the one of all runs."""
    both = [names.index(name) for name in ("forest", OF_ALL_RUNS) if name in names]
    return np.asarray(p[:, both].mean(axis=1))


def of_groups(family: Family, seed: int, work: Path) -> dict[str, Any]:
    """Figures of the forest without each group of figures, and by it alone."""
    healthy, boot = family.healthy, Bootstrap.of(family.asked.settings, seed)
    found: dict[str, Any] = {}
    for look in LOOKS:
        at: dict[str, Any] = {}
        for split, groups in family.splits(seed).items():
            if split in UNASKED[family.name]:  # thirty forests a group of runs take long
                continue
            where = f"{seed} {family.name} {look} {split}"
            whole = predicted(
                family, small_forest(lambda n: True), groups, look, work / f"{where} figures.npy"
            )
            part: dict[str, Any] = {"all figures": score(whole, healthy, boot)}
            for name, inside in GROUPS.items():
                names = next(family.questions(groups, look))[1].space.names
                if not any(map(inside, names)):
                    continue
                rest = small_forest(lambda n, inside=inside: not inside(n))
                left = predicted(family, rest, groups, look, work / f"{where} no {name}.npy")
                own = predicted(
                    family, small_forest(inside), groups, look, work / f"{where} only {name}.npy"
                )
                part[name] = {
                    "left out, brier more": boot.mean(
                        (left - healthy) ** 2 - (whole - healthy) ** 2
                    ),
                    "alone": score(own, healthy, boot),
                }
            at[split] = part
        found[f"at {FRACTIONS[look]:g}"] = at
    return found


def small_forest(inside: Callable[[str], bool]) -> Callable[[Question], Floats]:
    """Rule that grows a forest on some figures alone."""

    def rule(q: Question) -> Floats:
        kept = [k for k, name in enumerate(q.space.names) if inside(name)]
        past = q.space.library
        x = q.space.points[:, kept]
        grown = OutcomeForest.fit(x, past.labels, past.stability, len(past.label_names), TREES)
        return np.asarray(grown.weights(q.points[:, kept]) @ q.healthy)

    return rule


def prior_fitted_member(work: Path) -> dict[str, Callable[[Question], Floats]]:
    """Member that is the network of benchmarks/prior_fitted.py, where there are weights of it."""
    if not (work / WEIGHTS).exists():
        return {}
    network = PriorFitted.read(work / WEIGHTS)
    return {"prior-fitted transformer": lambda q: network(q.space.points, q.healthy, q.points)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--members-alone", action="store_true", help="leave groups of figures out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    past = shipped_library().untampered
    images = of_images(past)
    families = [Family(FAMILIES[0], past, ~images), Family(FAMILIES[1], past, images)]
    found: dict[str, Any] = {}
    for family in families:
        members = {**MEMBERS, **prior_fitted_member(options.work)}
        if family.name == FAMILIES[1]:
            members[OF_ALL_RUNS] = of_all_runs
        found[family.name] = {"members": of_members(family, members, options.seed, options.work)}
    for family in () if options.members_alone else families:
        found[family.name]["figures"] = of_groups(family, options.seed, options.work)
    write_result("members", found, {"folds and bootstrap": options.seed})


if __name__ == "__main__":
    main()
