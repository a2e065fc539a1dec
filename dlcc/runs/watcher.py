"""Interface of what follows a training as it is recorded, such as a controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Watcher(Protocol):
    """Listener that follows a training row by row, and may steer it."""

    def watch(self, step: int, row: Mapping[str, Any]) -> Mapping[str, float] | None:
        """Take in a row; return quantities to record at the same step, always of the same names.

        Args:
            step: Step of the row.
            row: `player/quantity` to its value, as the training logged it.

        Returns:
            `player/quantity` to a number, to record at the same step; None for nothing.
        """
        ...
