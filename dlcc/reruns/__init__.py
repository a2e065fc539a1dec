"""Would it happen again: the run's own training, rerun with other seeds and settings."""

from dlcc.records import Outcome
from dlcc.reruns.plan import Rerun, plan_reruns
from dlcc.reruns.programs import Program, program_of

__all__ = ["Outcome", "Program", "Rerun", "plan_reruns", "program_of"]
