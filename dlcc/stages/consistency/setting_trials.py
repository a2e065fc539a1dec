"""Trials of settings: a setting is ignored only where changing it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Self

from dlcc.errors import ForeignCodeError, IsolationError
from dlcc.records import Config, Snapshots, Sources
from dlcc.sandbox import Bounds, Session, best_level
from dlcc.settings.nested import flattened, is_number, replaced
from dlcc.stage import NotApplicable
from dlcc.stages.consistency.step_tracing import latest_states
from dlcc.stages.recorded_state import RecordedState, Tensors, entry_of

_MEMORY = 3 << 30
_STEPS = 2
_WORDS = ("none", "constant", "linear", "exponential", "step", None)
"""Words in place of a word; several, for one that code does not know may mean the usual to it."""

_Done = list[tuple[str, Tensors]]


class SettingTrials:
    """Trials of settings in one sandbox, which opens at the first; a context manager.

    For each the training is built with the setting changed, and what it then has and does is held
    against what it has and does as configured: its state as built, after steps from there, and
    after steps from the last snapshot. Options that optimisers have by the setting show in the
    first, for a snapshot brings its own.

    Args:
        config: Configuration of the run.
        sources: Code that the run holds.
        snapshots: Snapshots of the run.
        trust: Whether the code may run where no sandbox can isolate it.
        seconds: Function that gives the time that all trials may take, asked at the first.
    """

    def __init__(
        self,
        config: Config,
        sources: Sources | None,
        snapshots: Snapshots | None,
        *,
        trust: bool,
        seconds: Callable[[], float],
    ) -> None:
        self._config, self._sources, self._snapshots = config, sources, snapshots
        self._trust, self._seconds = trust, seconds
        self._stack = ExitStack()
        self._session: Session | None = None
        self._as_configured: dict[bool, _Done] = {}
        self._answers: dict[tuple[str, bool], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

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
            session, begun = self._opened()
            if of_step not in self._as_configured:
                done = self._done(session, begun, self._config.config, of_step)
                self._as_configured[of_step] = done
        except (NotApplicable, IsolationError, ForeignCodeError) as error:
            return f"no code can be run with another value ({error})"
        value = flattened(self._config.config).get(path)
        for other in _others(value):
            shown = f"{other:g}" if is_number(other) else repr(other)
            changed = replaced(self._config.config, path, other)
            try:
                done = self._done(session, begun, changed, of_step)
            except ForeignCodeError:
                return f"with {shown} in its place the code fails, so that it is used"
            if not _are_equal(done, self._as_configured[of_step]):
                return f"with {shown} in its place the training is another, so that it is used"
        return ""

    def _opened(self) -> tuple[Session, RecordedState | None]:
        """Open the sandbox if it is not, and give the last state that a step can be done from."""
        if self._sources is None:
            raise NotApplicable("the run holds none")
        self._entry = entry_of(self._config, self._sources)
        if self._session is None:
            bounds = Bounds(self._seconds(), _MEMORY)
            level = best_level(self._trust)
            session = Session(self._sources.paths, level, bounds)
            self._session = self._stack.enter_context(session)
            self._begun = None
            if self._snapshots is not None:
                self._begun = next(iter(latest_states(self._snapshots, self._config.length)), None)
        return self._session, self._begun

    def _done(
        self, session: Session, begun: RecordedState | None, settings: Any, of_step: bool
    ) -> _Done:
        """States of a training that is built from settings: as built, and after steps."""
        session.build(self._entry, settings)
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
