"""Numbers of rows that are still on an accelerator, fetched by the thread that writes them."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_VALUES_OFFSET = 12  # of the first value in a row
_VALUE = struct.Struct("<d")


class Pending(NamedTuple):
    """Numbers of one row that are still on an accelerator."""

    columns: tuple[int, ...]
    numbers: Tensor
    """Numbers `[len(columns)]`, on their device."""


def pending_numbers(numbers: Mapping[str, Tensor], columns: Sequence[str]) -> Pending | None:
    """Stack 0-d tensors that are on an accelerator, without waiting for it.

    The stack is a copy, so that a training may change its tensors in place.
    """
    if not numbers:
        return None
    import torch

    tensors = [number.detach().reshape(()) for number in numbers.values()]
    if len({tensor.device for tensor in tensors}) > 1:
        tensors = [tensor.cpu() for tensor in tensors]
    return Pending(tuple(columns.index(name) for name in numbers), torch.stack(tensors))


def fetch_pending(buffer: bytearray, waiting: list[tuple[int, Pending]], row_bytes: int) -> None:
    """Copy the numbers that are on an accelerator into their rows, one transfer a device.

    Args:
        buffer: Bytes of the rows.
        waiting: Index of each row that lacks numbers, with these numbers; emptied.
        row_bytes: Size of a row in bytes.
    """
    if not waiting:
        return
    import torch

    by_device: dict[torch.device, list[tuple[int, Pending]]] = defaultdict(list)
    for row, pending in waiting:
        by_device[pending.numbers.device].append((row, pending))
    for rows in by_device.values():
        # To the CPU first: not every accelerator knows float64.
        numbers = iter(torch.cat([pending.numbers for _, pending in rows]).cpu().tolist())
        for row, pending in rows:
            for column in pending.columns:
                offset = row * row_bytes + _VALUES_OFFSET + 8 * column
                _VALUE.pack_into(buffer, offset, next(numbers))
    waiting.clear()
