"""Outputs of players on inputs that no batch brings: extreme ones and random ones."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import ForeignCodeError
from dlcc.sandbox import Session
from dlcc.sandbox.recorded_call import CallTensor, RecordedCall
from dlcc.stages.execution.inputs import AS_RECORDED, ONE_ROW, Arrays, Variant, one_row, variants
from dlcc.stages.execution.slopes import Slopes, measure_slopes
from dlcc.stages.recorded_state import RecordedState

_ROWS = 16  # of a batch that are taken, where a player takes fewer rows than it was given
_LARGEST_GROWTH = 1e3  # of the gradient norm under noise of 1 % of the inputs' spread
TRAINING = " in training"
"""Ending of the names of inputs in training mode."""


@dataclass(frozen=True)
class PlayerExtremes:
    """Outputs of one player, or of a part that is called in its place, on extreme inputs."""

    player: str
    finite: Mapping[str, float] = field(default_factory=dict)
    """Input -> share of finite outputs."""
    largest: Mapping[str, float | None] = field(default_factory=dict)
    """Input -> largest finite output in size; None where none is finite."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Input -> error that the player raised on it."""
    near: tuple[str, ...] = ()
    """Names of the inputs in the range of those that were recorded."""
    beyond: tuple[str, ...] = ()
    """Names of the inputs at which a sound player may overflow."""
    same: tuple[str, ...] = ()
    """Names of the inputs whose rows differ and all have the same outputs."""
    slopes: Slopes | None = None
    reason: str | None = None
    """Reason why the player was not tried, or not on all inputs; None where it was."""

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of inputs like those that were recorded on which it fails or overflows, without
        batches of one in training."""
        return tuple(
            name for name in self.near if self._broken(name) and name != ONE_ROW + TRAINING
        )

    @property
    def overflowing(self) -> tuple[str, ...]:
        """Names of larger inputs with outputs that are not finite."""
        others = {*self.near, *self.beyond}
        return tuple(
            name for name, share in self.finite.items() if share < 1 and name not in others
        )

    @property
    def one_row_fails(self) -> bool:
        """Whether it cannot take a batch of one in training mode."""
        return self._broken(ONE_ROW + TRAINING)

    @property
    def is_constant(self) -> bool:
        """Whether the outputs at the recorded inputs do not depend on them."""
        return AS_RECORDED in self.same

    @property
    def explodes(self) -> bool:
        """Whether the gradient norm explodes under little noise."""
        growth = None if self.slopes is None else self.slopes.growth
        return growth is not None and growth >= _LARGEST_GROWTH

    def _broken(self, name: str) -> bool:
        return name in self.errors or self.finite.get(name, 1.0) < 1


def try_players(
    session: Session,
    last: RecordedState,
    begin: RecordedState,
    rng: np.random.Generator,
    seconds: float,
) -> list[PlayerExtremes]:
    """Try all players, in the state of a snapshot, on all inputs.

    A step tells what goes into them. Code that hangs, dies or uses up its limits ends the session;
    what was not tried then is named with the reason.

    Args:
        session: Session of the sandbox with the training inside.
        last: Snapshot whose players are tried.
        begin: Snapshot from which a step is done that calls them.
        rng: Generator of the random inputs.
        seconds: Time that all may take.
    """
    players = tuple(dict.fromkeys(name.partition("/")[0] for name in last.weights))
    found: list[PlayerExtremes] = []
    try:
        with session.within(seconds):
            session.load(begin.tree, begin.data)
            calls = session.calls(begin.step)
            session.load(last.tree, last.data)
            found += [_tried(session, call, rng, seconds / len(calls)) for call in calls]
    except ForeignCodeError as error:
        found += [
            PlayerExtremes(name, reason=f"its inputs were not seen: {error}")
            for name in players
            if not any(tried.player.partition(".")[0] == name for tried in found)
        ]
    seen = {tried.player.partition(".")[0] for tried in found}
    missed = "it is not called as a module in a step, nor is a part of it"
    return found + [PlayerExtremes(name, reason=missed) for name in players if name not in seen]


def _tried(
    session: Session, call: RecordedCall, rng: np.random.Generator, seconds: float
) -> PlayerExtremes:
    """Try a player as far as its code lets."""
    if not session.alive:
        return PlayerExtremes(call.name, reason="the run's code had ended before")
    if call.tensors is None:
        return PlayerExtremes(call.name, reason="its inputs are too large to be shown")
    if not call.tensors:
        return PlayerExtremes(call.name, reason="no tensor is among its inputs")
    trial = _Trial(session, call)
    try:
        return trial.all(call.tensors, rng, seconds)
    except ForeignCodeError as error:
        return trial.result(reason=str(error))


@dataclass
class _Trial:
    """Trial of one player, as far as it got."""

    session: Session
    call: RecordedCall

    def __post_init__(self) -> None:
        self._found = PlayerExtremes(self.call.name)
        self._finite: dict[str, float] = {}
        self._largest: dict[str, float | None] = {}
        self._errors: dict[str, str] = {}
        self._near: list[str] = []
        self._beyond: list[str] = []
        self._same: list[str] = []
        self._at = ""
        self._batch = 0
        self._shapes: list[tuple[int, ...]] = []

    def all(
        self, tensors: Sequence[CallTensor], rng: np.random.Generator, seconds: float
    ) -> PlayerExtremes:
        """Try everything that there is time for."""
        end = time.monotonic() + seconds
        self._at = "the recorded inputs"
        recorded = self.outputs(tuple(t.values for t in tensors), training=self.call.training)
        if isinstance(recorded, str):
            return self.result(reason=f"the call of a step cannot be made again: {recorded}")
        if not any(x.size for x in recorded):
            return self.result(reason="it gives outputs without a number")
        batch = len(recorded[0]) if recorded[0].ndim else 0
        fewer = self.shortened(tensors, batch)
        self._batch = batch if fewer is tensors else _ROWS
        planned = [Variant(AS_RECORDED, tuple(t.values for t in fewer), near=True)]
        planned += variants(fewer, rng)
        single = one_row(fewer, self._batch)
        planned += [single] if single else []
        for variant in planned:
            if time.monotonic() > end:
                return self.result(reason=f"there were {seconds:.0f} s, in which not all fitted")
            self.try_both(variant)
        self._at = "differentiating"
        return self.result(self.slopes(planned[0].tensors, rng))

    def outputs(self, tensors: Arrays, training: bool) -> list[NDArray[Any]] | str:
        """Outputs of the player, or the error that it raised."""
        try:
            return self.session.call(self.call.number, tensors, training)[0]
        except ForeignCodeError as error:
            if not self.session.alive:
                raise
            return str(error).removeprefix("the run's code raised ")

    def shortened(self, tensors: Sequence[CallTensor], batch: int) -> Sequence[CallTensor]:
        """Take fewer rows of a batch, where the player gives as many outputs then."""
        whole = all(t.values.ndim and len(t.values) == batch for t in tensors)
        if batch <= _ROWS or not whole:
            return tensors
        fewer = [replace(t, values=t.values[:_ROWS]) for t in tensors]
        made = self.outputs(tuple(t.values for t in fewer), training=False)
        if isinstance(made, str) or any(x.ndim == 0 or len(x) != _ROWS for x in made):
            return tensors
        return fewer

    def try_both(self, variant: Variant) -> None:
        """Call the player in evaluation and in training mode."""
        for training in (False, True):
            name = variant.name + (TRAINING if training else "")
            self._at = name
            made = self.outputs(variant.tensors, training)
            if variant.near:
                self._near.append(name)
            if variant.beyond:
                self._beyond.append(name)
            if isinstance(made, str):
                self._errors[name] = made
            elif (rubbish := self._rubbish(variant, made)) is not None:
                self._errors[name] = rubbish
            else:
                self._note(name, variant, made)

    def _rubbish(self, variant: Variant, made: Sequence[NDArray[Any]]) -> str | None:
        """Say how outputs are of other shapes than those of the recorded call, row by row."""
        shapes = [x.shape for x in made]
        if variant.name == AS_RECORDED:
            self._shapes = self._shapes or shapes
        expected = list(self._shapes)
        if variant.name == ONE_ROW:  # whose rows lie elsewhere, as of an LSTM's states, is free
            held = [shape[:1] == (self._batch,) for shape in expected]
            expected = [(1, *shape[1:]) for shape, rows in zip(expected, held, strict=True) if rows]
            if len(shapes) == len(held):
                shapes = [shape for shape, rows in zip(shapes, held, strict=True) if rows]
        if shapes == expected:
            return None
        return f"outputs of the shapes {shapes}, not {expected}"

    def _note(self, name: str, variant: Variant, made: Sequence[NDArray[Any]]) -> None:
        values = np.concatenate([x.astype(np.float64).ravel() for x in made] or [np.zeros(0)])
        sound = np.isfinite(values)
        self._finite[name] = float(sound.mean()) if values.size else 1.0
        self._largest[name] = float(np.abs(values[sound]).max()) if sound.any() else None
        if _rows_differ(variant.tensors) and made and not _rows_differ(made):
            self._same.append(name)

    def slopes(self, inputs: Arrays, rng: np.random.Generator) -> Slopes | None:
        """Measure slopes in evaluation mode; None where it has none or they cannot be had."""
        try:
            return measure_slopes(
                lambda given, weights: self.session.call(self.call.number, given, False, weights),
                inputs,
                rng,
            )
        except (ForeignCodeError, ValueError, IndexError):
            if not self.session.alive:
                raise
            return None

    def result(self, slopes: Slopes | None = None, reason: str | None = None) -> PlayerExtremes:
        """Give what was found so far."""
        return PlayerExtremes(
            self.call.name,
            self._finite,
            self._largest,
            self._errors,
            tuple(self._near),
            tuple(self._beyond),
            tuple(self._same),
            slopes,
            None if reason is None else f"at {self._at}: {reason}",
        )


def _rows_differ(arrays: Sequence[NDArray[Any]]) -> bool:
    """Whether an array has rows that differ; what has one row or none counts as differing in
    nothing."""
    return any(x.ndim and len(x) > 1 and (x[1:] != x[:1]).any() for x in arrays)
