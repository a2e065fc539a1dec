"""Configuration of a recipe: fields with their meaning, choices and ranges, checked as they come.

`small_gan` brings the like of its own: its file goes into every run, to be complete in itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

__all__ = ["Options", "option"]


def option(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] = (),
    low: float = -math.inf,
    high: float = math.inf,
) -> Any:
    """Make a field of `Options`; both ends of the range are allowed.

    Args:
        default: Value where none is given: a whole number, a number or text, which is the type of
            the field.
        help: Meaning of the field in a few words, with its unit.
        choices: Values that a text may have; empty for any.
        low: Lowest number allowed.
        high: Highest number allowed.

    Returns:
        Field of a dataclass; to a type checker it is of the annotated type.

    >>> @dataclass(frozen=True)
    ... class Config(Options):
    ...     lr: float = option(1e-3, "learning rate", low=1e-6, high=1.0)
    >>> Config.parse({"lr": 0.01})
    Config(lr=0.01)
    """
    return field(
        default=default,
        metadata={"help": help, "choices": tuple(choices), "low": low, "high": high},
    )


@dataclass(frozen=True)
class Options:
    """Base of configurations whose fields are all made by `option`.

    >>> @dataclass(frozen=True)
    ... class Config(Options):
    ...     steps: int = option(100, "number of steps", low=1, high=1000)
    >>> Config.parse({}), Config.parse({"steps": 0})
    Traceback (most recent call last):
    ValueError: steps is 0: give a value from 1 to 1000
    """

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Check plain values and make the configuration; those left out take their defaults.

        Args:
            values: Name of a field to its value.

        Returns:
            The configuration, an instance of the class.

        Raises:
            ValueError: for an unknown key, or a value of the wrong type or out of range; the
                message says what is right.
        """
        known = {entry.name: entry for entry in fields(cls)}
        for key in values:
            if key not in known:
                raise ValueError(f"unknown key {key!r}: the keys are {', '.join(known)}")
        return cls(**{key: _checked(known[key], value) for key, value in values.items()})


def _checked(entry: Any, value: Any) -> Any:
    """Convert `value` to the field's type, or raise ValueError."""
    choices, low, high = (entry.metadata[key] for key in ("choices", "low", "high"))
    if choices:
        if value not in choices:
            raise ValueError(f"{entry.name} is {value!r}: choose one of {', '.join(choices)}")
        return value
    if isinstance(entry.default, str):
        if not isinstance(value, str):
            raise ValueError(f"{entry.name} is {value!r}: give text")
        return value
    whole = isinstance(entry.default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{entry.name} is {value!r}: give {kind}")
    if not low <= value <= high:  # NaN fails too
        raise ValueError(f"{entry.name} is {value!r}: give a value from {low:g} to {high:g}")
    return value if whole else float(value)
