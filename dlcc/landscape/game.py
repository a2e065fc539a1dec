"""Games between players: the spectrum of its field's Jacobian, and the field along a path.

The simultaneous gradient field of players i with parameters θ_i and losses L_i is
v(θ) = (∂L_1/∂θ_1, …, ∂L_n/∂θ_n). Its Jacobian is not symmetric: where its eigenvalues are far from
the real axis, gradient steps turn around an equilibrium instead of going to it (Mescheder et al.
2017; Berard et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcc.landscape._engine.krylov import KrylovBasis, check_finite
from dlcc.landscape._engine.vectors import (
    Closure,
    called,
    check_params,
    differentiable_gradients,
    gradients_vjp,
    vector_like,
)
from dlcc.landscape.batches import described
from dlcc.landscape.linear_operator import LinearOperator
from dlcc.typing import Floats

Complexes = NDArray[np.complex128]
"""Array of complex numbers."""
Player = tuple[Closure, Sequence[Tensor]]
"""Loss of a player, a closure without arguments, and its parameters."""

DENSE = 600
"""Parameters up to which all eigenvalues are computed."""


@dataclass(frozen=True)
class GameSpectrum:
    """Eigenvalues of the Jacobian of a game's field.

    >>> import numpy as np
    >>> found = GameSpectrum(np.array([2j, -2j]), np.zeros(2), complete=True, products=2)
    >>> found.largest
    2j
    """

    values: Complexes
    """Eigenvalues by falling modulus, [n]: all of them, or those that a Krylov space shows."""
    errors: Floats
    """Residuals ‖Jᵀx − λx‖, x the unit vector of each eigenvalue, [n]; 0 where all are known."""
    complete: bool
    """Whether `values` holds all eigenvalues."""
    products: int
    """Number of products with Jᵀ used."""

    @property
    def largest(self) -> complex:
        """Eigenvalue of the largest modulus, which bounds the step.

        >>> import numpy as np
        >>> GameSpectrum(np.array([3 + 4j, 1.0]), np.zeros(2), True, 2).largest
        (3+4j)
        """
        return complex(self.values[0])

    @property
    def nearest_axis(self) -> complex:
        """Eigenvalue nearest to the imaginary axis, which turns the longest, among those that are
        known to a tenth of their modulus.

        >>> import numpy as np
        >>> GameSpectrum(np.array([3.0, 0.1 + 1j]), np.zeros(2), True, 2).nearest_axis
        (0.1+1j)
        """
        known = self.values[self.errors <= 0.1 * np.abs(self.values)]
        among = known if len(known) else self.values[:1]
        return complex(among[np.argmin(np.abs(among.real))])

    @property
    def rotation(self) -> float:
        """Share Σ |Im λ| / Σ |λ|: 0 where the field is a gradient, 1 where it only turns.

        >>> import numpy as np
        >>> GameSpectrum(np.array([1j, -1j]), np.zeros(2), True, 2).rotation
        1.0
        """
        return float(np.abs(self.values.imag).sum() / max(np.abs(self.values).sum(), 1e-300))


@dataclass(frozen=True)
class PathAngle:
    """Field along the straight line between two points (Berard et al. 2020, section 4.2).

    >>> import numpy as np
    >>> found = PathAngle(np.array([0.0, 1.0]), np.array([1.0, -1.0]), np.ones(2))
    >>> float(found.cosine[0])
    1.0
    """

    at: Floats
    """Place on the line, 0 at its start and 1 at its end, [n]."""
    cosine: Floats
    """Cosine of the angle between the field, downhill, and the line, [n]."""
    norm: Floats
    """Norm of the field, [n]."""


def game_spectrum(players: Sequence[Player], *, vectors: int = 60, seed: int = 0) -> GameSpectrum:
    """Find the spectrum of the Jacobian of the players' field.

    Games of more than 600 parameters are looked at in a Krylov space (Arnoldi's method; Saad 2011,
    section 6.2).

    Args:
        players: each one's loss, a closure without arguments, and its parameters.
        vectors: dimensions of the Krylov space.
        seed: seed of its first vector.

    Returns:
        The eigenvalues, by falling modulus.

    Raises:
        ValueError: there is no player, a loss is no scalar or does not depend on one of its
            player's parameters, or a parameter belongs to two players.
        NotFiniteError: a loss, or a product with the Jacobian, is not finite.

    >>> import torch
    >>> x, y = (torch.zeros(1, requires_grad=True) for _ in range(2))
    >>> found = game_spectrum([(lambda: (x * y).sum(), [x]), (lambda: -(x * y).sum(), [y])])
    >>> sorted(found.values.imag.tolist()), found.rotation
    ([-1.0, 1.0], 1.0)
    """
    transposed = field_jacobian_transposed(players)
    if transposed.size <= DENSE:
        eye = torch.eye(transposed.size).to(transposed.like)
        matrix = transposed.matmat(eye).T.double().cpu().numpy()  # row i of J: Jᵀ e_i
        check_finite(matrix)
        values = np.linalg.eigvals(matrix)
        return _sorted(values, np.zeros(len(values)), True, transposed.size)
    return _arnoldi(transposed, vectors, seed)


def field_jacobian_transposed(players: Sequence[Player]) -> LinearOperator:
    """Give Jᵀ of the players' field, which has the eigenvalues of J; a product takes one pass back.

    Args:
        players: as for `game_spectrum`.

    Returns:
        Products with vectors [size], size the numbers in all players' parameters.

    Raises:
        ValueError: as for `game_spectrum`.
        NotFiniteError: a loss is not finite.

    >>> import torch
    >>> x, y = (torch.zeros(1, requires_grad=True) for _ in range(2))
    >>> field = [(lambda: (x * y).sum(), [x]), (lambda: -2 * (x * y).sum(), [y])]
    >>> field_jacobian_transposed(field).matvec(torch.tensor([0.0, 1.0]))
    tensor([-2.,  0.])
    """
    if not players:
        raise ValueError("players is empty; give at least one loss with its parameters")
    for k, player in enumerate(players):
        if not isinstance(player, Sequence) or len(player) != 2 or not callable(player[0]):
            given = described(player)
            raise ValueError(f"players[{k}] is {given}; expected a closure and its parameters")
    gradients: list[Tensor] = []
    everything = check_params([p for _, params in players for p in params])
    if len({id(p) for p in everything}) < len(everything):
        raise ValueError("a parameter belongs to two players; give it to the one that trains it")
    for loss, params in players:
        gradients += differentiable_gradients(called(loss), params)

    size = sum(p.numel() for p in everything)
    return LinearOperator(
        size,
        vector_like(everything),
        lambda vector: gradients_vjp(gradients, everything, vector),
        symmetric=False,
    )


def _arnoldi(operator: LinearOperator, vectors: int, seed: int) -> GameSpectrum:
    """Ritz values of a Krylov space (Saad 2011, section 6.2)."""
    basis = KrylovBasis.start(operator, operator.generator(seed), min(vectors, operator.size))
    basis.grow()
    while not (basis.full or basis.complete):
        basis.grow()
    values, right = np.linalg.eig(basis.projected)
    return _sorted(
        values, basis.rest * np.abs(right[-1]), basis.filled == operator.size, basis.products
    )


def _sorted(values: Complexes, errors: Floats, complete: bool, products: int) -> GameSpectrum:
    order = np.argsort(-np.abs(values), kind="stable")
    return GameSpectrum(
        np.asarray(values, dtype=np.complex128)[order], errors[order], complete, products
    )


def path_angle(
    field: Callable[[Tensor], Tensor], start: Tensor, end: Tensor, points: int = 21
) -> PathAngle:
    """Measure how the field lies to the line from `start` to `end`, and a quarter past both.

    Near a point that attracts, the cosine jumps from 1 to −1 there; where the field turns around
    it, it has a bump instead.

    Source: Berard et al. 2020, section 4.2.

    Args:
        field: function of parameters [size] that gives the gradients [size] of each player's own
            loss.
        start: parameters [size].
        end: parameters [size].
        points: number of points on the line.

    Returns:
        Places on the line, 0 at `start`, with the cosine of the angle and the field's norm.

    Raises:
        ValueError: start and end are the same point or of different shapes, or the field's shape is
            another.

    >>> import torch
    >>> found = path_angle(lambda x: x, torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 0.0]), 4)
    >>> found.at.tolist(), found.cosine.tolist()
    ([-0.25, 0.25, 0.75, 1.25], [1.0, 1.0, -1.0, -1.0])
    """
    if start.shape != end.shape:
        raise ValueError(
            f"start has the shape {list(start.shape)}, end {list(end.shape)}; expected the same"
        )
    line = end - start
    length = float(torch.linalg.vector_norm(line))
    if length == 0:
        raise ValueError("start and end are the same point; give two snapshots that differ")
    at = np.linspace(-0.25, 1.25, points)
    cosine, norm = np.zeros(points), np.zeros(points)
    for k, place in enumerate(at):
        v = field(start + float(place) * line)
        if not isinstance(v, Tensor) or v.shape != line.shape:
            expected = f"expected a tensor {list(line.shape)}, as start"
            raise ValueError(f"field gave {described(v)}; {expected}")
        v = v.detach()
        norm[k] = float(torch.linalg.vector_norm(v))
        cosine[k] = -float((v * line).sum()) / max(norm[k] * length, 1e-300)
    return PathAngle(at, cosine, norm)
