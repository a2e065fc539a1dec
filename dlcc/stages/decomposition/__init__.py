"""Stage 2, decomposition: one graph over documents, code, layers, series and snapshots."""

from dlcc.stages.decomposition.stage import Decomposition

__all__ = ["Decomposition"]
