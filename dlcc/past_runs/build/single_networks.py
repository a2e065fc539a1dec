"""Past runs of single networks: maps and autoencoders of drawn settings, trained by their recipes.

P(good) is that of the library of GANs, which never saw these runs; what is learnt anew, beside what
GANs tell, is how runs that look so on the way came to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.engine.engines import Engine
from dlcc.engine.jobs import Job
from dlcc.engine.results import complete
from dlcc.engine.scratch import scratch_folder
from dlcc.health.samples import Reference
from dlcc.past_runs.build.draws import log_uniform, rounded
from dlcc.past_runs.build.image_runs import check_images
from dlcc.past_runs.build.image_vaes import draw_image_vae, image_vae_job
from dlcc.past_runs.build.library import assembled, check_size, images_of, parts_folder
from dlcc.past_runs.build.part_files import VERSION, part_of, read_part
from dlcc.past_runs.build.past_run import recorded_run
from dlcc.past_runs.build.settings import SEEDS_APART
from dlcc.past_runs.build.simulation import OVERTRAIN
from dlcc.past_runs.build.terms import impacts, novelties, with_term
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import Library, read_library
from dlcc.recipes import get_recipe
from dlcc.recipes.autoencoders.cube_autoencoders import EPOCH
from dlcc.recipes.maps.mmd_maps import ROWS
from dlcc.recipes.train import train
from dlcc.records import Samples
from dlcc.runs import Run
from dlcc.typing import Progress

RECIPES: Mapping[str, float] = {
    "map-f1": 2,
    "map-f2": 2,
    "map-f3": 2,
    "map-reg": 2,
    "ae-f1": 1,
    "ae-f2": 1,
    "ae-f3": 1,
    "ae-f4": 1,
    "ae-f5": 1,
    "ae-beta": 2,
    "ae-sliced": 2,
}
"""Recipe to its relative share of the runs."""
_AS_THE_PAPER = 0.35  # of the maps; most of them end in a point
_STEPS = (300, 2400)


@dataclass(frozen=True)
class SinglePlan:
    """Plan of a library of single networks."""

    runs: int = 0
    """Number of maps and autoencoders of points."""
    vaes: int = 0
    """Number of variational autoencoders of images."""
    seed: int = 0
    """Seed that settings are drawn with."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Name of the data to the folder with its files."""
    joined: Path | None = None
    """Library that the runs join."""


def build_single(
    out: Path,
    plan: SinglePlan,
    engine: Engine,
    progress: Progress = lambda share, what: None,
) -> Library:
    """Train drawn settings, judge them by their targets and write the library to `out`.

    What was done is kept in `<out>.parts/`, from which a killed build goes on; it may be removed
    when the library is there.

    Raises:
        LibraryError: there are too few runs, or it cannot be written.
        RunError: files of the images are missing.
        OptionError: the engine's cluster cannot be reached.
    """
    base = None if plan.joined is None else replace(read_library(plan.joined), forests={})
    check_size(plan.runs + plan.vaes + (0 if base is None else len(base)))
    vaes = range(plan.vaes)
    check_images((draw_image_vae(plan.seed, k)["data"] for k in vaes), plan.folders)
    jobs = [single_job(plan.seed, number) for number in range(plan.runs)]
    jobs += [image_vae_job(plan.seed, number, plan.folders) for number in vaes]
    files = complete(jobs, parts_folder(out), engine, progress, "single networks")
    made = [run for file in files[: plan.runs] for run in read_part(file)]
    made += images_of(files[plan.runs :])
    library = assembled(base, made, shipped_library().good)
    library = with_term(library, "novelty", novelties(library))
    library = with_term(library, "impact", impacts(library, beside=shipped_library()))
    library.save(out)  # without forests: such runs are forecast from GANs, too
    return library


def single_job(seed: int, number: int) -> Job:
    """Make the job that trains one run."""
    recipe, settings = draw_single(seed, number)
    return Job(_single, {"recipe": recipe, "settings": settings}, version=VERSION)


def _single(recipe: str, settings: Mapping[str, Any]) -> bytes:
    """Train one run, past its end, and keep what the library needs of it."""
    with scratch_folder() as folder:
        train(recipe, folder, settings, overtrain=OVERTRAIN, snapshots=1)
        run = Run.open(folder)
        samples = Samples.of(run, None)
        assert samples is not None
        assert samples.reference is not None
        return part_of([recorded_run(run, Reference.of(samples.reference))])


def draw_single(build_seed: int, number: int) -> tuple[str, dict[str, Any]]:
    """Draw recipe and settings of one run: a function of the build's seed and the number."""
    rng = np.random.default_rng([build_seed, number])
    shares = np.array([*RECIPES.values()])
    recipe = str(rng.choice([*RECIPES], p=shares / shares.sum()))
    drawn = _map(recipe, rng) if recipe.startswith("map-") else _autoencoder(recipe, rng)
    return recipe, {**drawn, "seed": build_seed * SEEDS_APART + number}


def _map(recipe: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw the settings of a map."""
    if recipe != "map-reg" and rng.random() < _AS_THE_PAPER:
        return {"variant": "paper", "epochs": int(log_uniform(rng, 40, 500))}
    batch = int(rng.choice([64, 128, 256, 768]))
    epochs = max(1, round(log_uniform(rng, *_STEPS) / -(-ROWS["train"] // batch)))
    settings: dict[str, Any] = {"batch": batch, "epochs": epochs}
    if recipe == "map-reg":
        settings["regulariser"] = str(rng.choice(["none", "l1", "l2"], p=[0.2, 0.4, 0.4]))
        settings["strength"] = rounded(log_uniform(rng, 1e-6, 3e-1))
        settings["dropout"] = float(rng.choice([0.0, 0.05, 0.1, 0.3], p=[0.7, 0.1, 0.1, 0.1]))
    return settings


def _autoencoder(recipe: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw the settings of an autoencoder."""
    offered: dict[str, Any] = {
        "snr": float(rng.choice([0, 5, 10, 15, 20])),
        "beta": rounded(log_uniform(rng, 1e-4, 2.0)),
        "anneal_beta": float(rng.choice([0.0, 0.5])),
        "mmd": rounded(log_uniform(rng, 1e-2, 1e1)),
        "anneal_mmd": float(rng.choice([0.0, 0.5])),
        "prior": str(rng.choice(["standard", "fitted"])),
    }
    settings: dict[str, Any] = {
        "data": str(rng.choice(["cube_surface", "cube"], p=[0.75, 0.25])),
        "latents": int(rng.integers(2, 9)),
        "batch": int(rng.choice([64, 128, 256])),
    }
    settings["epochs"] = max(1, round(log_uniform(rng, *_STEPS) * settings["batch"] / EPOCH))
    known = {option.key for option in get_recipe(recipe).options}
    return settings | {key: value for key, value in offered.items() if key in known}
