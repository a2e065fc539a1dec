"""Types that every room shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Array of double precision."""
Ints = NDArray[np.int64]
"""Array of 64-bit integers, such as steps."""
Bools = NDArray[np.bool_]
"""Array of truth values, such as a mask."""
Rows = NDArray[Any]
"""Array whose first axis counts rows, of any type of numbers."""

Progress = Callable[[float, str], None]
"""Listener to long work, called with the share that is done and what is being done."""
CountProgress = Callable[[int, int], None]
"""Listener to counted work, called with how many are done and how many there are."""
StageProgress = Callable[[str, float, str], None]
"""Listener to an evaluation, called with the stage, the share of its work and what it does."""
