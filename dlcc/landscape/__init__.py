"""Loss landscapes, the loss as a surface over the weights: functions on tensors and modules.

Names are imported when they are first used: who reads what was measured does without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.landscape.batches import NotFiniteError as NotFiniteError
    from dlcc.landscape.batches import PerSampleLoss as PerSampleLoss
    from dlcc.landscape.cloud_shape import CloudShape as CloudShape
    from dlcc.landscape.clouds import CurvatureClass as CurvatureClass
    from dlcc.landscape.clouds import GradientCloud as GradientCloud
    from dlcc.landscape.clouds import curvature_class as curvature_class
    from dlcc.landscape.clouds import gradient_cloud as gradient_cloud
    from dlcc.landscape.curvature import ExtremeEigenvalues as ExtremeEigenvalues
    from dlcc.landscape.curvature import SpectralDensity as SpectralDensity
    from dlcc.landscape.curvature import Trace as Trace
    from dlcc.landscape.curvature import extreme_eigenvalues as extreme_eigenvalues
    from dlcc.landscape.curvature import gauss_newton as gauss_newton
    from dlcc.landscape.curvature import hessian as hessian
    from dlcc.landscape.curvature import spectral_density as spectral_density
    from dlcc.landscape.curvature import trace as trace
    from dlcc.landscape.density import GradientDensity as GradientDensity
    from dlcc.landscape.density import SignedLog as SignedLog
    from dlcc.landscape.density import Sparsity as Sparsity
    from dlcc.landscape.density import bandwidth as bandwidth
    from dlcc.landscape.density import gradient_density as gradient_density
    from dlcc.landscape.density import instability as instability
    from dlcc.landscape.density import log_density as log_density
    from dlcc.landscape.density import sparsity as sparsity
    from dlcc.landscape.directions import Trajectory as Trajectory
    from dlcc.landscape.directions import filter_normalised as filter_normalised
    from dlcc.landscape.directions import gradient_direction as gradient_direction
    from dlcc.landscape.directions import random_direction as random_direction
    from dlcc.landscape.directions import trajectory_directions as trajectory_directions
    from dlcc.landscape.game import GameSpectrum as GameSpectrum
    from dlcc.landscape.game import PathAngle as PathAngle
    from dlcc.landscape.game import game_spectrum as game_spectrum
    from dlcc.landscape.game import path_angle as path_angle
    from dlcc.landscape.linear_operator import LinearOperator as LinearOperator
    from dlcc.landscape.measurement import PlayerLoss as PlayerLoss
    from dlcc.landscape.measurement import measure_landscape as measure_landscape
    from dlcc.landscape.measurement import parameter_vector as parameter_vector
    from dlcc.landscape.model_loss import ModelLoss as ModelLoss
    from dlcc.landscape.model_state import unchanged as unchanged
    from dlcc.landscape.per_sample import GradientNoise as GradientNoise
    from dlcc.landscape.per_sample import PerSampleBackward as PerSampleBackward
    from dlcc.landscape.per_sample import gradient_noise as gradient_noise
    from dlcc.landscape.per_sample import per_layer_gradient_norms as per_layer_gradient_norms
    from dlcc.landscape.per_sample import per_sample_gradient_norms as per_sample_gradient_norms
    from dlcc.landscape.per_sample import per_sample_gradients as per_sample_gradients
    from dlcc.landscape.slices import Slice1D as Slice1D
    from dlcc.landscape.slices import Slice2D as Slice2D
    from dlcc.landscape.slices import is_batched as is_batched
    from dlcc.landscape.slices import slice_1d as slice_1d
    from dlcc.landscape.slices import slice_2d as slice_2d
    from dlcc.landscape.stacked_curvature import (
        extreme_eigenvalues_stacked as extreme_eigenvalues_stacked,
    )
    from dlcc.landscape.stacked_curvature import trace_stacked as trace_stacked
    from dlcc.landscape.stacked_gradients import (
        per_sample_gradient_norms_stacked as per_sample_gradient_norms_stacked,
    )
    from dlcc.landscape.stacked_gradients import (
        per_sample_gradients_stacked as per_sample_gradients_stacked,
    )
    from dlcc.landscape.summary import GameSummary as GameSummary
    from dlcc.landscape.summary import LandscapeSummary as LandscapeSummary
    from dlcc.landscape.summary import PathSummary as PathSummary
    from dlcc.landscape.summary import PlayerSummary as PlayerSummary

_MODULES = {
    "CloudShape": "cloud_shape",
    "CurvatureClass": "clouds",
    "ExtremeEigenvalues": "curvature",
    "GameSpectrum": "game",
    "GameSummary": "summary",
    "GradientCloud": "clouds",
    "GradientDensity": "density",
    "GradientNoise": "per_sample",
    "LandscapeSummary": "summary",
    "LinearOperator": "linear_operator",
    "ModelLoss": "model_loss",
    "NotFiniteError": "batches",
    "PathAngle": "game",
    "PathSummary": "summary",
    "PerSampleBackward": "per_sample",
    "PerSampleLoss": "batches",
    "PlayerLoss": "measurement",
    "PlayerSummary": "summary",
    "SignedLog": "density",
    "Slice1D": "slices",
    "Slice2D": "slices",
    "Sparsity": "density",
    "SpectralDensity": "curvature",
    "Trace": "curvature",
    "Trajectory": "directions",
    "bandwidth": "density",
    "curvature_class": "clouds",
    "extreme_eigenvalues": "curvature",
    "extreme_eigenvalues_stacked": "stacked_curvature",
    "filter_normalised": "directions",
    "game_spectrum": "game",
    "gauss_newton": "curvature",
    "gradient_cloud": "clouds",
    "gradient_density": "density",
    "gradient_direction": "directions",
    "gradient_noise": "per_sample",
    "hessian": "curvature",
    "instability": "density",
    "is_batched": "slices",
    "log_density": "density",
    "measure_landscape": "measurement",
    "parameter_vector": "measurement",
    "path_angle": "game",
    "per_layer_gradient_norms": "per_sample",
    "per_sample_gradient_norms": "per_sample",
    "per_sample_gradient_norms_stacked": "stacked_gradients",
    "per_sample_gradients": "per_sample",
    "per_sample_gradients_stacked": "stacked_gradients",
    "random_direction": "directions",
    "slice_1d": "slices",
    "slice_2d": "slices",
    "sparsity": "density",
    "spectral_density": "curvature",
    "trace": "curvature",
    "trace_stacked": "stacked_curvature",
    "trajectory_directions": "directions",
    "unchanged": "model_state",
}
__all__ = list(_MODULES)
__getattr__, __dir__ = lazy_names(
    __name__, {name: f"dlcc.landscape.{module}" for name, module in _MODULES.items()}
)
