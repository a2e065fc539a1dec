"""Step axis of a foreign record: which columns count its steps, and its sessions.

Loggers count in iterations, batches within an epoch, thousands of images or not at all. One axis is
made of it, and what was assumed is said.
"""

from dlcc.runs.axis.sessions import Session, split_sessions
from dlcc.runs.axis.step_axis import StepAxis, step_axis

__all__ = ["Session", "StepAxis", "split_sessions", "step_axis"]
