"""What a look at the landscape found, as plain numbers that can be written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcc.landscape.clouds import CurvatureClass, curvature_class

TOLERANCE = 0.01
"""Of the ends of a Hessian's spectrum, relative to the larger one's size."""


def _check_alike(**series: Sequence[object]) -> None:
    if len({len(values) for values in series.values()}) > 1:
        counted = ", ".join(f"{name} has {len(values)}" for name, values in series.items())
        raise ValueError(f"expected as many numbers of each: {counted}")


@dataclass(frozen=True)
class PlayerSummary:
    """The landscape around one player, the others held."""

    loss: float
    gradient_norm: float
    smallest: float
    """Eigenvalue of its own Hessian."""
    smallest_error: float
    """An eigenvalue lies no farther from `smallest` than this."""
    largest: float
    largest_error: float
    trace: float
    """Of its own Hessian, an estimate."""
    trace_error: float
    """Its standard error."""
    slice_at: tuple[float, ...]
    """Places on a line in a random, filter-normalised direction: 0 is where the player stands."""
    slice_losses: tuple[float | None, ...]
    """None where the loss is not finite."""

    def __post_init__(self) -> None:
        _check_alike(slice_at=self.slice_at, slice_losses=self.slice_losses)

    @property
    def curvature_class(self) -> CurvatureClass:
        """What its Hessian says of the point."""
        return curvature_class(self, TOLERANCE)


@dataclass(frozen=True)
class PathSummary:
    """The players' field along the line from an earlier point (Berard et al. 2020, section 4.2)."""

    at: tuple[float, ...]
    """0 at the earlier point, 1 at this one."""
    cosine: tuple[float, ...]
    """Of the angle between the field, downhill, and the line."""
    norm: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_alike(at=self.at, cosine=self.cosine, norm=self.norm)


@dataclass(frozen=True)
class GameSummary:
    """Eigenvalues of the Jacobian of the players' field, by falling modulus."""

    real: tuple[float, ...]
    imaginary: tuple[float, ...]
    errors: tuple[float, ...]
    """Residuals; 0 where all eigenvalues are known."""
    rotation: float
    """Σ |Im λ| / Σ |λ| over them: 0 where the field is a gradient, 1 where it only turns."""
    nearest_axis: tuple[float, float]
    """Real and imaginary part of the one nearest to the imaginary axis among those well known."""

    def __post_init__(self) -> None:
        _check_alike(real=self.real, imaginary=self.imaginary, errors=self.errors)


@dataclass(frozen=True)
class LandscapeSummary:
    """What the landscape is like at one point of a training."""

    players: Mapping[str, PlayerSummary]
    game: GameSummary | None
    """None with a single player."""
    path: PathSummary | None
    """None where no earlier point was given, or it is the same."""
