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
    """Find every kind of training, this package's and installed ones.

    Returns:
        Kinds by name.

    Raises:
        PluginError: An installed kind is no `TrainingKind`, or two have the same name.

    >>> {"autoencoder", "gan", "map", "vae"} <= set(kinds())
    True
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
    """Read the name of the kind that a run declares.

    Args:
        objective: Key `objective` of run.json.

    Returns:
        Name in lower case; `gan` where the run declares none.

    >>> declared_kind({"kind": "VAE", "loss": "elbo"}), declared_kind({})
    ('vae', 'gan')
    """
    return str(objective.get("kind", _USUAL)).strip().lower()


def kind_of(objective: Mapping[str, Any]) -> TrainingKind:
    """Find the kind of training that a run declares.

    A run of a kind that nothing is known of is read as the usual one, and `why_unknown` says why it
    is not judged.

    Args:
        objective: Key `objective` of run.json.

    Returns:
        Declared kind; that of GANs for an unknown name.

    Raises:
        PluginError: An installed kind of training cannot be used.

    >>> kind_of({"kind": "vae"}).title
    'variational autoencoder'
    """
    return kinds().get(declared_kind(objective), kinds()[_USUAL])


def why_unknown(objective: Mapping[str, Any], players: Collection[str]) -> str | None:
    """Explain why a run cannot be judged as one of its kind.

    Args:
        objective: Key `objective` of run.json.
        players: Names of the run's players.

    Returns:
        Sentence for the user; None where the run can be judged.

    Raises:
        PluginError: An installed kind of training cannot be used.

    >>> why_unknown({"kind": "gan"}, ["generator", "discriminator"]) is None
    True
    >>> why_unknown({"kind": "gan"}, ["model"])[:48]
    "this run declares kind 'gan' with players model;"
    """
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
