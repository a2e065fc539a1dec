"""Distances of a generator's samples from a target: pure functions on numpy arrays.

Every figure comes with its standard error, how that was obtained, and the numbers of rows. Sums are
in float64, a block at a time: 50,000 × 2,048 features need less than 1 GB beside themselves.

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.metrics.cells import Cells as Cells
    from dlcc.metrics.cells import ChiSquared as ChiSquared
    from dlcc.metrics.cells import chi_squared as chi_squared
    from dlcc.metrics.cells import grid_counts as grid_counts
    from dlcc.metrics.divergence import Divergence as Divergence
    from dlcc.metrics.divergence import kl_divergence as kl_divergence
    from dlcc.metrics.energy import energy_distance as energy_distance
    from dlcc.metrics.features import Features as Features
    from dlcc.metrics.features import Named as Named
    from dlcc.metrics.figures import Measured as Measured
    from dlcc.metrics.figures import over_floor as over_floor
    from dlcc.metrics.floors import Floor as Floor
    from dlcc.metrics.floors import noise_floor as noise_floor
    from dlcc.metrics.frechet_distances import Frechet as Frechet
    from dlcc.metrics.frechet_distances import FrechetInfinity as FrechetInfinity
    from dlcc.metrics.frechet_distances import Moments as Moments
    from dlcc.metrics.frechet_distances import frechet as frechet
    from dlcc.metrics.frechet_distances import frechet_distance as frechet_distance
    from dlcc.metrics.frechet_distances import frechet_infinity as frechet_infinity
    from dlcc.metrics.frechet_distances import moments as moments
    from dlcc.metrics.information import InformationRate as InformationRate
    from dlcc.metrics.information import information_rate as information_rate
    from dlcc.metrics.information import measured_information_rate as measured_information_rate
    from dlcc.metrics.information import noise_variance as noise_variance
    from dlcc.metrics.kernel_inception import kid as kid
    from dlcc.metrics.kernels import Cubic as Cubic
    from dlcc.metrics.kernels import Distance as Distance
    from dlcc.metrics.kernels import Gaussian as Gaussian
    from dlcc.metrics.kernels import Kernel as Kernel
    from dlcc.metrics.kernels import median_bandwidth as median_bandwidth
    from dlcc.metrics.manifolds import DensityCoverage as DensityCoverage
    from dlcc.metrics.manifolds import PrecisionRecall as PrecisionRecall
    from dlcc.metrics.manifolds import density_coverage as density_coverage
    from dlcc.metrics.manifolds import precision_recall as precision_recall
    from dlcc.metrics.mmd import squared_mmd as squared_mmd
    from dlcc.metrics.modes import Modes as Modes
    from dlcc.metrics.modes import mode_coverage as mode_coverage
    from dlcc.metrics.pairs import Discrepancy as Discrepancy
    from dlcc.metrics.permutation import Permuted as Permuted
    from dlcc.metrics.permutation import permutation_test as permutation_test
    from dlcc.metrics.sliced import SlicedWasserstein as SlicedWasserstein
    from dlcc.metrics.sliced import sliced_wasserstein as sliced_wasserstein

_HOMES = {
    "Cells": "dlcc.metrics.cells",
    "ChiSquared": "dlcc.metrics.cells",
    "Cubic": "dlcc.metrics.kernels",
    "DensityCoverage": "dlcc.metrics.manifolds",
    "Discrepancy": "dlcc.metrics.pairs",
    "Distance": "dlcc.metrics.kernels",
    "Divergence": "dlcc.metrics.divergence",
    "Features": "dlcc.metrics.features",
    "Floor": "dlcc.metrics.floors",
    "Frechet": "dlcc.metrics.frechet_distances",
    "FrechetInfinity": "dlcc.metrics.frechet_distances",
    "Gaussian": "dlcc.metrics.kernels",
    "InformationRate": "dlcc.metrics.information",
    "Kernel": "dlcc.metrics.kernels",
    "Measured": "dlcc.metrics.figures",
    "Modes": "dlcc.metrics.modes",
    "Moments": "dlcc.metrics.frechet_distances",
    "Named": "dlcc.metrics.features",
    "Permuted": "dlcc.metrics.permutation",
    "PrecisionRecall": "dlcc.metrics.manifolds",
    "SlicedWasserstein": "dlcc.metrics.sliced",
    "chi_squared": "dlcc.metrics.cells",
    "density_coverage": "dlcc.metrics.manifolds",
    "energy_distance": "dlcc.metrics.energy",
    "frechet": "dlcc.metrics.frechet_distances",
    "frechet_distance": "dlcc.metrics.frechet_distances",
    "frechet_infinity": "dlcc.metrics.frechet_distances",
    "grid_counts": "dlcc.metrics.cells",
    "information_rate": "dlcc.metrics.information",
    "kid": "dlcc.metrics.kernel_inception",
    "kl_divergence": "dlcc.metrics.divergence",
    "measured_information_rate": "dlcc.metrics.information",
    "median_bandwidth": "dlcc.metrics.kernels",
    "mode_coverage": "dlcc.metrics.modes",
    "moments": "dlcc.metrics.frechet_distances",
    "noise_floor": "dlcc.metrics.floors",
    "noise_variance": "dlcc.metrics.information",
    "over_floor": "dlcc.metrics.figures",
    "permutation_test": "dlcc.metrics.permutation",
    "precision_recall": "dlcc.metrics.manifolds",
    "sliced_wasserstein": "dlcc.metrics.sliced",
    "squared_mmd": "dlcc.metrics.mmd",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
