"""Stage 1, ingestion: a run and its papers become one typed, normalised dossier."""

from dlcc.stages.ingestion.stage import Ingestion

__all__ = ["Ingestion"]
