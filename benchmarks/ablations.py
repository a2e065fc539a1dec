"""What each part of judging abroad is worth: spaces of images, features, and the guard.

    MNIST_5K=... FASHION_MNIST=... python benchmarks/ablations.py --runs FOLDER

FOLDER holds GANs on images as benchmarks/image_gan_runs.py trains them. Spaces: how sample steps
that a classifier calls good are told from bad ones, and from images that are none. Features: the
forest on losses alone with those in units of the objective's equilibrium and without, with
settings, data sets and objectives left out; sparse records with deviations within windows and
without. Guard: verdicts by series alone on home runs, on other data, on GANs on images and on
random rows, with no guard, with the margin, with the declared domain, and with both.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from common import write_result
from image_gans.data import REFERENCE, images
from not_samples import corruptions
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dlcc.detect.evidence import evidence_of
from dlcc.detect.training_record import TrainingRecord
from dlcc.ensembles import train_ensemble
from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forecasters import Forecasters
from dlcc.forecast.forest import OutcomeForest
from dlcc.health import windows
from dlcc.health.curves import Curves, run_vector
from dlcc.health.domain import Circumstances, why_outside
from dlcc.health.feature_reference import FeatureReference
from dlcc.health.windows import QUANTITIES, window_features
from dlcc.kinds.gan import GAN
from dlcc.metrics.image_features import UntrainedConvolutions
from dlcc.metrics.pretrained_features import PretrainedConvolutions
from dlcc.past_runs.build.assembly import folds_by_setting
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import judge_member
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, Library
from dlcc.records import Column, Samples, Series
from dlcc.runs import Run
from dlcc.scoring.decision import BY_FORECAST, ON_OTHER_DATA

Floats = NDArray[np.float64]
EVERY_STEP, DRAWN = 3, 200
GROUPS, MEMBERS, SEED = (0, 1, 2), 56, 12
RANDOM = 100


def principal(reference: Floats) -> Callable[[Floats], Floats]:
    """Features by the 64 principal directions of the pixels."""
    flat = reference.reshape(len(reference), -1)
    _, _, basis = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    return lambda x: x.reshape(len(x), -1) @ basis[:64].T


def spaces(reference: Floats) -> dict[str, Callable[[Floats], Any]]:
    """Spaces of images, by name."""
    both = UntrainedConvolutions.of(reference)
    found: dict[str, Callable[[Floats], Any]] = {
        "pixels": lambda x: x.reshape(len(x), -1),
        "principal directions": principal(reference),
        "last channels": replace(both, scales=(both.scales[0], 0.0)),
        "profile of contrast": replace(both, scales=(0.0, both.scales[1])),
        "both (in use)": both,
    }
    if find_spec("efficientnet_lite_pytorch"):
        found["pretrained"] = PretrainedConvolutions.of(reference)
    return found


def steps_of(folder: Path) -> dict[str, list[tuple[str, Floats]]]:
    """Samples by the data set, each clearly good or bad by the classes and distance of its step."""
    found: dict[str, list[tuple[str, Floats]]] = {}
    for file in sorted(folder.glob("*.truth.json")):
        about = json.loads(file.read_text(encoding="utf-8"))
        samples = Samples.of(Run.open(file.with_name(file.name.removesuffix(".truth.json"))), None)
        assert samples is not None
        judged = zip(samples.steps, about["classes"], about["distances"], strict=True)
        for step, classes, distance in [*judged][1::EVERY_STEP]:
            good = classes >= 8 and distance <= 0.25
            if (good or classes <= 5 or distance >= 0.6) and np.isfinite(samples.at(step)).all():
                drawn = np.asarray(samples.at(step), dtype=np.float64)[:, 0]
                found.setdefault(about["data"], []).append(("good" if good else "bad", drawn))
    return found


def of_spaces(folder: Path) -> dict[str, Any]:
    """How each space tells good sample steps from bad ones, and images from what is none."""
    table: dict[str, Any] = {}
    for data, steps in steps_of(folder).items():
        pixels = images(data)[0].astype(np.float64)
        reference, others = pixels[:REFERENCE], pixels[REFERENCE:]
        rng = np.random.default_rng(0)
        none = [make(others[:DRAWN], 1.0) for make in corruptions(rng).values()]
        good = np.array([verdict == "good" for verdict, _ in steps])
        for name, features in spaces(reference).items():
            held = FeatureReference.of(reference, features)
            seen = [held.figures(drawn) for _, drawn in steps]
            far = np.array([held.figures(given)["frechet"] for given in none])
            distance = np.array([found["frechet"] for found in seen])
            told = {"steps": len(good), "good": int(good.sum()), "sorts that are none": len(none)}
            if 0 < good.sum() < len(good):
                recall = [found["recall"] for found in seen]
                told |= {
                    "AUROC of the distance": round(roc_auc_score(good, -distance), 4),
                    "AUROC of recall": round(roc_auc_score(good, recall), 4),
                    "none farther than nine tenths of the good": int(
                        (far > np.quantile(distance[good], 0.9)).sum()
                    ),
                }
            table.setdefault(data, {})[name] = told
            print(data, name, told, flush=True)
    return table


def held_out(past: Library, x: Floats, groups: NDArray[Any]) -> list[float]:
    """AUROC and Brier score of forests on rows x [n, p], with each group left out."""
    end = past.label_names.index("healthy")
    healthy, p = past.labels == end, np.zeros(len(past))
    x = np.nan_to_num((x - np.nanmean(x, axis=0)) / np.maximum(np.nanstd(x, axis=0), 1e-9))
    for group in np.unique(groups):
        out = groups == group
        known = past.select(~out)
        forest = OutcomeForest.fit(x[~out], known.labels, known.stability, len(past.label_names))
        p[out] = forest.weights(x[out]) @ (known.labels == end)
    return [
        round(float(roc_auc_score(healthy, p)), 3),
        round(float(np.mean((p - healthy) ** 2)), 3),
    ]


def of_dimensionless(past: Library) -> dict[str, Any]:
    """Forests on losses and configuration, with and without the losses' distance to equilibrium."""
    loss = np.array([config["loss"] for config in past.configs])
    levels = {objective.name: objective.at_equilibrium for objective in GAN.objectives}
    folds = folds_by_setting(list(past.settings), 5, 0)
    left_out = {"settings": folds, "data sets": past.data, "objectives": loss}
    table: dict[str, Any] = {}
    for fraction in (1, 2, 3):
        space = Space(past, fraction, series_only=True)
        kept = [k for k, name in enumerate(space.names) if not _needs_more(name)]
        x = space.raw[:, kept]
        away = [
            past.columns([f"{player}_loss_last"], series_only=True, fraction=fraction)[:, 0]
            - np.arcsinh([levels[name].get(player, 0.0) for name in loss])
            for player in ("generator", "discriminator")
        ]
        more = np.column_stack([x, *away, *map(np.abs, away)])
        for name, groups in left_out.items():
            table.setdefault(f"{name} left out", {})[f"{FRACTIONS[fraction]:.0%}"] = {
                "as they are": held_out(past, x, groups),
                "and in units of the equilibrium": held_out(past, more, groups),
            }
    return table


def _needs_more(name: str) -> bool:
    """Whether a figure needs more than losses and configuration."""
    return any(part in name for part in ("grad", "margin", "good_"))


def sparse(values: Floats, how: str) -> tuple[NDArray[np.int64], Floats]:
    """Steps and values [quantities, rows] of a sparse record of values [quantities, steps]."""
    if how == "every tenth":
        return np.arange(0, values.shape[1], 10), values[:, ::10]
    k = int(how.rpartition(" ")[2])
    whole = values.shape[1] // k * k
    return np.arange(k - 1, whole, k), values[:, :whole].reshape(len(values), -1, k).mean(axis=2)


def of_deviations(past: Library) -> dict[str, Any]:
    """AUROC on settings of no past run, from sparse records, with deviations and without."""
    runs = []
    for group in GROUPS:
        configs = draw_group(SEED, group, MEMBERS)
        trained = train_ensemble(configs, steps=int(configs[0]["steps"]), **_sampling(configs[0]))
        for i, config in enumerate(configs):
            rows, samples = trained.member(i)
            length = int(config["steps"])
            judged = judge_member(config["data"], length, rows, trained.sample_steps, samples)
            values = np.array([np.asarray(rows[name], dtype=np.float64) for name in QUANTITIES])
            runs.append((config, values, judged.label == "healthy"))
        print("group", group, len(runs), sum(run[2] for run in runs), flush=True)
    healthy = [run[2] for run in runs]
    known, table = Forecasters(past), {}
    for how in ("every tenth", "means of 10", "means of 100"):
        for kept in (True, False):
            p: list[list[float]] = [[], [], []]
            for config, values, _ in runs:
                for k, share in enumerate((0.2, 0.5, 1.0)):
                    until = round(share * values.shape[1])
                    steps, thin = sparse(values[:, :until], how)
                    columns = {
                        name: Column(steps, thin[j], np.zeros(0))
                        for j, name in enumerate(QUANTITIES[:2])
                    }
                    with patch.object(windows, "_row_distance", _one if kept else _apart):
                        curves = Curves(window_features(Series(columns), until), None)
                    vector = run_vector(curves, past.good(curves))
                    model = known.at(share, vector, config, series_only=True)
                    p[k].append(model(vector, config).p_healthy.mean)
            name = f"{how}, deviations {'kept' if kept else 'left out (in use)'}"
            table[name] = [round(float(roc_auc_score(healthy, column)), 3) for column in p]
            print(name, table[name], flush=True)
    return table


_apart = windows._row_distance


def _one(series: Series, names: object) -> float:
    """Distance that rows of every step have."""
    return 1.0


def _sampling(config: Mapping[str, Any]) -> dict[str, Any]:
    """Sample steps and number of samples by which the truth judges."""
    from dlcc.health.definitions import sample_steps
    from dlcc.recipes import truth

    return {
        "sample_steps": sample_steps(int(config["steps"]), truth.SAMPLE_STEPS),
        "samples": truth.SAMPLES[config["data"]],
    }


def of_guard(past: Library, folder: Path) -> dict[str, Any]:
    """Verdicts by series alone with parts of the guard: shares judged, and wrong among these."""
    from selective_risk import by_series

    healthy = past.labels == past.label_names.index("healthy")
    folds = folds_by_setting(list(past.settings), 5, 0)
    known = Forecaster.of(Space(past, len(FRACTIONS) - 1, series_only=True))
    inside = np.ones(len(past), dtype=np.bool_)
    sets = {
        "home": (by_series(past, folds, losses_alone=False), healthy, inside, BY_FORECAST),
        "other data": (
            by_series(past, past.data, losses_alone=False), healthy, inside, ON_OTHER_DATA,
        ),
    }  # fmt: skip
    sets["GANs on images"] = (*_of_images(known, past, folder), ON_OTHER_DATA)
    sets["random rows"] = (*_of_random_rows(known, past), BY_FORECAST)
    return {
        name: {
            "runs": len(p),
            "nothing": _judged(p, good, np.ones(len(p), dtype=np.bool_), 0.0),
            "margin": _judged(p, good, np.ones(len(p), dtype=np.bool_), margin),
            "domain": _judged(p, good, within, 0.0),
            "both (in use)": _judged(p, good, within, margin),
        }
        for name, (p, good, within, margin) in sets.items()
    }


def _judged(
    p: Floats, good: NDArray[np.bool_], within: NDArray[np.bool_], margin: float
) -> dict[str, float]:
    """Share that is judged in words, and share of all that is judged wrongly."""
    told = within & (np.abs(p - 0.5) >= margin)
    wrong = told & ((p > 0.5) != good)
    return {"judged": round(float(told.mean()), 3), "wrong": round(float(wrong.mean()), 3)}


def _p_of(known: Forecaster, past: Library, series: Series, length: int, config: Any) -> float:
    curves = Curves(window_features(series, length), None)
    vector = run_vector(curves, past.good(curves))
    fitted = known if not known.space.within(vector, config).only else None
    model = fitted or Forecaster.of(known.space.within(vector, config))
    return model(vector, config).p_healthy.mean


def _of_images(
    known: Forecaster, past: Library, folder: Path
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """P, truth, and whether they lie in the domain, of clearly good and bad GANs on images."""
    p, good, within = [], [], []
    for file in sorted(folder.glob("*.truth.json")):
        about = json.loads(file.read_text(encoding="utf-8"))
        if about["verdict"] == "between":
            continue
        run = Run.open(file.with_name(file.name.removesuffix(".truth.json")))
        series, manifest = run.series(), run.manifest
        training = Circumstances(run.length, manifest.objective, manifest.config, 784)
        p.append(_p_of(known, past, series, run.length, manifest.config))
        good.append(about["verdict"] == "good")
        within.append(not why_outside(series, training))
    return np.array(p), np.array(good), np.array(within, dtype=np.bool_)


def _of_random_rows(
    known: Forecaster, past: Library
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """P of random rows around the equilibrium; no word of them is right, and the domain holds none
    that say nothing."""
    p, within = [], []
    for number in range(RANDOM):
        rng = np.random.default_rng([7, number])
        level = {"generator/loss": 0.69, "discriminator/loss": 1.39, "discriminator/real": 0.5}
        level |= {"discriminator/fake": 0.5, "generator/grad_norm": 1, "discriminator/grad_norm": 1}
        series = Series.from_start(
            {name: value + 0.05 * rng.normal(size=2_000) for name, value in level.items()}
        )
        p.append(_p_of(known, past, series, 2_000, past.configs[0]))
        within.append(evidence_of(TrainingRecord(series, "gan")).says_something)
    found = np.array(p)
    return found, found < 0.5, np.array(within, dtype=np.bool_)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    past = shipped_library().untampered
    found = {
        "guard": of_guard(past, options.runs),
        "dimensionless losses: AUROC, Brier": of_dimensionless(past),
        "losses alone at 20, 50 and 100 %: AUROC": of_deviations(past),
        "spaces of images": of_spaces(options.runs),
    }
    write_result("ablations", found, {"settings": SEED, "random rows": 7})


if __name__ == "__main__":
    main()
