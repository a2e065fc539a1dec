"""AKDE-BO over a recipe's recorded training: what `dlcc train --control akde-bo` attaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlcc.control.akde_bo.attach import attach
from dlcc.control.akde_bo.controller import AkdeBo
from dlcc.control.run_control import RunControl

if TYPE_CHECKING:
    from dlcc.runs import Run

_SOURCE = '''\
"""Training of train.py under AKDE-BO, as it was recorded: replays go on with its state."""

from collections.abc import Mapping
from typing import Any

from dlcc.control.akde_bo.attach import attach
from train import build as build_training


def build(config: Mapping[str, Any]) -> Any:
    """Build the training of a configuration with its controller, before its first step."""
    training = build_training(config)
    attach(training, **{options!r})
    return training
'''


class AkdeBoControl(RunControl[AkdeBo]):
    """Control of a recipe's training by AKDE-BO.

    The controller is a part of the training's state, and the run brings `source/controlled.py`
    beside `source/train.py`: replays of its snapshots are exact, actions included. In a dry run the
    training is recorded as it would be without a controller.

    Args:
        options: Arguments of `AkdeBo` that are plain values, such as `mode` and `bounds`.
        dry_run: Whether to decide and record, and change nothing.
    """

    def __init__(self, options: Mapping[str, Any] | None = None, *, dry_run: bool = False) -> None:
        super().__init__(dry_run=dry_run)
        self._options = dict(options or {})

    def take(self, training: Any, config: Mapping[str, Any]) -> Any:
        """Put a training under AKDE-BO, before its first step, and return it.

        Raises:
            OptionError: Its losses take no penalty, or an option cannot be used.
        """
        self._controller = attach(training, **self._options, dry_run=self._dry_run)
        return training

    def sources(self) -> tuple[str, Mapping[str, str]]:
        """Entry point and text of `controlled.py`; both empty in a dry run."""
        if self._dry_run:
            return "", {}
        text = _SOURCE.replace("{options!r}", repr(self._options))
        return "source/controlled.py:build", {"controlled.py": text}

    def catch_up(self, run: Run, step: int) -> None:
        """Take in nothing: what was seen and done is in the snapshot's state."""
