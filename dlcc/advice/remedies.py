"""Remedies: candidate changes to a training, the smallest first.

Each changes a few fields of the configuration. Reruns and past runs decide which ones help
(`dlcc.advice.advice`). The values are usual ones of the literature (Kingma 2015; Heusel 2017;
Mescheder 2018; Gidel 2019); benchmarks/mend.py measures what they mend. A change
is proposed only where the configuration has its fields already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlcc.reruns.plan import HIGHEST_RATE, RATES, is_number, is_positive

SOUND_RATE = {"adam": 2e-3, "rmsprop": 1e-3, "sgd": 5e-2}
"""Optimiser -> learning rate that usually works."""
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
MOST_FIELDS = 2
"""Largest number of fields of a small change."""


@dataclass(frozen=True)
class Change:
    """Change of a configuration: new values for some fields; without any it is another seed.

    >>> from dlcc.advice import Change
    >>> change = Change({"lr_d": 0.002, "r1": 0.1})
    >>> change.words({"lr_d": 0.02, "r1": 0, "seed": 3})
    'lr_d 0.02 -> 0.002, r1 0 -> 0.1'
    >>> change.applied({"lr_d": 0.02, "r1": 0, "seed": 3})
    {'lr_d': 0.002, 'r1': 0.1, 'seed': 3}
    """

    fields: Mapping[str, Any]
    """Field -> its new value."""

    @property
    def size(self) -> int:
        """Number of fields that change."""
        return len(self.fields)

    def words(self, config: Mapping[str, Any]) -> str:
        """Write the change in words.

        Args:
            config: Configuration before the change.

        Returns:
            Old and new value of each field, or `another seed`.
        """
        if not self.fields:
            return "another seed"
        return ", ".join(
            f"{k} {_short(config.get(k))} -> {_short(v)}" for k, v in self.fields.items()
        )

    def applied(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Apply the change to a configuration.

        Args:
            config: Configuration before the change; it stays as it is.

        Returns:
            The configuration with the new values and the same seed.
        """
        return {**config, **self.fields}


def candidates(config: Mapping[str, Any], code: Collection[str] = ()) -> list[Change]:
    """List the changes that could be made to a configuration of a GAN.

    Args:
        config: Whole configuration of the run. Only fields that it has are changed.
        code: Texts of the run's own files. Where they name the loss or the optimiser that the run
            has, only others that they name are proposed.

    Returns:
        Every change that differs from the configuration, each once, the smallest first.

    >>> from dlcc.advice import candidates
    >>> changes = candidates({"lr_g": 0.02, "lr_d": 0.02, "loss": "ns", "seed": 0})
    >>> len(changes), changes[0].fields, changes[-1].fields
    (20, {'lr_g': 0.005}, {'lr_g': 0.06, 'lr_d': 0.06})
    """
    found: dict[tuple[tuple[str, Any], ...], Change] = {}
    for fields in _proposals(config):
        changed = {k: v for k, v in fields.items() if k in config and not _same(config[k], v)}
        if changed and len(changed) == len([k for k in fields if k in config]):
            found.setdefault(tuple(sorted(changed.items())), Change(changed))
    whole = {k: v for k, v in GOOD_RECIPE.items() if k in config and not _same(config[k], v)}
    if whole:
        found.setdefault(tuple(sorted(whole.items())), Change(whole))
    taken = [change for change in found.values() if _is_named(change, config, code)]
    return sorted(taken, key=lambda change: change.size)


REMEDIES: Mapping[str, Callable[[Mapping[str, Any], Collection[str]], list[Change]]] = {
    "adversarial": candidates,
}
"""Name that a kind of training gives -> function that lists the changes known for it."""


def _is_named(change: Change, config: Mapping[str, Any], code: Collection[str]) -> bool:
    """Whether code that names its choices also names those of the change."""

    def names(word: str) -> bool:
        return any(f"{quote}{word}{quote}" in text for text in code for quote in "'\"")

    words = {key: value for key, value in change.fields.items() if isinstance(value, str)}
    return all(names(word) or not names(str(config[key])) for key, word in words.items())


def _proposals(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    optimizer = str(config.get("optimizer", "adam"))
    rate = SOUND_RATE.get(optimizer, 2e-3)
    yield from _one_field(config, rate)
    yield from _two_fields(config, rate, optimizer)
    adam = {"optimizer": "adam"} if optimizer != "adam" else {}
    even = {key: 1 for key in ("g_every", "d_every") if config.get(key, 1) != 1}
    calm = {"beta1": 0.0} if config.get("beta1", 0.0) != 0 else {}
    rates = {key: SOUND_RATE["adam"] for key in RATES if key in config}
    for more in ({}, {"r1": 0.1}):
        yield {**adam, **rates, **calm, **more}
        yield {**adam, **rates, **calm, **even, **more}


def _one_field(config: Mapping[str, Any], rate: float) -> Iterator[Mapping[str, Any]]:
    for key in RATES:
        if is_positive(config.get(key)):
            yield from ({key: _rate(config[key] * f)} for f in (0.25, 0.5, 2.0, 4.0))
        yield {key: rate}
    if is_positive(config.get("lr_g")):
        yield {"lr_d": _rate(4 * config["lr_g"])}
        yield {"lr_d": config["lr_g"]}
    if is_positive(config.get("lr_d")):
        yield {"lr_g": _rate(config["lr_d"] / 4)}
        yield {"lr_g": config["lr_d"]}
    yield from ({"r1": value} for value in (0.1, 1.0, 10.0))
    yield from ({"beta1": value} for value in (0.0, 0.5))
    yield {"beta2": 0.999}
    yield from ({"loss": loss} for loss in ("ns", "ls", "hinge", "wgangp"))
    yield {"optimizer": "adam"}
    if "beta1" not in config:
        yield {"optimizer": "rmsprop"}  # has no momentum, which of Adam cannot be set here
    yield {"init": 1.0}
    yield {"g_every": 1}
    yield {"d_every": 1}


def _two_fields(
    config: Mapping[str, Any], rate: float, optimizer: str
) -> Iterator[Mapping[str, Any]]:
    yield from ({"lr_g": r, "lr_d": r} for r in (rate, rate / 2, rate * 2))
    yield {"lr_g": rate / 2, "lr_d": rate * 2}
    if is_positive(config.get("lr_g")) and is_positive(config.get("lr_d")):
        lr_g, lr_d = config["lr_g"], config["lr_d"]
        yield from ({"lr_g": _rate(f * lr_g), "lr_d": _rate(f * lr_d)} for f in (0.25, 0.5, 3.0))
    for key in RATES:
        yield {key: rate, "r1": 0.1}
        yield {key: rate, "beta1": 0.0}
        yield {key: rate, "loss": "ns"}
        if optimizer != "adam":
            yield {"optimizer": "adam", key: SOUND_RATE["adam"]}
    yield {"loss": "ns", "r1": 0.1}
    yield {"beta1": 0.0, "r1": 0.1}
    yield {"optimizer": "adam", "r1": 0.1}
    yield {"init": 1.0, "r1": 0.1}


def _same(a: Any, b: Any) -> bool:
    if is_number(a) and is_number(b):
        return math.isclose(a, b)
    return bool(a == b)


def _rate(value: float) -> float:
    return float(f"{min(value, HIGHEST_RATE):.3g}")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
