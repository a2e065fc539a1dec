"""Stage 3-1, consistency: whether the record, the document and the code can all be true."""

from dlcc.stages.consistency.stage import Consistency

__all__ = ["Consistency"]
