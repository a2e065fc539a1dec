"""Remedies: candidate changes to a training, the smallest first.

Each changes a few fields of the configuration; those that it does not have, and values that it has
already, are left alone. What a key means is told by its name (`dlcc.settings.keys`), so that the
catalogue (`dlcc.advice.catalogue`) knows roles and no names. Reruns and past runs decide which
changes help (`dlcc.advice.advice`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from dlcc.advice.catalogue import adversarial, maps, vae
from dlcc.advice.catalogue.settings import Fields, Settings, changes_of
from dlcc.advice.change import Change
from dlcc.advice.source_keys import SourceKeys
from dlcc.settings.keys import Key, keys_of

GOOD_RECIPE: Mapping[str, Any] = {
    "loss": "ns",
    "optimizer": "adam",
    "beta1": 0.5,
    "beta2": 0.999,
    "lr_g": 1e-3,
    "lr_d": 4e-3,
    "g_every": 1,
    "d_every": 1,
    "r1": 0.1,
    "init": 1.0,
}
"""Configuration that is known to be good on the small data sets."""

REMEDIES: Mapping[str, Callable[[Settings], Iterator[Fields]]] = {
    "adversarial": adversarial.proposals,
    "vae": vae.proposals,
    "maps": maps.proposals,
}
"""Name that a kind of training gives -> function that proposes the changes known for it."""


def candidates(
    config: Mapping[str, Any],
    code: Collection[str] = (),
    *,
    remedies: str = "adversarial",
    keys: Sequence[Key] | None = None,
    length: int = 0,
    pixels: int = 0,
    read_alone: bool = True,
) -> list[Change]:
    """List the changes that could be made to a configuration.

    Args:
        config: Whole configuration of the run. Only fields that it has are changed.
        code: Texts of the run's own files. Where there are any, keys alone are changed that they
            read, and losses and optimisers alone are proposed that they name in quotes.
        remedies: Name of the known changes, a key of `REMEDIES`.
        keys: Keys of the configuration with their meaning; default by their names.
        length: Number of steps of the training; 0 where it is not known.
        pixels: Number of pixels of the images that are trained on; 0 where they are none.
        read_alone: Whether keys alone are changed that the code provably reads; without, those too
            of which replays will tell.

    Returns:
        Every change that differs from the configuration, each once, the smallest first.

    >>> from dlcc.advice import candidates
    >>> changes = candidates({"lr_g": 0.02, "lr_d": 0.02, "loss": "ns", "seed": 0})
    >>> changes[0].fields, changes[-1].size
    ({'lr_g': 0.005}, 2)
    >>> any(change.fields == {"lr_d": 0.02} for change in changes)  # bring the two rates together
    False
    >>> read = candidates({"lrD": 0.02, "lrG": 0.02, "loss": "ns"}, ["rate = c['lrD']"])
    >>> {key for change in read for key in change.fields}
    {'lrD'}
    """
    known = keys_of(config, remedies) if keys is None else list(keys)
    texts: frozenset[str] = frozenset()
    if code:
        source = SourceKeys.of(code)
        known = [key for key in known if source.reads(key.path)] if read_alone else known
        texts = source.texts
    settings = Settings(tuple(known), texts, length, pixels)
    return changes_of(REMEDIES[remedies](settings), known)
