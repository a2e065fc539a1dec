"""Registry of kinds, this package's and installed ones; and the kind that a run is of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from dlcc.entry_points import loaded
from dlcc.errors import PluginError
from dlcc.kinds.kind import TrainingKind

GROUP = "dlcc.kinds"
_USUAL = "gan"  # of a run that declares none


@cache
def kinds() -> Mapping[str, TrainingKind]:
    """Every kind by its name.

    Raises:
        PluginError: an installed one is no kind, or two have the same name.
    """
    found: dict[str, TrainingKind] = {}
    for point, kind in loaded(GROUP).items():
        if not isinstance(kind, TrainingKind):
            raise PluginError(
                f"entry point {point!r} of group {GROUP}: expected a TrainingKind, found {kind!r}"
            )
        if kind.name in found:
            raise PluginError(f"two installed kinds of training are named {kind.name!r}")
        found[kind.name] = kind
    return found


def declared_kind(objective: Mapping[str, Any]) -> str:
    """The name of the kind that a run declares, in lower case; `gan` where it declares none."""
    return str(objective.get("kind", _USUAL)).strip().lower()


def kind_of(objective: Mapping[str, Any]) -> TrainingKind:
    """The kind that a run declares.

    A run of a kind that nothing is known of is read as the usual one, and `why_unknown` says why it
    is not judged.
    """
    return kinds().get(declared_kind(objective), kinds()[_USUAL])


def why_unknown(objective: Mapping[str, Any], players: Collection[str]) -> str | None:
    """Why a run cannot be judged as one of its kind; None where it can."""
    name = declared_kind(objective)
    if name in kinds() and kinds()[name].fits(players):
        return None
    known = "; ".join(
        f"{kind.name} (players {' and '.join(kind.players)})" if kind.players else kind.name
        for kind in kinds().values()
    )
    return (
        f"this run declares kind {name!r} with players {', '.join(sorted(players)) or 'none'}; "
        f"kinds that can be judged are {known}; if it is one of these, record it with that "
        "objective and these players, or name the columns of another tool's folder by --map"
    )
