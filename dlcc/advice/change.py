"""Change of a configuration: new values for some of its fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcc.settings.nested import flattened, is_number, replaced

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
    >>> Change({"optim.d.lr": 0.002}).applied({"optim": {"d": {"lr": 0.02}}})
    {'optim': {'d': {'lr': 0.002}}}
    """

    fields: Mapping[str, Any]
    """Field -> its new value; of a nested configuration the names are joined by dots."""

    @property
    def size(self) -> int:
        """Number of fields that change."""
        return len(self.fields)

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Fields and values in an order, to tell whether two changes are the same."""
        return tuple(sorted((path, repr(value)) for path, value in self.fields.items()))

    def words(self, config: Mapping[str, Any]) -> str:
        """Write the change in words.

        Args:
            config: Configuration before the change.

        Returns:
            Old and new value of each field, or `another seed`.
        """
        if not self.fields:
            return "another seed"
        before = {**flattened(config), **config}
        return ", ".join(
            f"{k} {_short(before.get(k))} -> {_short(v)}" for k, v in self.fields.items()
        )

    def applied(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Apply the change to a configuration.

        Args:
            config: Configuration before the change; it stays as it is.

        Returns:
            The configuration with the new values and the same seed.
        """
        changed = dict(config)
        for path, value in self.fields.items():
            changed = replaced(changed, path, value)
        return changed

    def without(self, path: str) -> Change:
        """Leave out one field.

        Args:
            path: Field to leave out.

        Returns:
            Change of the other fields.

        >>> Change({"lr_d": 0.002, "r1": 0.1}).without("r1").fields
        {'lr_d': 0.002}
        """
        return Change({k: v for k, v in self.fields.items() if k != path})


def same_value(a: Any, b: Any) -> bool:
    """Whether two values of a configuration are the same, numbers up to rounding.

    >>> same_value(0.1 + 0.2, 0.3), same_value(True, 1), same_value("ns", "ls")
    (True, False, False)
    """
    if is_number(a) and is_number(b):
        return math.isclose(a, b)
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
