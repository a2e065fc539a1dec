"""Names that changed: the old ones work for a version, with a warning that says the new one."""

from __future__ import annotations

import warnings
from typing import Any


def renamed(old: str, new: str) -> Any:
    """Property under a class's `old` name that gives the attribute or method `new`.

    >>> class Circle:
    ...     radius = 2
    ...     r = renamed("r", "radius")
    >>> with warnings.catch_warnings(record=True):
    ...     warnings.simplefilter("always")
    ...     Circle().r
    2
    """

    def read(self: object) -> Any:
        warn_renamed(type(self).__name__, old, new)
        return getattr(self, new)

    return property(read)


def warn_renamed(owner: str, old: str, new: str) -> None:
    """Warn whoever asked `owner` for an old name, in the line that did."""
    warnings.warn(
        f"{owner}.{old} is {owner}.{new} now; the old name goes in 0.3",
        DeprecationWarning,
        stacklevel=3,
    )
