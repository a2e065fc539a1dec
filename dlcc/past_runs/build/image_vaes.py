"""Settings of past runs that are variational autoencoders of real images.

Six of ten come from ranges in which latents carry something; of the others many end in posterior
collapse, by a weight of the divergence or a rate that is too high.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcc.engine.jobs import Job
from dlcc.past_runs.build.draws import by_shares, log_uniform, rounded
from dlcc.past_runs.build.image_runs import DATA, trained_on_images
from dlcc.past_runs.build.part_files import VERSION
from dlcc.past_runs.build.settings import SEEDS_APART

RECIPE = "image-vae"
_SOUND = 0.6
_STEPS = {"dense": (800, 2_000), "conv": (600, 1_000)}
_SGD_FACTOR = 0.03  # the loss is in nats an image, so that gradients are large


def draw_image_vae(build_seed: int, number: int) -> dict[str, Any]:
    """Draw the settings of one run: a function of the build's seed and the number."""
    rng = np.random.default_rng([build_seed, number, 29])
    sound = bool(rng.random() < _SOUND)
    net = by_shares(rng, {"dense": 0.75, "conv": 0.25})
    optimizer = by_shares(rng, {"adam": 0.8, "rmsprop": 0.1, "sgd": 0.1})
    rate = log_uniform(rng, 1e-3, 6e-3) if sound else log_uniform(rng, 1e-5, 5e-2)
    return {
        "data": by_shares(rng, dict.fromkeys(DATA, 1.0)),
        "net": net,
        "likelihood": by_shares(rng, {"bernoulli": 0.7, "normal": 0.3}),
        "beta": rounded(log_uniform(rng, 0.5, 4.0) if sound else log_uniform(rng, 0.01, 100.0)),
        "anneal": float(by_shares(rng, {0.0: 0.6, 0.5: 0.4})),
        "latents": int(by_shares(rng, {8: 0.4, 16: 0.4, 32: 0.2})),
        "width": int(by_shares(rng, {8: 0.4, 16: 0.6})),
        "dropout": float(by_shares(rng, {0.0: 0.8, 0.2: 0.2})),
        "optimizer": optimizer,
        "lr": rounded(rate * (_SGD_FACTOR if optimizer == "sgd" else 1.0)),
        "batch": int(by_shares(rng, {32: 0.5, 64: 0.5})),
        "steps": round(log_uniform(rng, *_STEPS[net])),
        "seed": build_seed * SEEDS_APART + number,
    }


def image_vae_job(build_seed: int, number: int, folders: Mapping[str, str]) -> Job:
    """Make the job that trains one run, with the files of its data in one of the folders."""
    settings = draw_image_vae(build_seed, number)
    place = folders.get(settings["data"], "")
    return Job(_image_vae, {"settings": settings}, {"folder": place}, version=VERSION)


def _image_vae(settings: Mapping[str, Any], folder: str) -> bytes:
    """Train one run, and keep what the library needs of it."""
    return trained_on_images(RECIPE, settings, folder)
