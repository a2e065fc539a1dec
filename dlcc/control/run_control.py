"""Control of a recorded training: what `dlcc train --control` attaches, whatever controls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from dlcc.control.action import Action
from dlcc.control.controller import Controller
from dlcc.errors import OptionError

C = TypeVar("C", bound=Controller)


class RunControl(Generic[C]):
    """Control of a training, whose controller is made when the training begins.

    Args:
        dry_run: Whether to decide and record, and change nothing.
    """

    def __init__(self, *, dry_run: bool = False) -> None:
        self._dry_run = dry_run
        self._controller: C | None = None

    @property
    def controller(self) -> C:
        """Controller of the training.

        Raises:
            OptionError: The training has not begun.
        """
        if self._controller is None:
            raise OptionError("control: there is no controller before the training began")
        return self._controller

    @property
    def actions(self) -> tuple[Action, ...]:
        """Actions so far; in a dry run those that would have been taken."""
        return () if self._controller is None else tuple(self._controller.actions)

    def watch(self, step: int, row: Mapping[str, Any]) -> Mapping[str, float] | None:
        """Take in the row of a step; returns the row to record with it, if any."""
        return self.controller.watch(step, row)
