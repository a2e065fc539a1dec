"""Stage 6, impact: the expected end of the run."""

from dlcc.stages.impact.stage import Impact

__all__ = ["Impact"]
