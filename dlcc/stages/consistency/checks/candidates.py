"""Candidates: tensors of a step that a name in a formula may stand for."""

from __future__ import annotations

from collections.abc import Iterator

from dlcc.tracing.losses import StepLoss
from dlcc.tracing.terms import GIVEN, MADE, MIX, Term

DECORATED = ("hat", "tilde", "bar", "prime")
"""Decorations of names, as the reader of formulas writes them."""


def undecorated(name: str) -> tuple[str, bool]:
    """Take off a name's decoration, and tell whether it had one.

    >>> undecorated("hatx"), undecorated("x_0")
    (('x', True), ('x_0', False))
    """
    for mark in DECORATED:
        if name.startswith(mark) and len(name) > len(mark):
            return name.removeprefix(mark), True
    return name, name.partition("_")[2] in ("g", "f", "fake", "rec", "recon", "hat")


def scaled_data(loss: StepLoss) -> Iterator[Term]:
    """Data that the step computed with, on the way to the loss or to a player's input."""
    terms = [loss.terms.of(node) for node in sorted(loss.outer)]
    within = [part for term in all_inputs(loss) if term.kind == MIX for part in term.inputs]
    yield from (t for t in (*terms, *within) if t.kind == GIVEN and t.inputs)


def codes_given(loss: StepLoss) -> Iterator[Term]:
    """Codes that went into players: computed of what another one returned."""
    for term in all_inputs(loss):
        if term.kind == MIX and any(t.kind == MADE for t in term.inputs):
            yield term


def all_inputs(loss: StepLoss) -> Iterator[Term]:
    """List what went into players."""
    for call in loss.terms.calls:
        yield from (loss.terms.of(node) for node in call.inputs)


def row_width(term: Term, loss: StepLoss) -> int:
    """Count the numbers in a row of a term."""
    value = loss.value(term.node)
    return value[0].numel() if value.ndim and len(value) else 1
