"""Place of this process among those of a distributed training."""

from __future__ import annotations

import os
import sys


def rank_and_size() -> tuple[int, int]:
    """Rank of this process, and the number of processes.

    torch.distributed says it where it is initialised, else the variables RANK and WORLD_SIZE that
    launchers set; a process by itself has rank 0 of 1.

    >>> rank_and_size()
    (0, 1)
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    rank = _whole(os.environ.get("RANK"), 0)
    return rank, max(rank + 1, _whole(os.environ.get("WORLD_SIZE"), 1))


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() else otherwise
