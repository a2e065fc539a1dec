"""CPU time of several ways to the same thing, measured in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

REPETITIONS = 7
Way = Callable[[], object]


def timed(ways: Mapping[str, Way], repetitions: int = REPETITIONS) -> dict[str, list[float]]:
    """CPU seconds of each way, alternating, after one call that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(repetitions + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if repetition:
                taken[name].append(time.process_time() - start)
    return taken


def over(taken: Mapping[str, list[float]], base: str) -> dict[str, Any]:
    """Each way's time in those of `base`."""
    return {
        name: {
            "median": statistics.median(own) / statistics.median(taken[base]),
            "low": min(a / b for a, b in zip(own, taken[base], strict=True)),
            "high": max(a / b for a, b in zip(own, taken[base], strict=True)),
        }
        for name, own in taken.items()
    }
