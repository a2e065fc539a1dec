"""What P(healthy) says of images that are no samples: noise, mixed rows, blur, lost classes.

    MNIST_5K=... PHOTOGRAPHS=... python benchmarks/not_samples.py

MNIST at 28 × 28 in grey, and patches of 64 × 64 in colour cut from the photographs that
scikit-image ships (PHOTOGRAPHS is its folder `data`). Real held-out images, images that are none,
one to ten classes, and twelve corruptions at five strengths. The same images stand at twelve sample
steps of a run whose series are calm, so that only they decide.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, write_result
from image_gans.data import images
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from dlcc.health.curves import Curves, run_vector
from dlcc.health.sample_space import features_of
from dlcc.health.samples import sample_features, shared_reference
from dlcc.health.windows import WINDOW_FEATURES, WINDOWS
from dlcc.metrics.features import UNTRAINED
from dlcc.past_runs.in_use import shipped_library
from dlcc.scoring.calibration import p_healthy

Pictures = NDArray[np.float64]
SAMPLES, STEPS, SEED = 200, 12, 0
PHOTOGRAPHS = Path(os.environ.get("PHOTOGRAPHS", "skimage/data"))
NAMES = ("astronaut", "coffee", "chelsea", "rocket", "ihc", "motorcycle_left", "retina")
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def p_of(pictures: Pictures, reference: Pictures) -> float:
    """P(healthy) of a run whose samples are these pictures [n, ...] at every sample step."""
    held = shared_reference(reference, features_of(reference, {}))
    figures = np.tile(sample_features(pictures, held), (STEPS, 1))
    windows = np.full((WINDOWS, len(WINDOW_FEATURES)), 0.1)
    windows[:, WINDOW_FEATURES.index("not_finite")] = 0.0
    past = shipped_library()
    curves = Curves(windows, figures, relative=True)
    vector = run_vector(curves, past.good(curves))
    return float(p_healthy(vector, past, relative=True, space=UNTRAINED).mean())


def patches(number: int, rng: np.random.Generator) -> Pictures:
    """Cut patches [n, 3, 64, 64] in −1 to 1 from the photographs."""
    found = []
    for name in NAMES:
        file = next(PHOTOGRAPHS.glob(f"{name}.*"))
        photo = Image.open(file).convert("RGB")
        photo = photo.resize((photo.width // 2, photo.height // 2)) if photo.width > 700 else photo
        pixels = np.asarray(photo, dtype=np.float64) / 127.5 - 1
        for _ in range(-(-number // len(NAMES))):
            y, x = (int(rng.integers(size - 64)) for size in pixels.shape[:2])
            found.append(pixels[y : y + 64, x : x + 64].transpose(2, 0, 1))
    order = rng.permutation(len(found))[:number]
    return np.array(found)[order]


def corruptions(rng: np.random.Generator) -> Mapping[str, Callable[[Pictures, float], Pictures]]:
    """Corruptions of pictures [n, ..., h, w] by a strength from 0 to 1."""

    def some(x: Pictures, share: float) -> NDArray[np.bool_]:
        return rng.random(x.shape) < share

    def side(x: Pictures, share: float) -> int:
        return max(1, round(share * x.shape[-1] / 2))

    def blur(x: Pictures, s: float) -> Pictures:
        return ndimage.gaussian_filter(x, (*[0] * (x.ndim - 2), 2 * s, 2 * s))

    def hole(x: Pictures, s: float) -> Pictures:
        made, k, m = x.copy(), side(x, s), x.shape[-1] // 2
        made[..., m - k // 2 : m + k, m - k // 2 : m + k] = -1
        return made

    def interleave(x: Pictures, s: float) -> Pictures:
        made, rows = x.copy(), rng.random(x.shape[-2]) < 0.5 * s
        made[..., rows, :] = rng.permutation(x)[..., rows, :]
        return made

    def shuffle(x: Pictures, s: float) -> Pictures:
        made, k = x.copy(), side(x, 2 * s)
        rows = rng.permutation(x.shape[-2])[:k]
        made[..., np.sort(rows), :] = made[..., rows, :]
        return made

    def blocks(x: Pictures, s: float) -> Pictures:
        k = 1 + round(7 * s)
        coarse = np.repeat(np.repeat(x[..., ::k, ::k], k, axis=-2), k, axis=-1)
        return np.asarray(coarse[..., : x.shape[-2], : x.shape[-1]])

    return {
        "noise": lambda x, s: x + 0.6 * s * rng.standard_normal(x.shape),
        "salt": lambda x, s: np.where(some(x, 0.15 * s), 1.0, x),
        "pepper": lambda x, s: np.where(some(x, 0.3 * s), -1.0, x),
        "blur": blur,
        "blend of two": lambda x, s: (1 - 0.5 * s) * x + 0.5 * s * rng.permutation(x),
        "rows of two": interleave,
        "rows shuffled": shuffle,
        "hole": hole,
        "blocks": blocks,
        "contrast": lambda x, s: x * (1 - 0.8 * s),
        "shift": lambda x, s: np.roll(x, side(x, s), axis=-1),
        "stripes": lambda x, s: x + s * np.sin(np.arange(x.shape[-1]) * np.pi / 2),
    }


def judge(real: Pictures, reference: Pictures, rng: np.random.Generator) -> dict[str, Any]:
    """P(healthy) of real pictures, of what is none, and of corruptions by strength."""

    def drawn() -> Pictures:
        return real[rng.permutation(len(real))[:SAMPLES]]

    pair = drawn()
    pair[..., ::2, :] = drawn()[..., ::2, :]
    mean = np.repeat(real.mean(axis=0)[None], SAMPLES, axis=0)
    none = {
        "noise of .5 over images": drawn() + 0.5 * rng.standard_normal(drawn().shape),
        "rows of two images interleaved": pair,
        "rows shuffled": drawn()[..., rng.permutation(real.shape[-2]), :],
        "uniform noise": rng.uniform(-1, 1, drawn().shape),
        "the mean image": mean + 0.01 * rng.standard_normal(mean.shape),
        "one image": np.repeat(drawn()[:1], SAMPLES, axis=0),
    }
    return {
        "real": [p_of(drawn(), reference) for _ in range(5)],
        "none": {name: p_of(given, reference) for name, given in none.items()},
        "corruptions": {
            name: [p_of(make(drawn(), s), reference) for s in STRENGTHS]
            for name, make in corruptions(rng).items()
        },
    }


def draw(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw P(healthy) over the strength of corruption."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(found), figsize=(10, 4), sharey=True)
    for axis, (title, result) in zip(axes, found.items(), strict=True):
        for name, values in result["corruptions"].items():
            axis.plot([0, *STRENGTHS], [np.mean(result["real"]), *values], marker=".", label=name)
        axis.set(title=title, xlabel="strength of the corruption", ylim=(0, 1))
    axes[0].set_ylabel("P(healthy)")
    axes[-1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(RESULTS / "not_samples.png", dpi=110)


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    pixels, labels = images("mnist")
    digits = pixels.astype(np.float64)
    cut = patches(3_000, rng)
    found = {
        "MNIST, 28 × 28": judge(digits[2_000:], digits[:2_000], rng),
        "patches of photographs, 64 × 64 × 3": judge(cut[2_000:], cut[:2_000], rng),
    }
    classes: dict[str, Any] = {}
    for k in (1, 3, 5, 7, 10):
        inside = digits[2_000:][labels[2_000:] < k]
        classes[str(k)] = [
            p_of(inside[rng.permutation(len(inside))[:SAMPLES]], digits[:2_000]) for _ in range(3)
        ]
    draw(found)
    write_result(
        "not_samples",
        {"P(healthy)": found, "MNIST of the first classes": classes, "strengths": STRENGTHS},
        {"pictures": SEED},
    )


if __name__ == "__main__":
    main()
