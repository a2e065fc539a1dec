"""Execution: what the run's code does when it runs again."""

from dlcc.stages.execution.stage import Execution

__all__ = ["Execution"]
