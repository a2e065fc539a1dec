"""Advice on code that this package never saw: is a failed run mended by what `dlcc advise` says?

    python benchmarks/own_advice.py --cache /tmp/own --seed COMMIT

Eight scripts (`own_code/`): plain training loops of differing style whose keys have differing
names, GANs on digits (flat, as images, upsampled) and on mixtures, and variational autoencoders.
Settings are drawn by the seed, the hash of the commit in which the software was frozen, until each
script has three runs that failed. Each gets `dlcc advise` with a budget; the three changes that it
lists first are trained with a new seed, "another seed" beside them, and judged by the truth: by a
logistic regression on pixels, principal components and the known mixtures, none of which health
sees. A change is a no-op where thirty steps and samples come out to the bit as without it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from common import write_result
from mend import share
from numpy.typing import NDArray

from dlcc import Recorder
from dlcc.advice import advise_folder
from dlcc.advice.change import Change
from dlcc.engine.engines import Local
from dlcc.errors import InputError
from dlcc.runs import Run
from dlcc.runs.seeding import built

Config = dict[str, Any]
Rows = NDArray[np.float64]
EACH, SHOWN = 3, 3
BUDGET, MOST_BUSY = 60.0, 2.5  # seconds of a free core; most that other load may stretch them
RATES = (1e-4, 2e-2)  # of players of GANs
SAMPLES, LAST = 512, 4  # samples of a step, and last sample steps that the truth looks at


def _pick(rng: np.random.Generator, *values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(f"{10 ** rng.uniform(np.log10(low), np.log10(high)):.2g}")


def _closures(rng: np.random.Generator) -> Config:
    return {
        "learning_rate_g": _log(rng, *RATES), "learning_rate_d": _log(rng, *RATES),
        "betas": [_pick(rng, 0.0, 0.5, 0.9), 0.999], "r1_gamma": _pick(rng, 0.0, 0.0, 0.1),
        "bs": _pick(rng, 16, 64), "loss": "ns",
    }  # fmt: skip


def _trainer(rng: np.random.Generator) -> Config:
    def optimiser() -> Config:
        return {"lr": _log(rng, *RATES), "momentum": _pick(rng, 0.0, 0.5, 0.9)}

    return {
        "optim": {"gen": optimiser(), "disc": optimiser()},
        "gan_mode": _pick(rng, "vanilla", "hinge", "lsgan"),
        "reg": {"gradient_penalty": _pick(rng, 0.0, 0.0, 0.1)},
        "batch_size": _pick(rng, 32, 128), "width": 64, "ema_decay": 0.99,
    }  # fmt: skip


def _conv(rng: np.random.Generator) -> Config:
    return {
        "lrG": _log(rng, *RATES), "lrD": _log(rng, *RATES), "beta1": _pick(rng, 0.5, 0.9),
        "lambda_gp": _pick(rng, 0.0, 1.0, 10.0), "n_critic": _pick(rng, 1, 5),
        "loss_type": _pick(rng, "vanilla", "wgan-gp"), "batchSize": 32, "beta2": 0.999,
    }  # fmt: skip


def _averaged(rng: np.random.Generator) -> Config:
    return {
        "lr": _log(rng, *RATES), "ttur": _pick(rng, 0.1, 1.0, 4.0),
        "optimiser": _pick(rng, "adam", "adam", "rmsprop", "sgd"),
        "ema_decay": _pick(rng, 0.9, 0.999), "label_smoothing": _pick(rng, 0.0, 0.1),
        "instance_noise": _pick(rng, 0.0, 0.1), "batch": 64, "r1": 0.0,
    }  # fmt: skip


def _critic(rng: np.random.Generator) -> Config:
    return {
        "gen_lr": _log(rng, *RATES), "critic_lr": _log(rng, *RATES),
        "b1": _pick(rng, 0.0, 0.5, 0.9), "critic_iters": _pick(rng, 1, 3),
        "gp_weight": _pick(rng, 0.01, 1.0, 10.0), "batch": 64, "hidden": 64, "loss": "wgangp",
    }  # fmt: skip


def _dense_vae(rng: np.random.Generator) -> Config:
    return {
        "lr": _log(rng, 1e-5, 5e-2), "beta": _log(rng, 0.03, 30.0),
        "latent_dim": _pick(rng, 2, 8, 16), "kl_warmup": _pick(rng, 0, 500),
        "batch_size": _pick(rng, 32, 128), "dropout": 0.0,
    }  # fmt: skip


def _conv_vae(rng: np.random.Generator) -> Config:
    return {
        "model": {"z_dim": _pick(rng, 2, 8, 16)},
        "train": {"learning_rate": _log(rng, 1e-5, 5e-2), "bs": 64, "weight_decay": 0.0},
        "loss": {"kl_weight": _log(rng, 0.03, 30.0), "free_bits": _pick(rng, 0.0, 0.1)},
    }  # fmt: skip


def _namespace(rng: np.random.Generator) -> Config:
    return {
        "d_lr": _log(rng, *RATES), "g_lr": _log(rng, *RATES),
        "relativistic": _pick(rng, False, True), "gamma": _pick(rng, 0.0, 0.1),
        "r2_gamma": _pick(rng, 0.0, 0.1), "mom": _pick(rng, 0.0, 0.5, 0.9),
        "d_steps": _pick(rng, 1, 3), "minibatch": 32, "ema": 0.999,
    }  # fmt: skip


SCRIPTS: Mapping[str, tuple[Callable[[np.random.Generator], Config], int, str]] = {
    "closures": (_closures, 3000, "digits"),
    "trainer_class": (_trainer, 3000, "spiral"),
    "conv_gan": (_conv, 1000, "digits"),
    "averaged": (_averaged, 2500, "digits"),
    "critic_loop": (_critic, 2000, "cross"),
    "dense_vae": (_dense_vae, 3000, "digits"),
    "conv_vae": (_conv_vae, 1500, "digits"),
    "namespace_gan": (_namespace, 2500, "digits"),
}
"""Script -> how its settings are drawn, its steps, and its data."""


def objective(script: str) -> dict[str, str]:
    return {"kind": "vae"} if script.endswith("vae") else {"kind": "gan"}


def code(script: str) -> Any:
    """Module of a script."""
    return importlib.import_module(f"own_code.{script}")


def recorded(script: str, config: Config, out: Path) -> Run:
    """Train a configuration into a run folder, where it is not there yet."""
    length = SCRIPTS[script][1]
    if not (out / "done").exists():
        with Recorder(out, build=code(script).build, config=config, length=length,
                      objective=objective(script)) as recorder:  # fmt: skip
            recorder.train(samples=SAMPLES, snapshots=4, sample_steps=24)
        (out / "done").touch()
    return Run.open(out)


def rows_of_last(script: str, config: Config) -> list[Rows] | None:
    """Samples of the last sample steps; None where the training breaks down."""
    length = SCRIPTS[script][1]
    training = built(code(script).build, config)
    found = []
    try:
        for step in range(length):
            training.step(step)
            if step + 1 in {length - k * length // 24 for k in range(LAST)}:
                found.append(training.sample(SAMPLES, step).double().numpy())
    except (RuntimeError, ValueError):
        return None
    return found


@lru_cache
def _digits() -> tuple[Any, Any, Rows]:
    """Classifier, components, and held-out features of real digits."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    pixels, labels = load_digits(return_X_y=True)
    classifier = LogisticRegression(C=0.01, max_iter=2000).fit(pixels[::2], labels[::2])
    components = PCA(20, random_state=0).fit(pixels[::2])
    return classifier, components, components.transform(pixels[1::2])


def _as_pixels(script: str, rows: Rows) -> Rows:
    """Samples as digits have them: 64 values from 0 to 16."""
    side = {64: 8, 256: 16}[int(np.prod(rows.shape[1:]))]
    images = rows.reshape(len(rows), side, side)
    if side == 16:
        images = images.reshape(len(rows), 8, 2, 8, 2).mean(axis=(2, 4))
    scaled = 16 * images if script.endswith("vae") else 8 * (images + 1)
    return np.asarray(np.clip(scaled, -50, 66).reshape(len(rows), 64))


def figures_of_digits(script: str, rows: Rows) -> tuple[float, float]:
    """Classes that are reached, and the Fréchet distance as a share of the data's variance."""
    classifier, components, real = _digits()
    pixels = _as_pixels(script, rows)
    probabilities = classifier.predict_proba(pixels)
    sure = probabilities.max(1) > 0.5
    shares = np.bincount(probabilities.argmax(1)[sure], minlength=10) / len(rows)
    made = components.transform(pixels)
    distance = frechet(made, real) / float(np.trace(np.cov(real.T)))
    return float((shares >= 0.02).sum()), distance


def frechet(a: Rows, b: Rows) -> float:
    """Fréchet distance of two sets of rows."""
    from scipy.linalg import sqrtm

    ca, cb = np.cov(a.T), np.cov(b.T)
    root = np.real(sqrtm(ca @ cb))
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * root))


def figures_of_mixture(script: str, rows: Rows) -> tuple[float, float]:
    """Share of modes that are reached, and share of samples that lie at none."""
    module = code(script)
    centres = module.centres().numpy() if hasattr(module, "centres") else module.ARMS.numpy()
    distances = np.linalg.norm(rows[:, None] - centres[None], axis=2)
    near = distances.min(1) < 4 * module.SPREAD
    shares = np.bincount(distances.argmin(1)[near], minlength=len(centres)) / len(rows)
    return float((shares >= 0.2 / len(centres)).mean()), 1 - float(near.mean())


GOOD = {"digits": (8.0, 0.35), "spiral": (0.8, 0.35), "cross": (0.8, 0.35)}
"""Data -> least of the first figure and most of the second in which a run is healthy."""


def figures(script: str, config: Config) -> tuple[float, float]:
    """The truth's two figures, over the last sample steps; infinitely bad where it broke down."""
    rows = rows_of_last(script, config)
    if rows is None or not all(np.isfinite(r).all() for r in rows):
        return 0.0, 1e9
    of = figures_of_digits if SCRIPTS[script][2] == "digits" else figures_of_mixture
    first, second = zip(*(of(script, r) for r in rows), strict=True)
    return float(np.median(first)), float(np.median(second))


def is_healthy(script: str, found: tuple[float, float]) -> bool:
    """Whether a run is healthy by the truth."""
    least, most = GOOD[SCRIPTS[script][2]]
    return found[0] >= least and found[1] <= most


def kept(file: Path, make: Callable[[], Any]) -> Any:
    """A result, from its file where it was made before."""
    if not file.exists():
        file.write_text(json.dumps(make()))
    return json.loads(file.read_text())


def failed_setting(script: str, which: int, seed: str, cache: Path) -> Config:
    """The setting of a script that failed by the truth after `which` others had."""
    draw, failed, number = SCRIPTS[script][0], 0, 0
    while True:
        rng = np.random.default_rng(xxhash.xxh3_64_intdigest(f"{seed} {script} {number}".encode()))
        config = {**draw(rng), "seed": int(rng.integers(2**31))}
        file = cache / f"{script}-{number:02d}-truth.json"
        if not is_healthy(script, kept(file, lambda c=config: figures(script, c))):
            if failed == which:
                return config
            failed += 1
        number += 1


def busyness() -> float:
    """How many times longer than on a free core work takes at the moment."""
    wall, cpu = time.monotonic(), time.process_time()
    while time.process_time() - cpu < 1.0:
        np.linalg.svd(np.ones((50, 50)))
    return max(1.0, time.monotonic() - wall)


def is_noop(script: str, config: Config, change: Change) -> bool:
    """Whether thirty steps and samples come out the same with a change."""
    return _begins(script, config) == _begins(script, change.applied(config))


def _begins(script: str, config: Config) -> bytes | None:
    try:
        training = built(code(script).build, config)
        for step in range(30):
            training.step(step)
        return bytes(training.sample(8, 0).numpy().tobytes())
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        return None


def mend(script: str, config: Config, place: Path) -> dict[str, Any]:
    """Advice on a failed run, and what became of it."""
    run = recorded(script, config, place)
    started = time.monotonic()
    budget = BUDGET * min(MOST_BUSY, busyness())
    try:
        found = advise_folder(run, budget, reruns=True, trust=True, engine=Local())
    except InputError as error:
        return {"error": str(error)}
    seconds = time.monotonic() - started
    shown = found.advised.shown()[:SHOWN]
    seed = xxhash.xxh3_64_intdigest(json.dumps(config).encode()) % 2**31
    tried = [a.change for a in shown]
    made: list[tuple[float, float]] = []
    for k, change in enumerate(tried):
        made.append(figures(script, {**change.applied(config), "seed": seed + k}))
        if is_healthy(script, made[-1]):
            break  # within three it is mended already
    control = figures(script, {**config, "seed": seed + SHOWN})
    return {
        "before": [config],
        "words": [change.words(config) for change in tried],
        "standing": [found.advised.standing(a) for a in shown],
        "healthy": [is_healthy(script, f) for f in made],
        "figures": made,
        "another_seed": is_healthy(script, control),
        "noops": [is_noop(script, config, change) for change in tried],
        "tried": sum(a.reruns > 0 for a in found.advised.ranked),
        "left_out": found.heeded.words,
        "why_no_reruns": found.why_no_reruns,
        "seconds": seconds,
    }


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Shares over all failed runs, and of the two sorts of training."""

    def of(some: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "first": share([bool(r.get("healthy")) and r["healthy"][0] for r in some]),
            "within_three": share([any(r.get("healthy", [])) for r in some]),
            "another_seed": share([r.get("another_seed", False) for r in some]),
        }

    advised = [r["healthy"][0] for r in rows if r.get("standing") and r["standing"][0] == "advised"]
    return {
        **of(rows),
        "first_where_sure": share(advised),
        "gans": of([r for r in rows if not r["script"].endswith("vae")]),
        "vaes": of([r for r in rows if r["script"].endswith("vae")]),
        "noops_offered": sum(sum(r.get("noops", [])) for r in rows),
        "changes_tried_mean": float(np.mean([r.get("tried", 0) for r in rows])),
        "rows": list(rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder for what is done")
    parser.add_argument("--seed", required=True, help="hash of the frozen commit")
    parser.add_argument("--scripts", nargs="*", default=[*SCRIPTS])
    parser.add_argument("--each", type=int, default=EACH, help="failed runs of a script")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cache: Path = arguments.cache
    cache.mkdir(parents=True, exist_ok=True)
    rows = []
    for k in range(arguments.each):  # so that what is done at any moment is of all scripts
        for script in arguments.scripts:
            config = failed_setting(script, k, arguments.seed, cache)
            place, file = cache / f"{script}-{k}", cache / f"{script}-{k}.json"
            row = kept(file, lambda s=script, c=config, p=place: mend(s, c, p))
            rows.append({"script": script, **row})
            print(script, k, row.get("healthy"), row.get("another_seed"), file=sys.stderr)
    write_result("own_advice", summary(rows), seeds={"settings": arguments.seed})


if __name__ == "__main__":
    main()
