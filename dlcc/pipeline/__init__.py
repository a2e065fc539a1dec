"""Pipeline of stages: their order, the worker processes in which they run, and the cache.

Names are imported when they are first used: a worker must not load what only its caller needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.pipeline.ordering import order as order
    from dlcc.pipeline.ordering import select as select
    from dlcc.pipeline.outcome import Limits as Limits
    from dlcc.pipeline.outcome import StageOutcome as StageOutcome
    from dlcc.pipeline.outcome import terms_of as terms_of
    from dlcc.pipeline.runner import run_stages as run_stages

_HOMES = {
    "Limits": "dlcc.pipeline.outcome",
    "StageOutcome": "dlcc.pipeline.outcome",
    "order": "dlcc.pipeline.ordering",
    "run_stages": "dlcc.pipeline.runner",
    "select": "dlcc.pipeline.ordering",
    "terms_of": "dlcc.pipeline.outcome",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
