"""Stage 3: what the state of the run is now, and since when."""

from dlcc.stages.health.stage import Health

__all__ = ["Health"]
