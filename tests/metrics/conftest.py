"""What tests of metrics share: sets of rows, and how an error is held against the scatter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pytest

from dlcc.metrics import Measured, inputs
from dlcc.typing import Floats


def normal(
    n: int, d: int, seed: int, shift: float = 0.0, scale: float = 1.0, at: int = 0
) -> Floats:
    """Rows [n, d]; `at` tells apart the sets of one seed."""
    rng = np.random.default_rng([seed, at])
    return rng.standard_normal((n, d)) * scale + shift


@dataclass(frozen=True)
class Calibration:
    """Many measurements of the same, each of fresh rows."""

    mean: float
    of_mean: float
    """Standard error of the mean."""
    ratio: float
    """Root mean square of the errors over the scatter."""


def calibration(found: Iterable[Measured]) -> Calibration:
    values, errors = np.array([(each.value, each.error) for each in found]).T
    sd = float(values.std(ddof=1))
    return Calibration(
        float(values.mean()),
        sd / len(values) ** 0.5,
        float(np.sqrt((errors**2).mean())) / sd,
    )


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Cuts rows into blocks of so many from here on."""

    def cut(rows: int) -> None:
        monkeypatch.setattr(inputs, "BLOCK_ROWS", rows)

    return cut
