"""Pictures as training scripts save them: grids of tiles, figures, arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

Tiles = NDArray[np.uint8]
DIGITS: Tiles = (load_digits().images / 16 * 255).astype(np.uint8)


def grid(tiles: Tiles, nrow: int = 8, padding: int = 2, colour: int = 0) -> Tiles:
    """A grid as torchvision's make_grid lays it out, of tiles [n, h, w] or [n, h, w, 3]."""
    n, h, w = tiles.shape[:3]
    down, across = -(-n // nrow), min(nrow, n)
    size = (down * (h + padding) + padding, across * (w + padding) + padding)
    out = np.full((*size, *tiles.shape[3:]), colour, np.uint8)
    for at, tile in enumerate(tiles):
        y = padding + at // nrow * (h + padding)
        x = padding + at % nrow * (w + padding)
        out[y : y + h, x : x + w] = tile
    return out


def photos(n: int, side: int, rng: np.random.Generator, channels: int = 0) -> Tiles:
    """Smooth tiles whose edges are unlike those of their neighbours, as of photographs."""
    coarse = rng.normal(size=(n, 4, 4, *([channels] if channels else [])))
    at = np.linspace(0, 3, side)
    low = np.minimum(at.astype(int), 2)
    share = at - low
    down = np.moveaxis(coarse, 1, -1)
    down = np.moveaxis(down[..., low] * (1 - share) + down[..., low + 1] * share, -1, 1)
    both = np.moveaxis(down, 2, -1)
    both = np.moveaxis(both[..., low] * (1 - share) + both[..., low + 1] * share, -1, 2)
    noise = rng.normal(scale=0.05, size=both.shape)
    return (128 + 60 * (both + noise)).clip(0, 255).astype(np.uint8)


def strokes(n: int, rng: np.random.Generator) -> Tiles:
    """Tiles of 28 × 28 with a black edge of four pixels, as of MNIST."""
    tiles = np.zeros((n, 28, 28), np.uint8)
    at = np.linspace(0, 7, 20).round().astype(int)
    tiles[:, 4:24, 4:24] = DIGITS[rng.integers(0, len(DIGITS), n)][:, at][:, :, at]
    return tiles


def save(path: Path, picture: Tiles) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def losses(folder: Path, epochs: int = 20, per_epoch: int = 100) -> Path:
    """A record of a game in which nothing but noise changes."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{epoch},{batch},{1.3 + 0.05 * rng.normal():.4f},{0.8 + 0.05 * rng.normal():.4f}\n"
        for epoch in range(epochs)
        for batch in range(0, per_epoch, 10)
    ]
    (folder / "train.csv").write_text("epoch,batch,d_loss,g_loss\n" + "".join(rows))
    return folder
