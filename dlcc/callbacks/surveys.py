"""Surveys of the landscape at snapshots, as often as a share of the training's time allows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from dlcc.runs.measuring import Measuring


class Surveys:
    """Surveys of the landscape around snapshots; each takes the time of some hundred passes."""

    def __init__(self, measuring: Measuring, share: float) -> None:
        self._measuring, self._share = measuring, share
        self._began = time.perf_counter()
        self._spent = self._last = 0.0
        self._waiting: int | None = None

    def snapshot_taken(self, step: int) -> None:
        """Note that there is a snapshot to survey, where there is time for it."""
        rest = time.perf_counter() - self._began - self._spent
        affordable = self._spent == 0 or self._spent + self._last <= self._share * rest
        if self._share > 0 and affordable:
            self._waiting = step

    def survey(self, batches: Mapping[str, Any]) -> None:
        """Survey the snapshot that waits, if one does, before the weights change.

        Args:
            batches: Player to what its loss takes.
        """
        if self._waiting is None:
            return
        start = time.perf_counter()
        self._measuring.landscape(self._waiting, batches)
        self._last = time.perf_counter() - start
        self._spent += self._last
        self._waiting = None
