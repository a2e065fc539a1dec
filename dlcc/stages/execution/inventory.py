"""Inventory of what a run recorded: each thing is compared by replays, or named with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dlcc.errors import SnapshotError
from dlcc.records import ReplayCheck, ReplayKind, Samples, Snapshots
from dlcc.runs import Snapshot
from dlcc.stages.execution.coverage import Coverage

_CHECKS: dict[str, ReplayKind] = {"players": "weights", "probe": "probe", "state": "state"}
_REASONS = {
    "players": "a snapshot without a state is nothing that a replay can begin with",
    "probe": "a snapshot without a state is nothing that a replay can begin with",
    "state": "only a full replay (execution.full) reaches the state of the next snapshot",
    "landscape": "it is measured from the weights beside the training, which does not return it",
    "samples": "the record does not tell the seeds with which samples were drawn",
}
_MEASURED = "it is measured or set beside the training; its figures are held against each other"
_WITHHELD = "the code does not return it at the replayed steps at which it was recorded"
_BETWEEN = "its other values lie between replayed steps; a full replay (execution.full) reaches all"
_MISSED = "no replayed step has a value of it; a full replay (execution.full) reaches all"


@dataclass(frozen=True)
class Recorded:
    """Thing that a run recorded."""

    what: str
    """Quantity, or the file of a snapshot without its ending, as `snapshots/probe`."""
    recorded: int
    """Number of numbers of a quantity, or of files."""
    compared: int
    """Number of those that replays were compared with."""
    reason: str | None
    """Reason why not all of them were compared; None where they were."""


def inventory(
    coverage: Coverage,
    excused: Collection[str],
    snapshots: Snapshots,
    samples: Samples | None,
    checks: Sequence[ReplayCheck],
) -> list[Recorded]:
    """List all that the run recorded, with how much of it was compared.

    Args:
        coverage: Counts of the replays by quantity.
        excused: Quantities that no training returns, and that are compared with each other.
        snapshots: Snapshots of the run, resumable or not.
        samples: Samples of the run; None for none.
        checks: Replays that were made or planned.
    """
    rows = coverage.rows
    held = rows.present.sum(axis=0)
    found = []
    for j, name in enumerate(rows.names):
        compared, asked = int(coverage.compared[j]), int(coverage.asked[j])
        if compared == held[j]:
            reason = None
        elif asked > compared:
            reason = _MEASURED if name in excused else _WITHHELD
        elif name in excused:
            reason = _MEASURED
        else:
            reason = _BETWEEN if compared else _MISSED
        found.append(Recorded(name, int(held[j]), compared, reason))
    files = Counter(stem for snapshot in snapshots for stem in _stems(snapshot))
    for stem, count in sorted(files.items()):
        kind = _CHECKS.get(stem)
        done = [c.last_step for c in checks if c.kind == kind and c.compared]
        compared = min(count, len(set(done)))
        reason = None if compared == count else _REASONS.get(stem, "no replay makes it")
        found.append(Recorded(f"snapshots/{stem}", count, compared, reason))
    if samples is not None:
        found.append(Recorded("samples", len(samples.taken), 0, _REASONS["samples"]))
    return found


def _stems(snapshot: Snapshot) -> list[str]:
    """Names of the files of a snapshot, without those that only list the others."""
    try:
        return [path.stem for path in snapshot.files() if path.stem != "snapshot"]
    except SnapshotError:
        return []
