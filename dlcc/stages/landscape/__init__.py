"""Stage of the curvature, the game and the gradients' noise; it feeds no term."""

from dlcc.stages.landscape.stage import Landscape

__all__ = ["Landscape"]
