"""Trials of averages at steps far later: one that stands still may begin there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dlcc.errors import ForeignCodeError, IsolationError
from dlcc.stage import NotApplicable
from dlcc.stages.consistency.steps.own_code import Opened, OwnCode
from dlcc.stages.recorded_state import Tensors

_LATER = 5_040_000  # which whatever happens every so many steps divides, as a rule
_COUNTS = (1, 1, 1, 200, 300, 500, 1_000)
"""Steps that are done between looks: clocks that no state tells of go on by them alone."""
_SECONDS = 20.0


class LaterAverages:
    """Trials of averages by a run's own code: steps are done from the last snapshot on as if the
    training were far longer, with its numbers of steps put on.

    Args:
        code: Run's own code.
    """

    def __init__(self, code: OwnCode) -> None:
        self._code = code
        self._looks: list[Tensors] | None = None

    def __call__(self, name: str, player: str, copies: bool) -> bool | None:
        """Tell whether an average stands still, or copies, at later steps, too.

        Args:
            name: Name under which the training keeps the average.
            player: Player whose weights it averages.
            copies: Whether copying the weights is asked for, and not standing still.

        Returns:
            Whether it does; None where that cannot be tried, the weights stand still, or the
            steps take too long.
        """
        if self._looks is None:
            self._looks = self._tried()
        averages = [under(look, f"state/objects/{name}/") for look in self._looks]
        weights = [under(look, f"state/players/{player}/") for look in self._looks]
        if not averages or are_equal(weights[0], weights[-1]):
            return None
        if copies:
            return all(are_equal(a, w) for a, w in zip(averages[1:], weights[1:], strict=True))
        return all(are_equal(averages[0], average) for average in averages[1:])

    def _tried(self) -> list[Tensors]:
        """States before and after the later steps; none where they cannot all be done."""
        try:
            opened = self._code.open()
            opened.session.build(opened.entry, self._code.config.config)
            return list(_looks(opened))
        except (NotApplicable, IsolationError, ForeignCodeError, TimeoutError):
            return []


def under(tensors: Tensors, prefix: str) -> Tensors:
    """Floating-point tensors under a prefix, without running moments.

    >>> tensors = {"a/w": np.ones(2), "a/n": np.ones(2, int), "b/w": np.ones(2)}
    >>> sorted(under(tensors, "a/"))
    ['w']
    """
    return {
        name.removeprefix(prefix): array
        for name, array in tensors.items()
        if name.startswith(prefix)
        and np.issubdtype(array.dtype, np.floating)
        and not name.endswith(("running_mean", "running_var"))
    }


def are_equal(one: Tensors, other: Tensors) -> bool:
    """Tell whether tensors of the same names are equal.

    >>> are_equal({"w": np.ones(2)}, {"w": np.ones(2)}), are_equal({"w": np.ones(2)}, {})
    (True, False)
    """
    return one.keys() == other.keys() and all(np.array_equal(a, other[n]) for n, a in one.items())


def _looks(opened: Opened) -> Iterator[Tensors]:
    if opened.begun is None:
        raise NotApplicable("no snapshot of the run can be resumed")
    session, begun, ends = opened.session, opened.begun, time.monotonic() + _SECONDS
    tree = {**begun.tree, "state": _put_on(begun.tree["state"], begun.step)}
    session.load(tree, begun.data)
    yield session.state()[1]
    step = _LATER - 1
    for count in _COUNTS:
        for first in range(step, step + count, 100):
            if time.monotonic() > ends:
                raise TimeoutError
            session.step(first, min(100, step + count - first), [])
        step += count
        yield session.state()[1]


def _put_on(value: Any, step: int) -> Any:
    """Tree of a state with its numbers of steps put on, those of optimisers and schedules left out:
    a rate would vanish."""
    if type(value) is int and value > 0 and abs(value - step) <= 1:
        return value - step + _LATER - 1
    if isinstance(value, Mapping) and not {"param_groups", "last_epoch"} & value.keys():
        return {name: _put_on(part, step) for name, part in value.items()}
    return [_put_on(part, step) for part in value] if isinstance(value, list) else value
