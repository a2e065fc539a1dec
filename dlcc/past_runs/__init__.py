"""Past runs: trainings with known outcomes, which verdicts and forecasts are learnt from.

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.past_runs.health_model import HealthModel as HealthModel
    from dlcc.past_runs.in_use import library as library
    from dlcc.past_runs.in_use import shipped_library as shipped_library
    from dlcc.past_runs.in_use import user_library_path as user_library_path
    from dlcc.past_runs.similarity import Space as Space
    from dlcc.past_runs.store import Library as Library
    from dlcc.past_runs.store import read_library as read_library
    from dlcc.past_runs.user_library import add_runs as add_runs

_HOMES = {
    "HealthModel": "dlcc.past_runs.health_model",
    "Library": "dlcc.past_runs.store",
    "Space": "dlcc.past_runs.similarity",
    "add_runs": "dlcc.past_runs.user_library",
    "library": "dlcc.past_runs.in_use",
    "read_library": "dlcc.past_runs.store",
    "shipped_library": "dlcc.past_runs.in_use",
    "user_library_path": "dlcc.past_runs.in_use",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
