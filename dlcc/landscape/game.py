"""A game between players: the spectrum of its field's Jacobian, and the field along a path.

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
    check_params,
    differentiable_gradients,
    gradients_vjp,
    vector_like,
)
from dlcc.landscape.linear_operator import LinearOperator
from dlcc.typing import Floats

Complexes = NDArray[np.complex128]
Player = tuple[Closure, Sequence[Tensor]]
"""A player's loss, and its parameters."""

DENSE = 600
"""Parameters up to which all eigenvalues are computed."""


@dataclass(frozen=True)
class GameSpectrum:
    """Eigenvalues of the Jacobian of a game's field."""

    values: Complexes
    """By falling modulus: all of them, or those that a Krylov space shows."""
    errors: Floats
    """‖Jᵀx − λx‖ of the unit vectors behind them; 0 where all are known."""
    complete: bool
    products: int

    @property
    def largest(self) -> complex:
        """The eigenvalue of the largest modulus: it bounds the step."""
        return complex(self.values[0])

    @property
    def nearest_axis(self) -> complex:
        """The one with the smallest real part in size, among those known to a tenth of their
        modulus: it turns the longest."""
        known = self.values[self.errors <= 0.1 * np.abs(self.values)]
        among = known if len(known) else self.values[:1]
        return complex(among[np.argmin(np.abs(among.real))])

    @property
    def rotation(self) -> float:
        """Σ |Im λ| / Σ |λ|: 0 where the field is a gradient, 1 where it only turns."""
        return float(np.abs(self.values.imag).sum() / max(np.abs(self.values).sum(), 1e-300))


@dataclass(frozen=True)
class PathAngle:
    """The field along the straight line between two points (Berard et al. 2020, section 4.2)."""

    at: Floats
    """Place on the line, 0 at its start and 1 at its end, [n]."""
    cosine: Floats
    """Of the angle between the field, downhill, and the line, [n]."""
    norm: Floats
    """Of the field, [n]."""


def game_spectrum(players: Sequence[Player], *, vectors: int = 60, seed: int = 0) -> GameSpectrum:
    """The spectrum of the Jacobian of the players' field.

    Args:
        players: each one's loss, a closure without arguments, and its parameters.
        vectors: of the Krylov space where the game has more than 600 parameters.
        seed: of its first vector.

    Raises:
        ValueError: there is no player, a loss is no finite scalar or does not depend on one of its
            player's parameters, or a parameter belongs to two players.
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
    """Jᵀ of the players' field: it has the eigenvalues of J, and one pass back a product."""
    if not players:
        raise ValueError("players is empty; give at least one loss with its parameters")
    gradients: list[Tensor] = []
    everything = check_params([p for _, params in players for p in params])
    if len({id(p) for p in everything}) < len(everything):
        raise ValueError("a parameter belongs to two players; give it to the one that trains it")
    for loss, params in players:
        gradients += differentiable_gradients(loss(), params)

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
    """How the field lies to the line from `start` to `end`, between and a quarter past both.

    Near a point that attracts, the cosine jumps from 1 to −1 there; where the field turns around
    it, it has a bump instead.

    Args:
        field: of parameters [size], the gradients [size] of each player's own loss.
        start: parameters [size].
        end: likewise.
        points: on the line.

    Raises:
        ValueError: start and end are the same point or of different shapes, or the field's shape is
            another.
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
        v = field(start + float(place) * line).detach()
        if v.shape != line.shape:
            raise ValueError(f"field gave {list(v.shape)}; expected {list(line.shape)}")
        norm[k] = float(torch.linalg.vector_norm(v))
        cosine[k] = -float((v * line).sum()) / max(norm[k] * length, 1e-300)
    return PathAngle(at, cosine, norm)
