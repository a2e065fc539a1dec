"""Stage 3, health: the state of the run, and its onset."""

from dlcc.stages.health.stage import Health

__all__ = ["Health"]
