"""Distances of a generator's samples from a target: pure functions on numpy arrays.

Every figure comes with its standard error, how that was obtained, and the numbers of rows. Sums are
in float64, a block at a time: 50,000 × 2,048 features need less than 1 GB beside themselves.
"""

from dlcc.metrics.cells import Cells, ChiSquared, chi_squared, grid_counts
from dlcc.metrics.divergence import Divergence, kl_divergence
from dlcc.metrics.energy import energy_distance
from dlcc.metrics.features import Features, Named
from dlcc.metrics.floors import Floor, noise_floor
from dlcc.metrics.frechet_distances import (
    Frechet,
    FrechetInfinity,
    Moments,
    frechet,
    frechet_distance,
    frechet_infinity,
    moments,
)
from dlcc.metrics.information import (
    InformationRate,
    information_rate,
    measured_information_rate,
    noise_variance,
)
from dlcc.metrics.kernel_inception import kid
from dlcc.metrics.kernels import Cubic, Distance, Gaussian, Kernel, median_bandwidth
from dlcc.metrics.manifolds import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    precision_recall,
)
from dlcc.metrics.measured import Measured, over_floor
from dlcc.metrics.mmd import squared_mmd
from dlcc.metrics.modes import Modes, mode_coverage
from dlcc.metrics.pairs import Discrepancy
from dlcc.metrics.permutation import Permuted, permutation_test
from dlcc.metrics.sliced import SlicedWasserstein, sliced_wasserstein

__all__ = [
    "Cells",
    "ChiSquared",
    "Cubic",
    "DensityCoverage",
    "Discrepancy",
    "Distance",
    "Divergence",
    "Features",
    "Floor",
    "Frechet",
    "FrechetInfinity",
    "Gaussian",
    "InformationRate",
    "Kernel",
    "Measured",
    "Modes",
    "Moments",
    "Named",
    "Permuted",
    "PrecisionRecall",
    "SlicedWasserstein",
    "chi_squared",
    "density_coverage",
    "energy_distance",
    "frechet",
    "frechet_distance",
    "frechet_infinity",
    "grid_counts",
    "information_rate",
    "kid",
    "kl_divergence",
    "measured_information_rate",
    "median_bandwidth",
    "mode_coverage",
    "moments",
    "noise_floor",
    "noise_variance",
    "over_floor",
    "permutation_test",
    "precision_recall",
    "sliced_wasserstein",
    "squared_mmd",
]
