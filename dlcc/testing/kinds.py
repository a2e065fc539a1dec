"""Conformance kit for authors of kinds of training: `check_kind`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlcc.errors import DlccError
from dlcc.findings import page
from dlcc.kinds import TrainingKind, kinds
from dlcc.kinds.labels import USUAL
from dlcc.records import UNTRAINED
from dlcc.testing.conformance import NonConformance

_GAME = {"generator", "discriminator"}


def check_kind(kind: TrainingKind) -> None:
    """Check that a kind of training conforms.

    The names that it gives must be known to the rooms that look them up, the codes of its labels
    must have pages, and the figures of its marks must be ones that runs have.

    Args:
        kind: Kind to check.

    Raises:
        NonConformance: The kind does not conform; the message names the fault.
        PluginError: Another installed kind cannot be used.
        LibraryError: The file of past runs that the kind ships is damaged.

    >>> from dlcc.kinds.gan import GAN
    >>> check_kind(GAN)
    """
    if not isinstance(kind, TrainingKind):
        raise NonConformance(f"{kind!r} is no TrainingKind; make an instance of dlcc.kinds'")
    for fault in _faults(kind):
        raise NonConformance(f"kind {kind.name!r}: {fault}")


def _faults(kind: TrainingKind) -> Iterator[str]:
    yield from _faulty_labels(kind)
    yield from _faulty_names(kind)
    yield from _faulty_quantities(kind)
    yield from _faulty_past_runs(kind)
    if kinds().get(kind.name, kind) != kind:
        yield "its name is taken by an installed kind"


def _faulty_labels(kind: TrainingKind) -> Iterator[str]:
    from dlcc.past_runs.in_use import shipped_library

    known = shipped_library().names
    states = {label.name: label.state for label in kind.labels}
    for name, state in USUAL.items():
        optional = name == UNTRAINED and name not in states
        if states.get(name) != state and not optional:
            yield f"it lacks the usual label {name!r}, or calls it something else than {state}"
    for label in kind.labels:
        if label.name not in USUAL and not label.marks:
            yield f"label {label.name!r} needs marks: past runs know the usual labels alone"
        for mark in label.marks:
            if mark.feature not in known:
                yield f"label {label.name!r} marks {mark.feature!r}, which runs do not have"
        if label.finding is None:
            continue
        try:
            page(label.finding)
        except DlccError:
            yield f"label {label.name!r} names the finding {label.finding!r}, which has no page"


def _faulty_names(kind: TrainingKind) -> Iterator[str]:
    from dlcc.advice.remedies import REMEDIES
    from dlcc.health.windows import COLUMNS
    from dlcc.stages.health.findings import EVIDENCE

    for what, name, known in (
        ("run_features", kind.run_features, COLUMNS),
        ("evidence", kind.evidence, EVIDENCE),
        ("remedies", kind.remedies, REMEDIES),
    ):
        if name is not None and name not in known:
            yield f"{what} is {name!r}; expected one of {', '.join(known)}"
        if name in ("by player", "adversarial") and not set(kind.players) >= _GAME:
            yield f"{what} is {name!r}, which is for players {' and '.join(sorted(_GAME))}"


def _faulty_quantities(kind: TrainingKind) -> Iterator[str]:
    if not kind.has("loss"):
        yield "it logs no loss"
    of_players = [(f"quantity {q.name!r}", q.players) for q in kind.quantities]
    of_players += [(f"objective {o.name!r}", tuple(o.formula)) for o in kind.objectives]
    for what, players in of_players:
        if kind.players and not set(players) <= set(kind.players):
            yield f"{what} is of players that the kind does not have"


def _faulty_past_runs(kind: TrainingKind) -> Iterator[str]:
    from dlcc.past_runs.in_use import groups, shipped_library, shipped_path

    past = kind.past_runs
    known = {*groups(), past.group}
    for group in past.forecast:
        if group not in known:
            yield f"past_runs names the group {group!r}; there are {', '.join(sorted(known))}"
            return
    ships = past.shipped or (past.group in groups() and shipped_path(past.group))
    if set(past.forecast) == {past.group} and not ships:
        yield "past_runs.forecast names its own group alone, which has no past runs: add another"
    if past.shipped is not None and not re.fullmatch(r"[\w.]+:[\w./-]+", past.shipped):
        yield f"past_runs.shipped is {past.shipped!r}; expected package:file.npz"
    elif past.shipped is not None and kind.name in kinds():
        try:
            shipped = shipped_library(past.group)
        except (DlccError, ImportError) as error:
            yield f"its past runs cannot be read: {error}"
            return
        if shipped.names != shipped_library().names:
            yield f"{past.shipped} has other figures than this version; build it anew"
