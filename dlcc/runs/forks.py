"""Release, in forked children, of what belongs to the recording process.

A child inherits descriptors and with them the lock of the run, which would stay taken after the
recording process has ended; a data loader's workers are such children.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forgettable(Protocol):
    """Holder of descriptors of a run."""

    def forget(self) -> None:
        """Close the descriptors in a forked child, without a trace in any file."""


_held: weakref.WeakSet[Forgettable] = weakref.WeakSet()


def forget_in_children(holder: Forgettable) -> None:
    """Have `holder.forget()` called in every child that this process forks."""
    _held.add(holder)


def _forget_all() -> None:
    for holder in list(_held):
        holder.forget()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
