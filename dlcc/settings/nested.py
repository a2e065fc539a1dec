"""Nested configurations, whose values are found by paths such as `optim.d.lr` or `betas.0`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

_DEEPEST = 6
_LONGEST_LIST = 4  # betas are a list to be changed; a list of widths may be, a table is not


def flattened(config: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a configuration into its innermost values.

    Args:
        config: Configuration of plain values, mappings and lists.

    Returns:
        Path to value: names and numbers within lists joined by dots.

    >>> flattened({"lr": 0.1, "optim": {"d": {"lr": 0.2}}, "betas": [0.5, 0.999]})
    {'lr': 0.1, 'optim.d.lr': 0.2, 'betas.0': 0.5, 'betas.1': 0.999}
    """
    return dict(_flat(config, "", _DEEPEST))


def _flat(value: Any, path: str, deep: int) -> Iterator[tuple[str, Any]]:
    inner: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        inner = [*value.items()]
    elif isinstance(value, list | tuple) and len(value) <= _LONGEST_LIST:
        inner = [*enumerate(value)]
    if not inner or deep == 0:
        yield path, value
        return
    for name, part in inner:
        yield from _flat(part, f"{path}.{name}" if path else str(name), deep - 1)


def replaced(config: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Replace one value of a configuration; the given one stays as it is.

    Args:
        config: Configuration of plain values, mappings and lists.
        path: Path of the value, as `flattened` has it. A path that leads nowhere becomes a key.
        value: New value.

    Returns:
        Configuration with the new value, its parts on the way copied.

    >>> replaced({"optim": {"lr": 0.1}, "betas": [0.5, 0.999]}, "optim.lr", 0.2)
    {'optim': {'lr': 0.2}, 'betas': [0.5, 0.999]}
    >>> replaced({"betas": [0.5, 0.999]}, "betas.0", 0.0), replaced({"a.b": 1}, "a.b", 2)
    ({'betas': [0.0, 0.999]}, {'a.b': 2})
    """
    made: dict[str, Any] | None = None if path in config else _replaced(config, path, value)
    return {**config, path: value} if made is None else made


def _replaced(part: Any, path: str, value: Any) -> Any:
    """Copy of a part with the value replaced; None where the path does not lead into it."""
    if isinstance(part, Mapping):
        for name in part:
            if path == str(name):
                return {**part, name: value}
            if path.startswith(f"{name}."):
                inner = _replaced(part[name], path[len(str(name)) + 1 :], value)
                if inner is not None:
                    return {**part, name: inner}
    elif isinstance(part, list | tuple):
        head, _, rest = path.partition(".")
        if head.isdigit() and int(head) < len(part):
            inner = _replaced(part[int(head)], rest, value) if rest else value
            if inner is not None:
                return [*part[: int(head)], inner, *part[int(head) + 1 :]]
    return None


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number that can be calculated with: JSON has integers beyond floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
