"""Stage 7, reproducibility: whether the same would happen again."""

from dlcc.stages.reproducibility.stage import Reproducibility

__all__ = ["Reproducibility"]
