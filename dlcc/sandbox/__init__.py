"""Where code that came with a run is executed, and what of this machine it can reach: nothing.

`Session` builds a run's training in a process of its own and asks it to load states, to step and to
show what it computed. Everything that comes out is checked and belongs to whoever wrote the code:
figures are computed outside.

Names are imported when they are first used: the process inside must load little before it locks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcc.sandbox.levels import Level as Level
    from dlcc.sandbox.levels import available_levels as available_levels
    from dlcc.sandbox.levels import best_level as best_level
    from dlcc.sandbox.session import Limits as Limits
    from dlcc.sandbox.session import Session as Session
    from dlcc.sandbox.session import Stepped as Stepped

_MODULES = {
    "Level": "levels",
    "Limits": "session",
    "Session": "session",
    "Stepped": "session",
    "available_levels": "levels",
    "best_level": "levels",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
