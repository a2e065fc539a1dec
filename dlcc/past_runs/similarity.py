"""Similarity of runs: distances in the space of their figures, by FAISS.

The figures are those of the feature vector and of the configuration, each standardised on the
library and cut at ± 4, so that no single figure decides; missing figures stand at the mean, and so
do those that no past run has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlcc.health.curves import IN_FEATURES, NEEDS_SAMPLES
from dlcc.past_runs.configuration import CONFIG_FEATURES, config_features
from dlcc.past_runs.courses import Courses
from dlcc.past_runs.neighbours import NeighbourIndex
from dlcc.past_runs.store import Library, comparable, row
from dlcc.typing import Floats, Ints

_CUT = 4.0
_OWN_QUANTILE = 0.9  # of the library's distances among themselves: what still counts as near

FEWEST_RUNS = 40
"""Fewest past runs that a run can be held against."""
OUTSIDE = 1.5
"""Distance, as of `Space.distance`, from which on a run lies outside of the library for sure."""


@dataclass(frozen=True)
class Space:
    """Space of runs: the library's runs as points at one of its fractions.

    >>> from dlcc.past_runs import shipped_library
    >>> past = shipped_library()
    >>> space = Space(past, fraction=-1, series_only=False)
    >>> vector = dict(zip(past.names, past.vectors[7, -1]))
    >>> point = space.standardised(space.raw_of(vector, past.configs[7]))
    >>> runs, distances = space.nearest(point[None, :], k=3)
    >>> runs[0, 0], bool(distances[0, 0] < 0.001)  # the run itself
    (np.int64(7), True)
    >>> space.distance(point) < 1 < space.distance(point + 3)
    True
    """

    library: Library
    """Past runs."""
    fraction: int
    """Index into `FRACTIONS`."""
    series_only: bool
    """Whether figures that need samples are left out."""
    only: tuple[str, ...] | None = None
    """Names of the only coordinates that count; None for all."""

    def within(self, vector: Mapping[str, float], config: Mapping[str, Any]) -> Space:
        """Leave out what a run does not have, or has as no past run does.

        Args:
            vector: Feature vector of the run, without what its record lacks.
            config: Configuration of the run.

        Returns:
            Space of the figures that the run's record has, and of those of its configuration that
            lie within what past runs had; the same space where that is all.

        >>> from dlcc.past_runs import shipped_library
        >>> space = Space(shipped_library(), fraction=-1, series_only=True)
        >>> space.within({"generator_loss_last": 0.7}, {"lr_g": 1e-3, "lr_d": 1e9}).names
        ('generator_loss_last', 'lr_g')
        """
        raw = self.raw_of(vector, config)
        kept = {*comparable(self.names[: self._figures], vector)}
        low, high = self._config_range
        configured = zip(self.names[self._figures :], raw[self._figures :], low, high, strict=True)
        kept |= {name for name, value, least, most in configured if least <= value <= most}
        if len(kept) == len(self.names):
            return self
        return Space(
            self.library, self.fraction, self.series_only, tuple(n for n in self.names if n in kept)
        )

    @cached_property
    def _config_range(self) -> tuple[Floats, Floats]:
        """Least and largest value of each configured coordinate among past runs."""
        table = self.raw[:, self._figures :]
        known = np.isfinite(table)
        low = np.where(known, table, np.inf).min(axis=0, initial=np.inf)
        return low, np.where(known, table, -np.inf).max(axis=0, initial=-np.inf)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates, [p]."""
        vector = (n for n in self.library.names if not (self.series_only and n in NEEDS_SAMPLES))
        every = (*vector, *CONFIG_FEATURES)
        if self.only is None:  # figures that most past runs lack are asked for by name
            return tuple(name for name in every if name not in IN_FEATURES)
        return tuple(name for name in every if name in self.only)

    @cached_property
    def _figures(self) -> int:
        """Number of coordinates that come from the feature vector; the others are configured."""
        return sum(name not in CONFIG_FEATURES for name in self.names)

    @cached_property
    def _configured(self) -> list[int]:
        """Columns of `config_features` that are coordinates."""
        return [k for k, name in enumerate(CONFIG_FEATURES) if name in self.names]

    @cached_property
    def raw(self) -> Floats:
        """Figures of the library's runs, [n, p]; NaN where missing."""
        vector = self.names[: self._figures]
        figures = self.library.columns(vector, series_only=self.series_only, fraction=self.fraction)
        return np.hstack([figures, self.library.config_vectors[:, self._configured]])

    def raw_of(self, vector: Mapping[str, float], config: Mapping[str, Any]) -> Floats:
        """Collect the figures of one run in the order of the coordinates.

        Args:
            vector: Feature vector of the run, as `RunFeatures.vector` gives it.
            config: Configuration of the run, key to value.

        Returns:
            The figures, [p]; NaN where missing.
        """
        figures = row(self.names[: self._figures], vector)
        return np.concatenate([figures, config_features(config)[self._configured]])

    @cached_property
    def _scaling(self) -> tuple[Floats, Floats]:
        """Mean and scale of each coordinate, [p]; infinite scales for those that no run has."""
        present = np.isfinite(self.raw).any(axis=0)
        filled = np.where(present, self.raw, 0.0)
        spread = np.nanstd(filled, axis=0)
        scale = np.where(spread > 1e-9, spread, 1.0)
        return np.nanmean(filled, axis=0), np.where(present, scale, np.inf)

    def standardised(self, raw: Floats) -> Floats:
        """Put figures on the library's scale: mean 0, deviation 1, cut at ± 4; missing ones at 0.

        Args:
            raw: Figures [..., p], as `raw_of` gives them.

        Returns:
            Points [..., p] of the space.
        """
        centre, scale = self._scaling
        return np.clip(np.nan_to_num((raw - centre) / scale), -_CUT, _CUT)

    @cached_property
    def points(self) -> Floats:
        """Points of the library's runs, [n, p]."""
        return self.standardised(self.raw)

    @cached_property
    def courses(self) -> Courses:
        """Courses of the library's runs."""
        return Courses.of(self.library)

    @cached_property
    def _index(self) -> NeighbourIndex:
        """Index of the points."""
        return NeighbourIndex.of(self.points)

    def nearest(self, points: Floats, k: int) -> tuple[Ints, Floats]:
        """Find the nearest runs of the library, nearest first.

        Args:
            points: Points of the space [m, p].
            k: Number of runs, at most those of the library.

        Returns:
            Numbers of the runs and their distances, both [m, k]; distances are Euclidean over √p.
        """
        found, squared = self._index.search(points, k)
        return found, np.sqrt(squared / points.shape[1])

    @cached_property
    def neighbours(self) -> tuple[Ints, Floats]:
        """Ten nearest other runs of every run and their distances, [n, 10]."""
        k = min(10, len(self.library) - 1)
        found, distances = self.nearest(self.points, k + 1)
        own = found == np.arange(len(found))[:, None]
        own[~own.any(axis=1), -1] = True  # a run with more than k copies is not among its nearest
        return found[~own].reshape(-1, k), distances[~own].reshape(-1, k)

    def distance(self, point: Floats) -> float:
        """Measure how far a point lies from its five nearest runs.

        Args:
            point: Point of the space [p].

        Returns:
            Mean distance to them, in units of what 90 % of the library's own runs do not exceed;
            above 1 is outside of the library, from `OUTSIDE` on for sure.
        """
        _, distances = self.nearest(point[None, :], min(5, len(self.library)))
        return float(distances.mean() / self.usual_distance)

    @cached_property
    def usual_distance(self) -> float:
        """Distance of runs to their five nearest others that 90 % of the library do not exceed."""
        return float(np.quantile(self.neighbours[1][:, :5].mean(axis=1), _OWN_QUANTILE)) or 1.0
