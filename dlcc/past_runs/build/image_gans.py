"""Past runs of GANs on real images: settings drawn, trained by their recipe and judged.

Seven of ten settings come from ranges in which many a training ends well, the others from all over.
Lengths are such that a run takes some twenty seconds of a processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dlcc.engine.jobs import Job
from dlcc.engine.scratch import scratch_folder
from dlcc.errors import RunError
from dlcc.health.run_features import reference_of
from dlcc.past_runs.build.part_files import VERSION, part_of
from dlcc.past_runs.build.past_run import recorded_run
from dlcc.past_runs.build.settings import SEEDS_APART
from dlcc.past_runs.build.simulation import OVERTRAIN
from dlcc.recipes.data.images import count_images
from dlcc.recipes.train import train
from dlcc.records import Samples
from dlcc.runs import Run

RECIPE = "image-gan"
DATA = ("mnist5k", "fashion", "letters")
"""Names of the data, drawn alike; their files are looked for in folders that the caller names."""
_SOUND = 0.7
_NETS = {"conv": 0.5, "dense": 0.33, "residual": 0.17}
_MILLISECONDS = {"conv": 26.0, "dense": 9.0, "residual": 48.0}
"""Cost of a step at a batch of 32 and a width of 8, on a core."""
_SECONDS = 10.0  # of training to the configured length
_STEPS = (600, 5_000)
_SAMPLES = 128  # of a step that are looked at
_SGD_FACTOR = 30.0


def draw_image_gan(build_seed: int, number: int) -> dict[str, Any]:
    """Draw the settings of one run: a function of the build's seed and the number."""
    rng = np.random.default_rng([build_seed, number, 28])
    sound = bool(rng.random() < _SOUND)
    net = _draw(rng, _NETS)
    loss = _draw(
        rng, {"ns": 0.3, "hinge": 0.2, "ls": 0.15, "wgangp": 0.12, "relativistic": 0.15, "mm": 0.08}
    )
    optimizer = _draw(rng, {"adam": 0.75, "rmsprop": 0.15, "sgd": 0.1})
    rate = _log_uniform(rng, 4e-4, 3e-3) if sound else _log_uniform(rng, 1e-5, 5e-2)
    ratio = _log_uniform(rng, 0.5, 3.0) if sound else _log_uniform(rng, 1 / 16, 16)
    factor = _SGD_FACTOR if optimizer == "sgd" else 1.0
    settings: dict[str, Any] = {
        "data": _draw(rng, dict.fromkeys(DATA, 1.0)),
        "net": net,
        "loss": loss,
        "optimizer": optimizer,
        "norm": _draw(rng, {"batch": 0.5, "generator": 0.3, "spectral": 0.2}),
        "lr_d": float(f"{factor * rate:.3g}"),
        "lr_g": float(f"{factor * rate * ratio:.3g}"),
        "beta1": float(
            _draw(rng, {0.0: 0.4, 0.5: 0.6} if sound else {0.0: 0.2, 0.5: 0.4, 0.9: 0.4})
        ),
        "batch": int(_draw(rng, {16: 0.6, 32: 0.4})),
        "width": int(_draw(rng, {8: 0.6, 12: 0.4})),
        "zdim": int(_draw(rng, {16: 0.5, 64: 0.5} if sound else {2: 0.3, 16: 0.4, 64: 0.3})),
        "d_steps": int(_draw(rng, {1: 0.9, 2: 0.1} if sound else {1: 0.7, 4: 0.3})),
        "dropout": float(_draw(rng, {0.0: 0.75, 0.3: 0.25})),
        "ema": float(_draw(rng, {0.0: 0.75, 0.99: 0.25})),
    }
    needs = loss == "relativistic" and sound  # which does not settle without
    settings["r1"] = float(_draw(rng, {0.1: 0.5, 1.0: 0.5} if needs else {0.0: 0.75, 1.0: 0.25}))
    settings["r2"] = settings["r1"] if needs else 0.0
    settings["steps"] = _steps(settings, rng)
    settings["seed"] = build_seed * SEEDS_APART + number
    return settings


def _steps(settings: Mapping[str, Any], rng: np.random.Generator) -> int:
    """Draw a length that the time for a run allows."""
    cost = _MILLISECONDS[settings["net"]] * (settings["batch"] / 32) ** 0.8
    cost *= (settings["width"] / 8) ** 0.5 * (1 + 0.5 * (settings["d_steps"] - 1))
    if settings["r1"] or settings["loss"] == "wgangp":
        cost *= 1.3
    longest = float(np.clip(1e3 * _SECONDS / cost, _STEPS[0] * 1.2, _STEPS[1]))
    return round(_log_uniform(rng, max(_STEPS[0], longest / 2.5), longest))


def image_gan_job(build_seed: int, number: int, folders: Mapping[str, str]) -> Job:
    """Make the job that trains one run.

    The files of the data are looked for in `folders`, which the library does not name.
    """
    settings = draw_image_gan(build_seed, number)
    place = folders.get(settings["data"], "")
    return Job(_image_gan, {"settings": settings}, {"folder": place}, version=VERSION)


def _image_gan(settings: Mapping[str, Any], folder: str) -> bytes:
    """Train one run, past its end, and keep what the library needs of it."""
    with scratch_folder() as out:
        whole = {**settings, "folder": folder}
        train(RECIPE, out, whole, overtrain=OVERTRAIN, snapshots=1)
        run = Run.open(out)
        samples = Samples.of(run, None)
        assert samples is not None
        reference = reference_of(samples)
        assert reference is not None
        made = recorded_run(run, reference, _SAMPLES)
        return part_of([replace(made, config={**made.config, "folder": ""})])


def check_images(numbers: Sequence[int], build_seed: int, folders: Mapping[str, str]) -> None:
    """Refuse a build whose data are not there before anything is trained, not after.

    Raises:
        RunError: Files of the data are missing; it says which and where they are looked for.
    """
    for data in sorted({draw_image_gan(build_seed, number)["data"] for number in numbers}):
        try:
            count_images(data, folders.get(data, ""))
        except RunError as error:
            raise RunError(
                f"--folder {data}=FOLDER is needed for GANs on images: {error}"
            ) from None


def _draw(rng: np.random.Generator, shares: Mapping[Any, float]) -> Any:
    """Draw a value by the shares."""
    p = np.array([*shares.values()])
    return [*shares][int(rng.choice(len(p), p=p / p.sum()))]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
