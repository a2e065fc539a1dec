"""Stage 5: where the run lies among past ones."""

from dlcc.stages.novelty.stage import Novelty

__all__ = ["Novelty"]
