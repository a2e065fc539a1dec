"""Settings of a training as the catalogue sees them: by meaning, whatever their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcc.advice.change import Change, same_value
from dlcc.health.domain import OPTIMIZERS
from dlcc.reruns.plan import HIGHEST_RATE, is_positive
from dlcc.settings.keys import Key, Player, Role
from dlcc.settings.nested import is_number

OBJECTIVES = ("ns", "ls", "hinge", "wgangp")
"""Usual names of the usual objectives."""
_LONGEST_NAME = 40
Fields = dict[str, Any]
"""Path of a value -> its new value."""


@dataclass(frozen=True)
class Settings:
    """Settings that advice may change.

    >>> from dlcc.settings.keys import keys_of
    >>> settings = Settings(tuple(keys_of({"lr_g": 0.02, "lrD": 0.01, "gp_weight": 0.0})))
    >>> [key.path for key in settings.all("rate")], settings.one("penalty").value
    (['lr_g', 'lrD'], 0.0)
    >>> settings.rates(generator=1e-3, discriminator=4e-3)
    {'lr_g': 0.001, 'lrD': 0.004}
    """

    keys: tuple[Key, ...]
    """Keys of the configuration with their meaning."""
    texts: frozenset[str] = frozenset()
    """Texts that the run's code has in quotes; empty where there is no code."""
    length: int = 0
    """Number of steps of the training; 0 where it is not known."""
    pixels: int = 0
    """Number of pixels of the images that are trained on; 0 where they are none."""

    def all(self, role: Role, player: Player | None = None) -> list[Key]:
        """Find the keys of a meaning.

        Args:
            role: Meaning.
            player: Player that they must name; None for any.

        Returns:
            Keys, in the configuration's order.
        """
        return [k for k in self.keys if k.role == role and player in (None, k.player)]

    def one(self, role: Role, player: Player | None = None) -> Key | None:
        """Find the first key of a meaning.

        Args:
            role: Meaning.
            player: Player that it must name; None for any.

        Returns:
            Key; None where there is none.
        """
        return next(iter(self.all(role, player)), None)

    @property
    def optimizer(self) -> str:
        """Name of the optimiser; `adam` where none is told."""
        key = self.one("optimizer")
        return str(key.value).lower() if key is not None else "adam"

    def rates(self, *, generator: float, discriminator: float) -> Fields:
        """Set the learning rates of both players.

        Args:
            generator: Rate of the generator, and of a key that is of both.
            discriminator: Rate of the discriminator.

        Returns:
            New values of the keys that are there.
        """
        return {
            key.path: rounded(discriminator if key.player == "discriminator" else generator)
            for key in self.all("rate")
        }

    def scaled_rates(self, factor: float) -> Fields:
        """Scale all learning rates.

        Args:
            factor: Factor for each.

        Returns:
            New values.
        """
        keys = [key for key in self.all("rate") if is_positive(key.value)]
        return {key.path: rounded(factor * key.number) for key in keys}

    def set_all(self, role: Role, value: Any) -> Fields:
        """Set every key of a meaning to a value.

        Args:
            role: Meaning.
            value: New value; a key that is a flag becomes true where it is above 0.

        Returns:
            New values of the keys that are there.
        """
        return {key.path: as_kept(key, value) for key in self.all(role)}

    def set_each(self, role: Role, values: Sequence[Any]) -> Iterator[Fields]:
        """Set each key of a meaning to each of some values.

        Args:
            role: Meaning.
            values: New values.

        Yields:
            New value of one key.
        """
        for key in self.all(role):
            yield from ({key.path: as_kept(key, value)} for value in values)

    def first(self, role: Role, value: Any) -> Fields:
        """Set the first key of a meaning to a value.

        Args:
            role: Meaning.
            value: New value.

        Returns:
            New value; empty where there is no such key.
        """
        key = self.one(role)
        return {} if key is None else {key.path: as_kept(key, value)}

    def named(self, role: Role, choices: Mapping[str, Collection[str]]) -> dict[str, str]:
        """Find the names by which the run's code knows choices of a meaning, such as its losses.

        Args:
            role: Meaning, whose value is a name.
            choices: Choice -> names that people give it, the usual one first.

        Returns:
            Choice -> name that the code has in quotes; where it does not have the run's own choice
            in quotes, or there is no code, also the usual names of the usual choices.
        """
        key = self.one(role)
        if key is None or not isinstance(key.value, str):
            return {}
        lowered = {text.lower(): text for text in self.texts if len(text) < _LONGEST_NAME}
        found = {
            choice: lowered[name]
            for choice, names in choices.items()
            for name in reversed([*names])
            if name in lowered
        }
        if key.value.lower() in lowered:
            return found
        usual = {choice: choice for choice in choices if choice in (*OBJECTIVES, *OPTIMIZERS)}
        return {**usual, **found}


def as_kept(key: Key, value: Any) -> Any:
    """Bring a value into the type in which the configuration has it: a flag, or a whole number."""
    if isinstance(key.value, bool):
        return bool(value)
    if isinstance(key.value, int) and is_number(value) and float(value).is_integer():
        return int(value)
    return value


def rounded(rate: float) -> float:
    """Round a rate to three digits, and not beyond the highest."""
    return float(f"{min(rate, HIGHEST_RATE):.3g}")


def changes_of(proposals: Iterable[Mapping[str, Any]], keys: Sequence[Key]) -> list[Change]:
    """Make changes of proposals, each once, the smallest first.

    Args:
        proposals: New values by path; those that the configuration has already are left out.
        keys: Keys of the configuration.

    Returns:
        Changes that differ from the configuration.
    """
    before = {key.path: key for key in keys}
    found: dict[tuple[tuple[str, str], ...], Change] = {}
    for fields in proposals:
        kept = {
            path: as_kept(before[path], value)
            for path, value in fields.items()
            if path in before and not same_value(before[path].value, value)
        }
        kept = {p: v for p, v in kept.items() if not same_value(before[p].value, v)}
        if kept:
            change = Change(kept)
            found.setdefault(change.key, change)
    return sorted(found.values(), key=lambda change: change.size)


def scales(
    key: Key | None, factors: Sequence[float], from_zero: Sequence[float]
) -> Iterator[Fields]:
    """Scale a number, or where it is 0 give it one of some values.

    Args:
        key: Key of the number; None for none.
        factors: Factors for a number above 0.
        from_zero: Values to take where it is 0.

    Yields:
        New value of the key, several times.
    """
    if key is None or not is_number(key.value):
        return
    values = [key.number * f for f in factors] if key.number > 0 else from_zero
    for value in values:
        if isinstance(key.value, int) and key.number > 0:
            value = max(1, round(value))
        yield {key.path: rounded(value) if key.role == "rate" else float(f"{value:.3g}")}
