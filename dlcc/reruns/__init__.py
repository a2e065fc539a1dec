"""Reruns: the run's own training, run again with other seeds and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.records import Outcome as Outcome
    from dlcc.reruns.deviation import reproducibility as reproducibility
    from dlcc.reruns.plan import Rerun as Rerun
    from dlcc.reruns.plan import plan_reruns as plan_reruns
    from dlcc.reruns.programs import Program as Program
    from dlcc.reruns.programs import program_of as program_of

_HOMES = {
    "Outcome": "dlcc.records",
    "Program": "dlcc.reruns.programs",
    "Rerun": "dlcc.reruns.plan",
    "plan_reruns": "dlcc.reruns.plan",
    "program_of": "dlcc.reruns.programs",
    "reproducibility": "dlcc.reruns.deviation",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
