"""Conformance kits for plug-ins of other authors, and an assertion for tests of a training.

```python
from dlcc.testing import check_stage
check_stage(MyStage(), "runs/digits-healthy")
```
Each kit raises `NonConformance` with a message that names the fault. `assert_healthy(run)` raises
AssertionError where a run is not healthy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcc.testing.conformance import NonConformance
    from dlcc.testing.formats import check_format
    from dlcc.testing.health import assert_healthy
    from dlcc.testing.kinds import check_kind
    from dlcc.testing.readers import check_reader
    from dlcc.testing.recipes import check_recipe
    from dlcc.testing.stages import check_stage

_HOMES = {
    "NonConformance": "conformance",
    "assert_healthy": "health",
    "check_format": "formats",
    "check_kind": "kinds",
    "check_reader": "readers",
    "check_recipe": "recipes",
    "check_stage": "stages",
}
__all__ = [
    "NonConformance",
    "assert_healthy",
    "check_format",
    "check_kind",
    "check_reader",
    "check_recipe",
    "check_stage",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dlcc.testing' has no attribute {name!r}")
    return getattr(import_module(f"dlcc.testing.{_HOMES[name]}"), name)
