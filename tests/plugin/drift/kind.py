"""A kind of training of one's own, with a label that no other kind has."""

from dataclasses import replace

from dlcc.kinds import HealthLabel, Mark, Objective, PastRuns, TrainingKind
from dlcc.kinds.map import MAP

STALLED = HealthLabel(
    "stalled",
    "failed",
    "DRF001",
    marks=(
        Mark("generator_loss_change", above=-0.05, below=0.05),
        Mark("good_last", below=0.5),
    ),
)
DRIFT: TrainingKind = replace(
    MAP,
    name="drift",
    title="draws that drift towards the data",
    players=("model",),
    labels=(*MAP.labels, STALLED),
    past_runs=PastRuns("drift", forecast=("gan", "single")),
    objectives=(
        Objective(
            "moments", "distance of the first two moments",
            {"model": "|mean of samples - mean of data|² + |deviations|²"},
            at_equilibrium={"model": 0.0}, floor={"model": 0.0},
        ),
    ),
)  # fmt: skip
