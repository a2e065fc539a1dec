"""Names that a package imports when they are first used, so that importing the package is quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make the `__getattr__` and `__dir__` of a package (PEP 562).

    Args:
        package: The package's `__name__`.
        homes: Name to the module that has it; a module that has its own name is given itself.

    Returns:
        What the package assigns to `__getattr__` and to `__dir__`.

    >>> get, names = lazy_names("collections", {"abc": "collections.abc", "sqrt": "math"})
    >>> names(), get("sqrt")(4.0)
    (['abc', 'sqrt'], 2.0)
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(homes[name])
        return module if homes[name] == f"{package}.{name}" else getattr(module, name)

    return get, lambda: sorted(homes)
