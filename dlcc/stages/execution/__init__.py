"""Execution: the run's code, run again from its snapshots."""

from dlcc.stages.execution.stage import Execution

__all__ = ["Execution"]
