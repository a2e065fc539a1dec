"""Truth about a run of a recipe: what its samples say against the known generator of the data.

Recipes train on data whose modes or classes are known, so a run's fate can be read off its samples:
which modes are there, how many samples are good ones, and from these the label, the onset and the
stability. All of it is here, in one place, because figures are compared by these definitions.

The truth is written apart, as `truth.json` in the run folder, for benchmarks and fits. No stage and
no feature reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dlcc.health import definitions
from dlcc.health.definitions import (
    REACHED_SHARE,
    label_of,
    last_fifth,
    last_four,
    last_quarter,
    second_half,
    smooth,
    swing,
)
from dlcc.kinds.gan import GAN
from dlcc.metrics import frechet_distance
from dlcc.recipes import digits_classifier, image_classifier
from dlcc.recipes.data.points import POINTS
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.tables import judge as table_judge
from dlcc.typing import Floats

TRUTH_FILE = "truth.json"
"""Name of the file with the truth, in the run folder."""
SAMPLE_STEPS = 40
"""Number of sample steps, equally spaced over the configured length, the last one at its end."""
SAMPLES = {"ring": 512, "grid9": 512, "grid25": 1024, "digits": 256}
"""Number of samples at a sample step, by the name of the data."""

MODE_RADIUS = 3.0  # in standard deviations of a mode
NEIGHBOUR_QUANTILE, NEIGHBOUR_SLACK = 0.99, 1.15  # how near to a real digit a digit must be
GOOD_COVERAGE = 0.65
"""Coverage from which on a sample step is good."""
GOOD_QUALITY = {
    "ring": 0.50,
    "grid9": 0.40,
    "grid25": 0.30,
    "digits": 0.55,
    "mnist5k": 0.60,
    "fashion": 0.35,
    "letters": 0.60,
    "wine": 0.80,
    "breast_cancer": 0.80,
    "square": 0.80,
    "gaussian": 0.80,
    "cube": 0.80,
    "cube_surface": 0.70,
}
"""Quality from which on a sample step is good, by the name of the data."""
CELLS = {"square": 6, "gaussian": 6, "cube": 3, "cube_surface": 3}  # along an axis: without modes
ON_SURFACE = 0.15  # the farthest from it that counts as on it; the cube's sides are 2
GOOD_FRECHET = {
    "digits": 150.0,
    "mnist5k": 0.4,
    "fashion": 0.4,
    "letters": 0.4,
    "wine": 0.4,
    "breast_cancer": 0.4,
}
"""Fréchet distance up to which a sample step is good, by the name of the data: in the features of
the digits' classifier, or over the trace of the data's covariance in those of the images', or in
standardised measurements of tables."""
DIVERGED_SAMPLE = 25.0  # any coordinate, on the mixtures, whose own lie within 3


# ------------------------------------------------------------------------------------ sample steps


@dataclass(frozen=True)
class SampledStep:
    """Figures of the samples of one step."""

    step: int
    """Step before which the samples were drawn."""
    histogram: tuple[int, ...]
    """Number of in-domain samples of each mode, class or cell."""
    coverage: float
    """Share of modes with at least a fifth of the samples that they should have."""
    quality: float
    """Share of the samples that are in the domain: of images, those that are surely of a class."""
    frechet: float | None
    """Fréchet distance to the training data in the classifier's features, see `GOOD_FRECHET`; none
    for data that no classifier knows."""
    reach: float
    """Largest |coordinate|; infinite where a sample is not finite."""


def judge_samples(data: str, step: int, samples: NDArray[Any]) -> SampledStep:
    """Judge the samples [n, features] of one step against the known generator of the data."""
    samples = np.asarray(samples, dtype=np.float32)
    finite = bool(np.isfinite(samples).all())
    if not finite:
        return SampledStep(step, (0,) * _modes(data), 0.0, 0.0, None, np.inf)
    frechet = None
    if data in CELLS:
        histogram = cells_histogram(data, samples)
    elif data in image_classifier.DATA:
        histogram, frechet = image_classifier.see(data, samples.reshape(len(samples), 1, 28, 28))
    elif data in table_judge.CLASSES:
        histogram, frechet = table_judge.see(data, samples)
    elif data == "digits":
        histogram = digits_histogram(samples)
        features = digits_classifier.load().features(samples)
        frechet = frechet_distance(features, _digits_features())
    else:
        histogram = mixture_histogram(small_gan.MIXTURES[data], samples)
    n, modes = len(samples), len(histogram)
    return SampledStep(
        step=step,
        histogram=tuple(histogram.tolist()),
        coverage=float(np.mean(histogram >= REACHED_SHARE * n / modes)),
        quality=float(histogram.sum() / n),
        frechet=frechet,
        reach=float(np.abs(samples).max()),
    )


def _modes(data: str) -> int:
    """Number of a target's modes, classes or cells."""
    if data in CELLS:
        return POINTS[data].cells(np.zeros((1, POINTS[data].features)), CELLS[data]).number
    if data in table_judge.CLASSES:
        return table_judge.CLASSES[data]
    return 10 if data in GOOD_FRECHET else len(small_gan.MIXTURES[data].centres)


def cells_histogram(data: str, samples: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count samples [n, features] in each cell of a distribution without modes, [cells]."""
    placed = POINTS[data].cells(samples, CELLS[data])
    inside = (placed.cell >= 0) & (placed.distance <= ON_SURFACE)
    return np.bincount(placed.cell[inside], minlength=placed.number)


def mixture_histogram(
    mixture: small_gan.Mixture, samples: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Count samples [n, 2] within three standard deviations of each centre, [modes]."""
    distances = cdist(samples, np.asarray(mixture.centres))
    nearest = distances.argmin(axis=1)
    inside = distances.min(axis=1) <= MODE_RADIUS * mixture.sd
    return np.bincount(nearest[inside], minlength=len(mixture.centres))


def digits_histogram(samples: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count samples [n, 64] that lie near a real digit, by the classifier's class, [10]."""
    images, _ = small_gan.load_digits()
    inside = cdist(samples, images).min(axis=1) <= _digits_radius()
    return np.bincount(digits_classifier.load().classify(samples)[inside], minlength=10)


@lru_cache(maxsize=1)
def _digits_radius() -> float:
    """Largest distance of a good digit to the nearest real one, by those of real ones."""
    images, _ = small_gan.load_digits()
    distances = cdist(images, images)
    np.fill_diagonal(distances, np.inf)
    return NEIGHBOUR_SLACK * float(np.quantile(distances.min(axis=1), NEIGHBOUR_QUANTILE))


@lru_cache(maxsize=1)
def _digits_features() -> NDArray[np.float32]:
    """Features [n, 32] of the real digits."""
    return digits_classifier.load().features(small_gan.load_digits()[0])


# ------------------------------------------------------------------------------------------ rules


def good_steps(data: str, checkpoints: Sequence[SampledStep]) -> NDArray[np.bool_]:
    """Tell which sample steps are good, smoothed over three neighbours, [sample steps]."""
    coverage = smooth(np.array([c.coverage for c in checkpoints]))
    quality = smooth(np.array([c.quality for c in checkpoints]))
    good = (coverage >= GOOD_COVERAGE) & (quality >= GOOD_QUALITY[data])
    if data in GOOD_FRECHET:
        distances = [np.inf if c.frechet is None else c.frechet for c in checkpoints]
        good &= smooth(np.array(distances)) <= GOOD_FRECHET[data]
    return good


def is_finite(checkpoints: Sequence[SampledStep], series: Mapping[str, Floats]) -> bool:
    """Tell whether all that was recorded is finite."""
    recorded = all(bool(np.isfinite(values).all()) for values in series.values())
    return recorded and bool(np.isfinite([c.reach for c in checkpoints]).all())


def is_diverged(
    data: str, checkpoints: Sequence[SampledStep], series: Mapping[str, Floats]
) -> bool:
    """Tell whether anything is not finite, or out of all bounds in the last fifth."""
    finite = is_finite(checkpoints, series)

    def larger_player(quantity: str) -> float:
        """Median over the last fifth of the larger player's absolute quantity."""
        players = [abs(values) for name, values in series.items() if name.endswith(quantity)]
        larger = np.max(players, axis=0)
        return float(np.median(last_fifth(larger)))

    bounds = {name: GAN.fault_above(name) for name in ("loss", "grad_norm")}
    levels = {name: larger_player(f"/{name}") for name in bounds} if finite else {}
    if data in small_gan.MIXTURES:
        levels["reach"] = max(c.reach for c in last_fifth(checkpoints))
        bounds["reach"] = DIVERGED_SAMPLE
    return definitions.is_diverged(finite=finite, levels=levels, bounds=bounds)


def label(data: str, checkpoints: Sequence[SampledStep], series: Mapping[str, Floats]) -> str:
    """Name the label of a training, the first that fits.

    `checkpoints` and `series` (`player/quantity` → [steps]) are those of the configured length;
    the series are every player's `loss` and `grad_norm`.
    """
    coverage = np.array([c.coverage for c in checkpoints])
    good = good_steps(data, checkpoints)
    return label_of(
        diverged=is_diverged(data, checkpoints, series),
        swing=swing(coverage, np.array([c.quality for c in checkpoints])),
        coverage=float(last_four(coverage).mean()),
        good_share=float(last_quarter(good).mean()),
    )


def onset(steps: Sequence[int], good: NDArray[np.bool_]) -> int | None:
    """Find the first step of the bad stretch that lasts to the end.

    None where the end is good, and where no sample step before it was good.
    """
    if good[-1] or not good.any():
        return None
    return steps[int(np.flatnonzero(good)[-1]) + 1]


# ------------------------------------------------------------------------------------------ truth


@dataclass(frozen=True)
class Truth:
    """Truth about a run, from its samples against the known generator of the data."""

    data: str
    """Name of the data."""
    length: int
    """Configured length in steps."""
    label: str
    """Label of the run, such as "collapsed"."""
    onset: int | None
    """Step of the first sample step of the final unbroken bad stretch; none for a healthy run."""
    stability: float
    """Share of good sample steps in the second half; 0 where anything was not finite."""
    next_quarter: float | None
    """Share of good sample steps from 1.0 to 1.25 of the length; none where there were none."""
    checkpoints: tuple[SampledStep, ...]
    """Sample steps in their order."""
    good: tuple[bool, ...]
    """Whether each sample step is good, smoothed over three neighbours."""

    def write(self, run: Path) -> None:
        """Write `truth.json` into the run's folder."""
        entries = (f'"{key}": {json.dumps(_plain(value))}' for key, value in asdict(self).items())
        target = run / TRUTH_FILE
        beside = target.with_suffix(".tmp")
        beside.write_text("{" + ",\n ".join(entries) + "}\n", encoding="utf-8")
        beside.replace(target)


def read(run: Path) -> Truth:
    """Read the truth of a run's folder."""
    values = json.loads((run / TRUTH_FILE).read_text(encoding="utf-8"))
    checkpoints = []
    for entry in values.pop("checkpoints"):
        reach = np.inf if entry["reach"] is None else entry["reach"]
        entry |= {"histogram": tuple(entry["histogram"]), "reach": reach}
        checkpoints.append(SampledStep(**entry))
    return Truth(**values | {"checkpoints": tuple(checkpoints), "good": tuple(values["good"])})


def judge(
    data: str,
    length: int,
    checkpoints: Sequence[SampledStep],
    series: Mapping[str, Floats],
) -> Truth:
    """Judge a training.

    `checkpoints` are at `definitions.sample_steps`, to 1.0 or to 1.25 of the length; `series`
    (`player/quantity` → [steps], of every step from 0) are cut at the length here.
    """
    within = checkpoints[:SAMPLE_STEPS]
    cut = {name: np.asarray(values, dtype=np.float64)[:length] for name, values in series.items()}
    good = good_steps(data, within)
    judged = label(data, within, cut)
    beyond = good_steps(data, checkpoints)[SAMPLE_STEPS:]
    stable = float(second_half(good).mean()) if is_finite(within, cut) else 0.0
    return Truth(
        data=data,
        length=length,
        label=judged,
        onset=None if judged == "healthy" else onset([c.step for c in within], good),
        stability=stable,
        next_quarter=float(beyond.mean()) if len(beyond) else None,
        checkpoints=tuple(checkpoints),
        good=(*map(bool, good), *map(bool, beyond)),
    )


def _plain(value: Any) -> Any:
    """Replace what JSON does not have: null stands for infinity and NaN."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
