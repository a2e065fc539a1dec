"""Stage 5, novelty: the place of the run among past ones."""

from dlcc.stages.novelty.stage import Novelty

__all__ = ["Novelty"]
