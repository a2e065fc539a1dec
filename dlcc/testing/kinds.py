"""The conformance kit for authors of kinds of training: `check_kind`."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dlcc.errors import DlccError, LibraryError
from dlcc.findings import page
from dlcc.kinds import TrainingKind, kinds
from dlcc.records import LABELS
from dlcc.testing.conformance import NonConformance


def check_kind(kind: TrainingKind) -> None:
    """Raise NonConformance, with a message that names the fault, unless a kind conforms.

    The names that it gives must be known to the rooms that look them up, the codes of its labels
    must have pages, and the figures of its marks must be ones that runs have.
    """
    if not isinstance(kind, TrainingKind):
        raise NonConformance(f"{kind!r} is no TrainingKind; make an instance of dlcc.kinds'")
    for fault in _faults(kind):
        raise NonConformance(f"kind {kind.name!r}: {fault}")


def _faults(kind: TrainingKind) -> Iterator[str]:
    if kind.name != kind.name.strip().lower() or not kind.name:
        yield "its name must be in lower case, as objective.kind is compared"
    yield from _faulty_labels(kind)
    yield from _faulty_names(kind)
    yield from _faulty_quantities(kind)
    yield from _faulty_objectives(kind)
    yield from _faulty_past_runs(kind)


def _faulty_labels(kind: TrainingKind) -> Iterator[str]:
    from dlcc.library.in_use import shipped_library

    names, known = kind.label_names, shipped_library().names
    if len(set(names)) != len(names):
        yield "two of its labels have the same name"
    if not names or kind.labels[0].name != "healthy" or kind.labels[0].state != "healthy":
        yield "its first label must be healthy"
    if lacking := [name for name in LABELS if name not in names]:
        yield f"it lacks the usual label {lacking[0]!r}; see dlcc.kinds.labels.usual_labels"
    for label in kind.labels:
        if label.name not in LABELS and not label.marks:
            yield f"label {label.name!r} needs marks: past runs know the usual labels alone"
        for mark in label.marks:
            if mark.feature not in known:
                yield f"label {label.name!r} marks {mark.feature!r}, which runs do not have"
            if not mark.above < mark.below:
                yield f"label {label.name!r} marks an empty range of {mark.feature}"
        if label.state == "healthy":
            continue
        try:
            page(str(label.finding))
        except DlccError:
            yield f"label {label.name!r} names the finding {label.finding!r}, which has no page"


def _faulty_names(kind: TrainingKind) -> Iterator[str]:
    from dlcc.feedback.remedies import REMEDIES
    from dlcc.library.windows import COLUMNS
    from dlcc.stages.health.evidence import EVIDENCE

    for what, name, known in (
        ("run_features", kind.run_features, COLUMNS),
        ("evidence", kind.evidence, EVIDENCE),
        ("remedies", kind.remedies, REMEDIES),
    ):
        if name is not None and name not in known:
            yield f"{what} is {name!r}; expected one of {', '.join(known)}"


def _faulty_quantities(kind: TrainingKind) -> Iterator[str]:
    if not kind.has("loss"):
        yield "it logs no loss"
    for quantity in kind.quantities:
        if kind.players and not set(quantity.players) <= set(kind.players):
            yield f"quantity {quantity.name!r} is of players that the kind does not have"
        if not quantity.fault_above > 0:
            yield f"quantity {quantity.name!r}: fault_above must be above 0"


def _faulty_objectives(kind: TrainingKind) -> Iterator[str]:
    for objective in kind.objectives:
        levels = (objective.at_equilibrium, objective.at_chance)
        for player in {p for level in (*levels, objective.floor, objective.ceiling) for p in level}:
            low = objective.floor.get(player, -math.inf)
            high = objective.ceiling.get(player, math.inf)
            if player not in objective.formula:
                yield f"objective {objective.name!r} has levels of {player!r}, but no formula"
            if any(player in level and not low <= level[player] <= high for level in levels):
                yield f"objective {objective.name!r}: a level of {player!r} is out of its bounds"


def _faulty_past_runs(kind: TrainingKind) -> Iterator[str]:
    from dlcc.library.in_use import shipped_library

    past = kind.past_runs
    groups = {other.past_runs.group for other in kinds().values()} | {past.group}
    for group in (*past.forecast, past.judge):
        if group not in groups:
            yield f"past_runs names the group {group!r}; there are {', '.join(sorted(groups))}"
            return
    if not past.forecast:
        yield "past_runs.forecast is empty: there is nothing that a forecast could be made from"
    if past.shipped is not None and kind.name in kinds():
        try:
            shipped = shipped_library(past.group)
        except (LibraryError, ImportError) as error:
            yield f"its past runs cannot be read: {error}"
            return
        if shipped.names != shipped_library().names:
            yield f"{past.shipped} has other figures than this version; build it anew"
