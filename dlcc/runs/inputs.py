"""Checks of what a training loop hands to the recorder: steps, numbers, arrays."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

import numpy as np

from dlcc.errors import OptionError
from dlcc.runs.pending import Pending, pending_numbers
from dlcc.runs.series_format import is_quantity

if TYPE_CHECKING:
    from torch import Tensor

REFERENCE_ROWS = 4096

Number = SupportsFloat  # float, int, numpy scalar or 0-d tensor


def checked_step(step: SupportsIndex) -> int:
    """Return a step as a plain number; OptionError unless it is a whole number from 0 on."""
    try:
        if isinstance(step, bool):
            raise TypeError
        number = operator.index(step)
    except TypeError:
        raise OptionError(f"step: expected a whole number, found {step!r}") from None
    if not 0 <= number < 2**63:
        raise OptionError(f"step: expected 0 or more, found {number}")
    return number


def numbers_of(
    values: Mapping[str, Number], columns: tuple[str, ...]
) -> tuple[list[float], Pending | None]:
    """Numbers in the order of the columns; NaN for those that are still on an accelerator."""
    torch = sys.modules.get("torch")
    numbers = []
    on_accelerator = {}
    for name in columns:
        value: Any = values[name]
        if torch is not None and isinstance(value, torch.Tensor):
            if value.numel() != 1 or value.is_complex():
                raise OptionError(
                    f"{name}: expected one number, found a tensor {list(value.shape)}; "
                    "log its mean, say"
                )
            if value.device.type != "cpu":
                on_accelerator[name] = value
                numbers.append(math.nan)
            else:
                numbers.append(float(value.detach().item()))
        elif hasattr(value, "__float__") and not (isinstance(value, np.ndarray) and value.ndim):
            numbers.append(float(value))
        else:
            raise OptionError(f"{name}: expected a number, found {value!r:.80}")
    return numbers, pending_numbers(on_accelerator, columns)


def check_names(values: object, taken: Collection[str]) -> None:
    """Refuse values that are no mapping of quantities, or have names already taken; OptionError."""
    if not isinstance(values, Mapping) or not values:
        raise OptionError(
            f"expected quantities such as {{'generator/loss': 0.3}}, found {values!r:.80}"
        )
    for name in values:
        if not is_quantity(name):
            raise OptionError(
                f"{name!r:.80}: expected a name 'player/quantity' of letters, digits, _ . and -"
            )
        if name in taken:
            raise OptionError(f"{name!r}: is recorded already; drop it or pass track_updates=False")


def as_rows(array: Tensor | np.ndarray, what: str) -> Tensor | np.ndarray:
    """Check that an array has numbers [n, ...], n ≥ 1, and return it; else OptionError."""
    shape = getattr(array, "shape", None)
    if not shape or 0 in shape:
        raise OptionError(
            f"{what}: expected an array or tensor [n, ...] of at least one row, "
            f"found {type(array).__name__} {list(shape or ())}"
        )
    if isinstance(array, np.ndarray) and array.dtype.kind not in "biuf":
        raise OptionError(f"{what}: expected numbers, found an array of {array.dtype}")
    return array


def as_array(rows: Tensor | np.ndarray, what: str) -> np.ndarray:
    """Check that an array or tensor has numbers [n, ...], n ≥ 1, and give it as an array."""
    checked = as_rows(rows, what)
    return checked if isinstance(checked, np.ndarray) else checked.detach().cpu().float().numpy()


def evenly_spaced(rows: Tensor | np.ndarray) -> Tensor | np.ndarray:
    """Choose at most `REFERENCE_ROWS` rows evenly; the first ones alone may all be of one class."""
    if len(rows) <= REFERENCE_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, REFERENCE_ROWS).astype(np.int64)]
