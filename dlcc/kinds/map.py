"""Maps between distributions: a network that makes samples of draws, with no opponent."""

from __future__ import annotations

from dlcc.kinds.kind import TrainingKind
from dlcc.kinds.single import FEATURE_WORDS, LABELS_OF_SINGLE, PAST_RUNS, QUANTITIES

MAP = TrainingKind(
    name="map",
    title="map between distributions",
    players=(),
    quantities=QUANTITIES,
    labels=LABELS_OF_SINGLE,
    past_runs=PAST_RUNS,
    shrinks_to_a_point=True,
    feature_words=FEATURE_WORDS,
    remedies="maps",
)
