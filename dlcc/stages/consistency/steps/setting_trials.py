"""Trials of settings: a setting is ignored only where changing it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dlcc.errors import ForeignCodeError, ForeignCodeStopped, IsolationError
from dlcc.sandbox import Session
from dlcc.settings.nested import flattened, is_number, replaced
from dlcc.stage import NotApplicable
from dlcc.stages.consistency.steps.own_code import Opened, OwnCode
from dlcc.stages.recorded_state import Tensors

_STEPS = 2
_WORDS = ("none", "constant", "linear", "exponential", "step", None)
"""Words in place of a word; several, for one that code does not know may mean the usual to it."""

_Done = list[tuple[str, Tensors]]


class SettingTrials:
    """Trials of settings by a run's own code.

    For each the training is built with the setting changed, and what it then has and does is held
    against what it has and does as configured: its state as built, after steps from there, and
    after steps from the last snapshot. Options that optimisers have by the setting show in the
    first, for a snapshot brings its own.

    Args:
        code: Run's own code.
    """

    def __init__(self, code: OwnCode) -> None:
        self._code, self._settings = code, code.config.config
        self._as_configured: dict[bool, _Done] = {}
        self._answers: dict[tuple[str, bool], str] = {}

    def __call__(self, path: str, of_step: bool) -> str:
        """Say why a setting may be used.

        Args:
            path: Path of the setting, as `dlcc.settings.nested.flattened` has it.
            of_step: Whether only steps from the last snapshot count, and what is done before not.

        Returns:
            Reason; empty where changing the setting changes nothing.
        """
        key = (path, of_step)
        if key not in self._answers:
            self._answers[key] = self._why_used(path, of_step)
        return self._answers[key]

    def _why_used(self, path: str, of_step: bool) -> str:
        try:
            opened = self._code.open()
            if of_step not in self._as_configured:
                self._as_configured[of_step] = _done(opened, self._settings, of_step)
        except (NotApplicable, IsolationError, ForeignCodeError) as error:
            return f"no code can be run with another value ({error})"
        for other in _others(flattened(self._settings).get(path)):
            shown = f"{other:g}" if is_number(other) else repr(other)
            try:
                done = _done(opened, replaced(self._settings, path, other), of_step)
            except ForeignCodeStopped as error:
                return f"another value cannot be tried ({error})"
            except ForeignCodeError:
                return f"with {shown} in its place the code fails, so that it is used"
            if not _are_equal(done, self._as_configured[of_step]):
                return f"with {shown} in its place the training is another, so that it is used"
        return ""


def _done(opened: Opened, settings: Mapping[str, Any], of_step: bool) -> _Done:
    """States of a training that is built from settings: as built, and after steps."""
    session, begun = opened.session, opened.begun
    session.build(opened.entry, settings)
    found = [_state(session)]
    if not of_step:
        session.step(0, _STEPS, [])
        found.append(_state(session))
    if begun is not None:
        session.load(begun.tree, begun.data)
        session.step(begun.step, _STEPS, [])
        found.append(_state(session))
    return found


def _state(session: Session) -> tuple[str, Tensors]:
    tree, tensors = session.state()
    return json.dumps(tree, sort_keys=True, default=repr), tensors


def _are_equal(one: _Done, other: _Done) -> bool:
    """Whether states are the same to the last bit."""
    return all(
        tree == tree_ and a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
        for (tree, a), (tree_, b) in zip(one, other, strict=True)
    )


def _same(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and one.tobytes() == other.tobytes())


def _others(value: Any) -> Iterator[Any]:
    """Values that may stand in place of one: numbers stay where such settings are valid."""
    if isinstance(value, bool):
        yield not value
    elif is_number(value) and value == 0:
        yield from (0.01, 0.3)
    elif is_number(value):
        yield value + 1 if isinstance(value, int) else 0.7 * value
        yield value * 1e-3  # a bound that surely binds
    else:
        yield from (word for word in _WORDS if word != value)
