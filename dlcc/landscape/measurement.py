"""What a landscape is like at one point: every player's curvature and slice, and their game."""

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
"""With a Hessian for its ends, at most."""
TRACE_PRODUCTS = 12
VECTORS = 30
"""Of the Krylov space in which a game's eigenvalues are looked for."""
SLICE = tuple(np.linspace(-1.0, 1.0, 21).tolist())
"""Places of a slice, in lengths of the parameters."""


@dataclass(frozen=True)
class PlayerLoss:
    """A player, its loss and the batch at which both are looked at."""

    model: nn.Module
    per_sample_loss: PerSampleLoss
    batch: Any

    @property
    def params(self) -> list[nn.Parameter]:
        """The trained ones."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def loss(self) -> Tensor:
        """The mean over the rows."""
        return check_losses(self.per_sample_loss(self.model, self.batch), self.batch).mean()


def measure_landscape(
    losses: Mapping[str, PlayerLoss], since: Mapping[str, Tensor] | None = None, *, seed: int = 0
) -> LandscapeSummary:
    """Look at the landscape around players; nothing of them changes.

    Args:
        losses: of players whose parameters are different ones.
        since: `parameter_vector` of each player at an earlier point, for the path from there.
        seed: of all random vectors; the direction of the slice is the same for every point.

    Raises:
        ValueError: a loss is not one finite number a row, or does not depend on all trained
            parameters of its player; as NotFiniteError, the loss or its gradients are not finite.
    """
    with _kept(losses):
        players = {name: _player(player_loss, seed) for name, player_loss in losses.items()}
        game = path = None
        if len(losses) > 1:
            game = _game(losses, seed)
            path = None if since is None else _path(losses, since)
    return LandscapeSummary(players, game, path)


def parameter_vector(player_loss: PlayerLoss) -> Tensor:
    """Copy of a player's trained parameters as one vector, [size]."""
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
    # the last: it sets parameters in place, which ends the life of the operator's graph
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
