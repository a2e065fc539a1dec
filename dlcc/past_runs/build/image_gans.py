"""Past runs of GANs on real images: settings drawn, trained by their recipe and judged.

Seven of ten settings come from ranges in which many a training ends well, the others from all over.
Lengths are such that a run takes some twenty seconds of a processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcc.engine.jobs import Job
from dlcc.past_runs.build.draws import by_shares, log_uniform
from dlcc.past_runs.build.image_runs import DATA, trained_on_images
from dlcc.past_runs.build.part_files import VERSION
from dlcc.past_runs.build.settings import SEEDS_APART

RECIPE = "image-gan"
_SOUND = 0.7
_NETS = {"conv": 0.5, "dense": 0.33, "residual": 0.17}
_MILLISECONDS = {"conv": 26.0, "dense": 9.0, "residual": 48.0}
"""Cost of a step at a batch of 32 and a width of 8, on a core."""
_SECONDS = 10.0  # of training to the configured length
_STEPS = (600, 5_000)
_SGD_FACTOR = 30.0


def draw_image_gan(build_seed: int, number: int) -> dict[str, Any]:
    """Draw the settings of one run: a function of the build's seed and the number."""
    rng = np.random.default_rng([build_seed, number, 28])
    sound = bool(rng.random() < _SOUND)
    net = by_shares(rng, _NETS)
    loss = by_shares(
        rng, {"ns": 0.3, "hinge": 0.2, "ls": 0.15, "wgangp": 0.12, "relativistic": 0.15, "mm": 0.08}
    )
    optimizer = by_shares(rng, {"adam": 0.75, "rmsprop": 0.15, "sgd": 0.1})
    rate = log_uniform(rng, 4e-4, 3e-3) if sound else log_uniform(rng, 1e-5, 5e-2)
    ratio = log_uniform(rng, 0.5, 3.0) if sound else log_uniform(rng, 1 / 16, 16)
    factor = _SGD_FACTOR if optimizer == "sgd" else 1.0
    settings: dict[str, Any] = {
        "data": by_shares(rng, dict.fromkeys(DATA, 1.0)),
        "net": net,
        "loss": loss,
        "optimizer": optimizer,
        "norm": by_shares(rng, {"batch": 0.5, "generator": 0.3, "spectral": 0.2}),
        "lr_d": float(f"{factor * rate:.3g}"),
        "lr_g": float(f"{factor * rate * ratio:.3g}"),
        "beta1": float(
            by_shares(rng, {0.0: 0.4, 0.5: 0.6} if sound else {0.0: 0.2, 0.5: 0.4, 0.9: 0.4})
        ),
        "batch": int(by_shares(rng, {16: 0.6, 32: 0.4})),
        "width": int(by_shares(rng, {8: 0.6, 12: 0.4})),
        "zdim": int(by_shares(rng, {16: 0.5, 64: 0.5} if sound else {2: 0.3, 16: 0.4, 64: 0.3})),
        "d_steps": int(by_shares(rng, {1: 0.9, 2: 0.1} if sound else {1: 0.7, 4: 0.3})),
        "dropout": float(by_shares(rng, {0.0: 0.75, 0.3: 0.25})),
        "ema": float(by_shares(rng, {0.0: 0.75, 0.99: 0.25})),
    }
    needs = loss == "relativistic" and sound  # which does not settle without
    settings["r1"] = float(
        by_shares(rng, {0.1: 0.5, 1.0: 0.5} if needs else {0.0: 0.75, 1.0: 0.25})
    )
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
    return round(log_uniform(rng, max(_STEPS[0], longest / 2.5), longest))


def image_gan_job(build_seed: int, number: int, folders: Mapping[str, str]) -> Job:
    """Make the job that trains one run.

    The files of the data are looked for in `folders`, which the library does not name.
    """
    settings = draw_image_gan(build_seed, number)
    place = folders.get(settings["data"], "")
    return Job(_image_gan, {"settings": settings}, {"folder": place}, version=VERSION)


def _image_gan(settings: Mapping[str, Any], folder: str) -> bytes:
    """Train one run, and keep what the library needs of it."""
    return trained_on_images(RECIPE, settings, folder)
