"""Summaries of a landscape at one point of a training, as numbers that can be written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcc.landscape.clouds import CurvatureClass, curvature_class

TOLERANCE = 0.01
"""Tolerance of a Hessian's extreme eigenvalues, relative to the larger one's size."""


def _check_alike(**series: Sequence[object]) -> None:
    """Check that all series are of one length."""
    if len({len(values) for values in series.values()}) > 1:
        counted = ", ".join(f"{name} has {len(values)}" for name, values in series.items())
        raise ValueError(f"expected as many numbers of each: {counted}")


@dataclass(frozen=True)
class PlayerCurvature:
    """Loss, gradient and own Hessian of one player at a point, the others held.

    >>> PlayerCurvature(0.7, 1.0, -0.5, 0.01, 2.0, 0.01, 3.0, 0.3).largest
    2.0
    """

    loss: float
    """Mean loss of the rows."""
    gradient_norm: float
    """Norm of the mean loss' gradient."""
    smallest: float
    """Smallest eigenvalue of the player's own Hessian."""
    smallest_error: float
    """Distance within which an eigenvalue lies from `smallest`."""
    largest: float
    """Largest eigenvalue of the player's own Hessian."""
    largest_error: float
    """Distance within which an eigenvalue lies from `largest`."""
    trace: float
    """Trace of the player's own Hessian, an estimate."""
    trace_error: float
    """Standard error of the trace."""


@dataclass(frozen=True)
class PlayerSummary(PlayerCurvature):
    """Landscape around one player, the others held.

    >>> player = PlayerSummary(0.7, 1.0, -0.5, 0.01, 2.0, 0.01, 3.0, 0.3, (0.0,), (0.7,))
    >>> player.largest
    2.0
    """

    slice_at: tuple[float, ...]
    """Places on a line in a random, filter-normalised direction, 0 at the player's parameters."""
    slice_losses: tuple[float | None, ...]
    """Loss at each place; None where it is not finite."""

    def __post_init__(self) -> None:
        _check_alike(slice_at=self.slice_at, slice_losses=self.slice_losses)

    @property
    def curvature_class(self) -> CurvatureClass:
        """Kind of the point by the player's Hessian.

        >>> PlayerSummary(0.7, 1.0, -0.5, 0.01, 2.0, 0.01, 3.0, 0.3, (), ()).curvature_class
        'saddle'
        """
        return curvature_class(self, TOLERANCE)


@dataclass(frozen=True)
class PathSummary:
    """Players' field along the line from an earlier point (Berard et al. 2020, section 4.2).

    >>> PathSummary(at=(0.0, 1.0), cosine=(0.5, -0.5), norm=(1.0, 1.0)).cosine[1]
    -0.5
    """

    at: tuple[float, ...]
    """Places on the line, 0 at the earlier point and 1 at the present one."""
    cosine: tuple[float, ...]
    """Cosine of the angle between the field, downhill, and the line."""
    norm: tuple[float, ...]
    """Norm of the field."""

    def __post_init__(self) -> None:
        _check_alike(at=self.at, cosine=self.cosine, norm=self.norm)


@dataclass(frozen=True)
class GameSummary:
    """Eigenvalues of the Jacobian of the players' field, by falling modulus.

    >>> GameSummary((0.0, 0.0), (1.0, -1.0), (0.0, 0.0), 1.0, (0.0, 1.0)).rotation
    1.0
    """

    real: tuple[float, ...]
    """Real part of each eigenvalue."""
    imaginary: tuple[float, ...]
    """Imaginary part of each eigenvalue."""
    errors: tuple[float, ...]
    """Residual of each eigenvalue; 0 where all eigenvalues are known."""
    rotation: float
    """Share Σ |Im λ| / Σ |λ| of turning: 0 where the field is a gradient, 1 where it only turns."""
    nearest_axis: tuple[float, float]
    """Real and imaginary part of the well-known eigenvalue nearest to the imaginary axis."""

    def __post_init__(self) -> None:
        _check_alike(real=self.real, imaginary=self.imaginary, errors=self.errors)


@dataclass(frozen=True)
class LandscapeSummary:
    """Landscape at one point of a training.

    >>> LandscapeSummary(players={}, game=None, path=None).path is None
    True
    """

    players: Mapping[str, PlayerSummary]
    """Curvature and slice of each player."""
    game: GameSummary | None
    """Game of the players; None with a single one."""
    path: PathSummary | None
    """Field on the way from an earlier point; None without such a point, or at
    the same one."""
