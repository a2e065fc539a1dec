"""Points drawn from distributions that are known, and the cells by which samples are judged.

Drawing is a function of a numpy Generator alone. `cells` cuts a distribution into parts that a draw
falls into equally often, so that the counts of good samples scatter as those of a multinomial with
equal probabilities do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from dlcc.recipes.small_gan import training as small_gan
from dlcc.typing import Floats

_MOST_ALONG = 200  # cells along an axis: 8 million in a cube


class Placed(NamedTuple):
    """Samples assigned to cells."""

    cell: NDArray[np.int64]
    """Cell of each sample, [n]; −1 for one that is in none."""
    number: int
    """Number of cells, all equally likely."""
    distance: Floats
    """Distance of each sample to the nearest point that can be drawn, [n]; infinite where a
    coordinate is not finite, 0 everywhere for distributions that fill the plane."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of samples in each cell, [number]."""
        return np.bincount(self.cell[self.cell >= 0], minlength=self.number)

    @property
    def outside(self) -> int:
        """Number of samples in no cell."""
        return int(np.count_nonzero(self.cell < 0))


class Points(ABC):
    """Distribution in the plane or in space."""

    features: ClassVar[int]
    """Number of coordinates of a point."""

    @abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw independent points, [n, features]."""

    def cells(self, samples: NDArray[Any], k: int) -> Placed:
        """Assign samples [n, features] to cells, `k` along each axis.

        Raises:
            ValueError: the samples have other sizes, or `k` is not from 1 to 200.
        """
        points = np.asarray(samples, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.features:
            raise ValueError(f"samples {list(points.shape)}: expected [n, {self.features}]")
        if not 1 <= k <= _MOST_ALONG:
            raise ValueError(f"k is {k}: give a whole number from 1 to {_MOST_ALONG}")
        finite = np.asarray(np.isfinite(points).all(axis=1))
        cell, number, distance = self._cells(np.where(finite[:, None], points, 0), k)
        return Placed(np.where(finite, cell, -1), number, np.where(finite, distance, np.inf))

    @abstractmethod
    def _cells(self, points: Floats, k: int) -> Placed:
        """Assign finite points [n, features] to cells, as `cells`."""


@dataclass(frozen=True)
class Mixture(Points):
    """Mixture of equally likely Gaussians in the plane, one of `small_gan.MIXTURES`.

    A sample within `radius` standard deviations of a centre belongs to it; there it falls into one
    of the k × k cells of that Gaussian. With k = 1 the cells are the modes.
    """

    features: ClassVar = 2
    name: str
    """Name of the mixture."""
    radius: float = 3.0
    """Largest distance of a sample from its centre, in standard deviations."""

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        return small_gan.draw_data(self.name, (n,), rng)

    def _cells(self, points: Floats, k: int) -> Placed:
        centres, sd = np.asarray(small_gan.MIXTURES[self.name].centres), self._sd
        distances = np.linalg.norm(points[:, None] - centres, axis=2)
        nearest = distances.argmin(axis=1)
        off = distances.min(axis=1)
        within = _index(ndtr((points - centres[nearest]) / sd), k)
        cell = np.where(off <= self.radius * sd, nearest * k**2 + within, -1)
        return Placed(cell, len(centres) * k**2, np.zeros(len(points)))

    @property
    def _sd(self) -> float:
        """Standard deviation of each Gaussian."""
        return small_gan.MIXTURES[self.name].sd


@dataclass(frozen=True)
class Gaussian(Points):
    """Standard normal in the plane; cells are k × k boxes of equal probability, which fill it."""

    features: ClassVar = 2

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        return rng.standard_normal((n, 2), dtype=np.float32)

    def _cells(self, points: Floats, k: int) -> Placed:
        return Placed(_index(ndtr(points), k), k**2, np.zeros(len(points)))


class _Box(Points):
    """Uniform distribution on [−1, 1] to the power of `features`; cells are equal boxes."""

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        return _uniform((n, self.features), rng)

    def _cells(self, points: Floats, k: int) -> Placed:
        off = np.linalg.norm(points - points.clip(-1, 1), axis=1)
        cell = np.where(off == 0, _index((points + 1) / 2, k), -1)
        return Placed(cell, k**self.features, off)


@dataclass(frozen=True)
class Square(_Box):
    """Uniform distribution on the square [−1, 1]²; k × k cells."""

    features: ClassVar = 2


@dataclass(frozen=True)
class Cube(_Box):
    """Uniform distribution in the cube [−1, 1]³; k × k × k cells."""

    features: ClassVar = 3


@dataclass(frozen=True)
class CubeSurface(Points):
    """Uniform distribution on the surface of the cube [−1, 1]³.

    Cells are k × k squares on each of the six faces: −x, +x, −y, +y, −z, +z. Every finite sample
    falls into that of the nearest point of the surface; how far off it is, is its distance.
    """

    features: ClassVar = 3

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        face = rng.integers(6, size=n)
        points = _uniform((n, 3), rng)
        points[np.arange(n), face // 2] = 2 * (face % 2) - 1
        return points

    def _cells(self, points: Floats, k: int) -> Placed:
        rows = np.arange(len(points))
        axis = np.abs(points).argmax(axis=1)
        positive = points[rows, axis] > 0
        others = np.array([[1, 2], [0, 2], [0, 1]])[axis]
        on_face = (points[rows[:, None], others].clip(-1, 1) + 1) / 2
        outside = np.linalg.norm(points - points.clip(-1, 1), axis=1)
        inside = np.maximum(1 - np.abs(points).max(axis=1, initial=0), 0)
        cell = (2 * axis + positive) * k**2 + _index(on_face, k)
        return Placed(cell, 6 * k**2, outside + inside)  # one of them is 0


POINTS: dict[str, Points] = {
    **{name: Mixture(name) for name in small_gan.MIXTURES},
    "square": Square(),
    "gaussian": Gaussian(),
    "cube": Cube(),
    "cube_surface": CubeSurface(),
}
"""Distributions by name."""


def _uniform(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw uniform numbers in [−1, 1)."""
    return 2 * rng.random(shape, dtype=np.float32) - 1


def _index(shares: Floats, k: int) -> NDArray[np.int64]:
    """Number the boxes of points [n, d] of the unit cube, k along each axis: 0 … k^d − 1."""
    along = np.minimum((shares * k).astype(np.int64), k - 1)
    return along @ k ** np.arange(shares.shape[1])[::-1]
