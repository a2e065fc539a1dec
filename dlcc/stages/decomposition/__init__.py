"""Stage 2: one graph over documents, code, network layers, series and snapshots."""

from dlcc.stages.decomposition.stage import Decomposition

__all__ = ["Decomposition"]
