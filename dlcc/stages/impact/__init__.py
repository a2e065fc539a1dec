"""Stage 6: what is to be expected of the run."""

from dlcc.stages.impact.stage import Impact

__all__ = ["Impact"]
