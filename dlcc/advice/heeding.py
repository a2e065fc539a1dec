"""Heeding of a change: whether a training that is built with it goes another way.

The training is built with the changed configuration and its first steps are done, from the same
seed. Where weights and samples come out to the last bit as without the change, the code does not
heed it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcc.advice.change import Change
from dlcc.errors import ForeignCodeError, ForeignCodeStopped
from dlcc.sandbox import Session
from dlcc.settings.keys import Key, Player
from dlcc.settings.nested import replaced
from dlcc.typing import Floats

_STEPS = 2
_MOST_STEPS = 12
_SAMPLES = 16
_TWICE, _UNMOVED = (1.8, 2.2), (0.8, 1.25)  # ratios of what a step moves when a rate is doubled


@dataclass(frozen=True)
class First:
    """First steps of a training."""

    digest: str
    """Hash of weights and samples after the steps."""
    moved: Mapping[str, float]
    """Player -> L2 norm of what the first step changed of its weights."""


@dataclass
class Replay:
    """First steps of trainings of one run's code, each configuration built once in one session."""

    session: Session
    entry: str
    """Entry point, such as `source/train.py:build`."""
    late: int | None = None
    """Step that is done besides the first ones, for what sets in later; None for none."""
    _known: dict[str, First | None] = field(default_factory=dict)

    def first(self, config: Mapping[str, Any], steps: int = _STEPS) -> First | None:
        """Build a configuration and do its first steps.

        Args:
            config: Whole configuration.
            steps: Number of steps.

        Returns:
            What became of it; None where the code refuses the configuration.

        Raises:
            ForeignCodeStopped: The code used up its limits.
            ForeignCodeError: The session is over.
        """
        key = f"{steps} {sorted(config.items(), key=lambda item: item[0])!r}"
        if key not in self._known:
            self._known[key] = self._made(config, steps)
        return self._known[key]

    def _made(self, config: Mapping[str, Any], steps: int) -> First | None:
        try:
            self.session.build(self.entry, config)
            before = self.session.weights()
            self.session.step(0, 1, [])
            after = self.session.weights()
            if steps > 1:
                self.session.step(1, steps - 1, [])
            parts = [self.session.weights(), self._sampled()]
            if self.late is not None:
                self.session.step(self.late, 1, [])
                parts += [self.session.weights()]
        except ForeignCodeStopped:
            raise
        except ForeignCodeError:
            if not self.session.alive:
                raise
            return None
        return First(_digest(parts), _moved(before, after))

    def _sampled(self) -> dict[str, Any]:
        """Samples of the model, on which an average of its weights may show; none where it has no
        function for them."""
        try:
            return {"samples": self.session.sample(_SAMPLES, seed=0)}
        except ForeignCodeStopped:
            raise
        except ForeignCodeError:
            if not self.session.alive:
                raise
            return {}


def _digest(parts: Iterable[Mapping[str, Any]]) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        for name in sorted(part):
            array = np.ascontiguousarray(part[name])
            hashed.update(f"{name} {array.dtype} {array.shape}".encode())
            hashed.update(array.tobytes())
    return hashed.hexdigest()


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float]:
    squares: dict[str, float] = {}
    for name, old in before.items():
        new = after.get(name)
        if new is None or new.shape != old.shape or old.dtype.kind != "f":
            continue
        step: Floats = np.asarray(new, np.float64) - np.asarray(old, np.float64)
        player = name.partition("/")[0]
        squares[player] = squares.get(player, 0.0) + float((step**2).sum())
    return {player: math.sqrt(square) for player, square in squares.items()}


@dataclass(frozen=True)
class Heeded:
    """Changes that the code heeds, and those that were left out."""

    changes: tuple[Change, ...]
    """Changes, with those fields alone that the code heeds."""
    unheeded: tuple[str, ...] = ()
    """Keys that change nothing, whatever their value."""
    left_out: int = 0
    """Number of changes that would have changed nothing."""
    refused: int = 0
    """Number of changes with which the code fails at once."""
    how: str = ""
    """Way in which it was found out, in words; empty where nothing was."""

    @property
    def words(self) -> str:
        """Number of changes that were left out, with the reason; empty where none was."""
        parts = []
        if self.left_out:
            which = f" ({', '.join(self.unheeded)})" if self.unheeded else ""
            one = "change" if self.left_out == 1 else "changes"
            it = "it" if self.left_out == 1 else "them"
            parts.append(f"{self.left_out} {one} left out: the code does not heed {it}{which}")
        if self.refused:
            one = "change" if self.refused == 1 else "changes"
            parts.append(f"{self.refused} {one} left out: the code fails with them at once")
        return "; ".join(parts)


def is_exact(replay: Replay, config: Mapping[str, Any]) -> bool:
    """Tell whether the training is built and steps twice to the same bits.

    Args:
        replay: Replay of the run's code.
        config: Configuration of the run.

    Returns:
        True where an unchanged training comes out the same, so that a difference says something.

    Raises:
        ForeignCodeError: The session is over.
    """
    first = replay.first(config)
    again = replay._made(config, _STEPS)
    return first is not None and again is not None and first.digest == again.digest


def heeded_changes(
    changes: Sequence[Change],
    config: Mapping[str, Any],
    keys: Sequence[Key],
    replay: Replay,
    go_on: Callable[[], bool] = lambda: True,
) -> Heeded:
    """Keep of each change what the code heeds.

    Args:
        changes: Changes, the most wanted first.
        config: Configuration of the run.
        keys: Its keys with their meaning: where a change is of how often a player is updated, more
            steps are done.
        replay: Replay of the run's code.
        go_on: Function that says whether there is time for another change; those that were not
            looked at are left out too, uncounted.

    Returns:
        The changes, those without effect left out, and each once.

    Raises:
        ForeignCodeError: The session is over.
    """
    roles = {key.path: key.role for key in keys}
    kept: dict[tuple[tuple[str, str], ...], Change] = {}
    dead: set[str] = set()
    alive: set[str] = set()
    left_out = refused = 0
    for change in changes:
        if not go_on():
            break
        steps = _steps_of(change, config, roles)
        if replay.first(change.applied(config), steps) is None:
            refused += 1
            continue
        heeded = _heeded(change, config, replay, steps)
        dead |= change.fields.keys() - heeded.fields.keys()
        alive |= heeded.fields.keys()
        if not heeded.fields:
            left_out += 1
        else:
            kept.setdefault(heeded.key, heeded)
    return Heeded(
        tuple(kept.values()),
        tuple(sorted(dead - alive)),
        left_out,
        refused,
        "its first steps were replayed with each change",
    )


def _heeded(change: Change, config: Mapping[str, Any], replay: Replay, steps: int) -> Change:
    """Leave out the fields of a change without which the training goes the same way."""
    whole = replay.first(change.applied(config), steps)
    assert whole is not None
    for path in change.fields:
        fewer = change.without(path)
        without = replay.first(fewer.applied(config), steps)
        if without is not None and without.digest == whole.digest:
            change = fewer
    return change


def _steps_of(change: Change, config: Mapping[str, Any], roles: Mapping[str, str]) -> int:
    """Number of steps in which a change would show."""
    steps = _STEPS
    for path, value in change.fields.items():
        if roles.get(path) in ("repeats", "every") and isinstance(value, int):
            before = next((v for p, v in _flat(config) if p == path), 1)
            most = max(value, before if isinstance(before, int) else 1)
            steps = max(steps, min(most + 1, _MOST_STEPS))
    return steps


def _flat(config: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    from dlcc.settings.nested import flattened

    return flattened(config).items()


def rates_by_effect(
    config: Mapping[str, Any], paths: Sequence[str], replay: Replay
) -> dict[str, tuple[Player | None, bool]]:
    """Find out whose learning rate a number is, by doubling it.

    A player whose first step becomes twice as long has that rate; where both do, it is of both.

    Args:
        config: Configuration of the run.
        paths: Paths of positive numbers.
        replay: Replay of the run's code.

    Returns:
        Path -> player (None for all of them), and whether it is a rate at all; a path that cannot
        be tried is missing.

    Raises:
        ForeignCodeError: The session is over.
    """
    base = replay.first(config)
    found: dict[str, tuple[Player | None, bool]] = {}
    flat = dict(_flat(config))
    for path in paths if base is not None else ():
        twice = replay.first(replaced(config, path, 2 * flat[path]))
        if twice is None or base is None:
            continue
        ratios = {p: twice.moved.get(p, 0.0) / n for p, n in base.moved.items() if n > 0}
        longer = [p for p, r in ratios.items() if _TWICE[0] < r < _TWICE[1]]
        others = [p for p in ratios if p not in longer]
        still = all(_UNMOVED[0] < ratios[p] < _UNMOVED[1] for p in others)
        if longer and not others:
            found[path] = None, True
        elif longer and still and longer[0] in ("generator", "discriminator"):
            found[path] = "generator" if longer[0] == "generator" else "discriminator", True
        else:
            found[path] = None, False
    return found
