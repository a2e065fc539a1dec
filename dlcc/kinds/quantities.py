"""Quantities that all kinds log, with the levels from which on they are a fault."""

from __future__ import annotations

from dlcc.kinds.kind import Quantity


def loss_of(players: tuple[str, ...] = ()) -> Quantity:
    """Make the quantity `loss` of these players, or of any."""
    return Quantity("loss", "what the player minimises", players, fault_above=1e3)


def gradient_norm_of(players: tuple[str, ...] = ()) -> Quantity:
    """Make the quantity `grad_norm` of these players, or of any."""
    return Quantity("grad_norm", "L2 norm of the loss's gradient", players, fault_above=1e4)
