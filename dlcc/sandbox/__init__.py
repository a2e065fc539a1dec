"""Sandbox for code that came with a run, which can reach nothing of this machine.

`Session` builds a run's training in a process of its own and asks it to load states, to step and to
show what it computed. Everything that comes out is checked and belongs to whoever wrote the code:
figures are computed outside.

Names are imported when they are first used: the process inside must load little before it locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.deprecation import warn_renamed
from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.sandbox.inside import Bounds as Bounds
    from dlcc.sandbox.levels import Level as Level
    from dlcc.sandbox.levels import available_levels as available_levels
    from dlcc.sandbox.levels import best_level as best_level
    from dlcc.sandbox.session import Session as Session
    from dlcc.sandbox.session import Stepped as Stepped

_HOMES = {
    "Bounds": "dlcc.sandbox.inside",
    "Level": "dlcc.sandbox.levels",
    "Session": "dlcc.sandbox.session",
    "Stepped": "dlcc.sandbox.session",
    "available_levels": "dlcc.sandbox.levels",
    "best_level": "dlcc.sandbox.levels",
}
__all__ = list(_HOMES)
_get, __dir__ = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> object:
    if name == "Limits":
        warn_renamed(__name__, name, "Bounds")
        name = "Bounds"
    return _get(name)
