"""Measurement of a landscape at one point: every player's curvature and slice, and their game."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.landscape._engine.vectors import flatten, unflatten
from dlcc.landscape.batches import NotFiniteError, PerSampleLoss, check_losses
from dlcc.landscape.curvature import extreme_eigenvalues, hessian, trace
from dlcc.landscape.directions import filter_normalised, random_direction
from dlcc.landscape.game import game_spectrum, path_angle
from dlcc.landscape.model_state import unchanged
from dlcc.landscape.slices import slice_1d
from dlcc.landscape.summary import (
    TOLERANCE,
    GameSummary,
    LandscapeSummary,
    PathSummary,
    PlayerSummary,
)

PRODUCTS = 60
"""Most products with a Hessian for its extreme eigenvalues."""
TRACE_PRODUCTS = 12
"""Products with a Hessian for its trace."""
VECTORS = 30
"""Dimensions of the Krylov space in which a game's eigenvalues are looked for."""
SLICE = tuple(np.linspace(-1.0, 1.0, 21).tolist())
"""Places of a slice, in lengths of the parameters."""


@dataclass(frozen=True)
class PlayerLoss:
    """Player of a game with its loss, on the batch at which both are looked at.

    >>> import torch
    >>> from torch import nn
    >>> player = PlayerLoss(nn.Linear(2, 1), lambda m, x: m(x).square()[:, 0], torch.zeros(4, 2))
    >>> len(player.params)
    2
    """

    model: nn.Module
    """Network of the player."""
    per_sample_loss: PerSampleLoss
    """Function of the model and the batch that gives the loss of each row, [n]."""
    batch: Any
    """Rows in any form that the loss takes."""

    @property
    def params(self) -> list[nn.Parameter]:
        """Parameters of the model that are trained.

        >>> import torch
        >>> from torch import nn
        >>> model = nn.Linear(2, 1).requires_grad_(False)
        >>> PlayerLoss(model, lambda m, x: m(x)[:, 0], torch.zeros(4, 2)).params
        []
        """
        return [p for p in self.model.parameters() if p.requires_grad]

    def loss(self) -> Tensor:
        """Evaluate the mean loss of the rows.

        Returns:
            A scalar.

        Raises:
            ValueError: the loss is no tensor of one number a row.
            NotFiniteError: one of them is not finite.

        >>> import torch
        >>> from torch import nn
        >>> PlayerLoss(nn.Identity(), lambda m, x: m(x), torch.arange(4.0)).loss()
        tensor(1.5000)
        """
        return check_losses(self.per_sample_loss(self.model, self.batch), self.batch).mean()


def measure_landscape(
    losses: Mapping[str, PlayerLoss], since: Mapping[str, Tensor] | None = None, *, seed: int = 0
) -> LandscapeSummary:
    """Measure the landscape around players; nothing of them changes.

    It is made of `extreme_eigenvalues`, `trace`, `slice_1d`, `game_spectrum` and `path_angle`,
    which name their sources.

    Args:
        losses: every player with its loss; no two train the same parameter.
        since: `parameter_vector` [size] of each player at an earlier point, from which the path is.
        seed: seed of all random vectors; the slice's direction is the same for every point.

    Returns:
        Curvature and a slice of every player; of several also their game, and the path.

    Raises:
        ValueError: a loss is not one number a row, or does not depend on all trained parameters of
            its player.
        NotFiniteError: a loss or its gradients are not finite.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Linear(2, 1)
    >>> half = PlayerLoss(model, lambda m, x: m(x).square()[:, 0] / 2, torch.zeros(4, 2))
    >>> found = measure_landscape({"model": half}).players["model"]
    >>> round(found.largest, 3), found.curvature_class  # only the bias has a part in it
    (1.0, 'singular')
    """
    with _kept(losses):
        players = {name: _player(player_loss, seed) for name, player_loss in losses.items()}
        game = path = None
        if len(losses) > 1:
            game = _game(losses, seed)
            path = None if since is None else _path(losses, since)
    return LandscapeSummary(players, game, path)


def parameter_vector(player_loss: PlayerLoss) -> Tensor:
    """Copy a player's trained parameters into one vector.

    Args:
        player_loss: the player.

    Returns:
        Their numbers in the order of `model.parameters()`, [size].

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Linear(2, 1)
    >>> parameter_vector(PlayerLoss(model, lambda m, x: m(x)[:, 0], torch.zeros(4, 2))).shape
    torch.Size([3])
    """
    return flatten([p.detach() for p in player_loss.params], player_loss.params)


def _player(player_loss: PlayerLoss, seed: int) -> PlayerSummary:
    params = player_loss.params
    loss = player_loss.loss()
    gradients = torch.autograd.grad(loss, params, allow_unused=True)
    norm = float(torch.linalg.vector_norm(flatten(gradients, params)))
    if not math.isfinite(norm):
        raise NotFiniteError(f"the gradient's norm is {norm}; measure before the training diverges")
    operator = hessian(player_loss.loss, params)
    curvature = extreme_eigenvalues(operator, TOLERANCE, seed=seed, products=PRODUCTS)
    of_diagonal = trace(operator, TRACE_PRODUCTS, seed=seed)
    direction = filter_normalised(random_direction(params, seed), params, model=player_loss.model)
    # the last: it sets parameters in place, while the operator's graph holds them
    line = slice_1d(player_loss.loss, params, direction, SLICE, differentiates=True)
    return PlayerSummary(
        loss=float(loss.detach()),
        gradient_norm=norm,
        smallest=curvature.smallest,
        smallest_error=curvature.smallest_error,
        largest=curvature.largest,
        largest_error=curvature.largest_error,
        trace=of_diagonal.value,
        trace_error=of_diagonal.error,
        slice_at=SLICE,
        slice_losses=tuple(float(x) if np.isfinite(x) else None for x in line.losses),
    )


def _game(losses: Mapping[str, PlayerLoss], seed: int) -> GameSummary:
    found = game_spectrum(
        [(player_loss.loss, player_loss.params) for player_loss in losses.values()],
        vectors=VECTORS,
        seed=seed,
    )
    nearest = found.nearest_axis
    return GameSummary(
        real=tuple(found.values.real.tolist()),
        imaginary=tuple(found.values.imag.tolist()),
        errors=tuple(found.errors.tolist()),
        rotation=found.rotation,
        nearest_axis=(nearest.real, nearest.imag),
    )


def _path(losses: Mapping[str, PlayerLoss], since: Mapping[str, Tensor]) -> PathSummary | None:
    params = [p for player_loss in losses.values() for p in player_loss.params]
    start = torch.cat([since[name] for name in losses])
    end = torch.cat([parameter_vector(player_loss) for player_loss in losses.values()])
    if start.shape != end.shape or torch.equal(start, end):
        return None

    def field(place: Tensor) -> Tensor:
        _put(params, place)
        gradients: list[Tensor | None] = []
        for player_loss in losses.values():
            gradients += torch.autograd.grad(
                player_loss.loss(), player_loss.params, allow_unused=True
            )
        return flatten(gradients, params)

    try:
        found = path_angle(field, start, end)
    finally:
        _put(params, end)
    if not np.isfinite(found.norm).all():  # past the end of the line it may leave all bounds
        return None
    return PathSummary(
        tuple(found.at.tolist()), tuple(found.cosine.tolist()), tuple(found.norm.tolist())
    )


def _put(params: Sequence[nn.Parameter], place: Tensor) -> None:
    """Set parameters; by `data`, so that a graph from before can go back once they are put back."""
    for p, values in zip(params, unflatten(place, params), strict=True):
        p.data.copy_(values)


@contextmanager
def _kept(losses: Mapping[str, PlayerLoss]) -> Iterator[None]:
    """Buffers and random states are put back."""
    with ExitStack() as stack, torch.enable_grad():
        for player_loss in losses.values():
            stack.enter_context(unchanged(player_loss.model))
        yield
