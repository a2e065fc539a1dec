"""Environment inside the sandbox: the system's libraries and the Python environment, read-only."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
CHILD = PACKAGE / "sandbox" / "child.py"

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    # Without it torch looks up the name of a user who has none. A folder that exists, for where
    # nothing can be written making one is refused, and finding one is not.
    "TORCHINDUCTOR_CACHE_DIR": "/tmp",
    # Matplotlib, which much imports, Lightning too, is content with a folder that it may write to
    # by its rights, and goes on where a write to it is refused.
    "MPLCONFIGDIR": "/tmp",
}
"""Environment variables inside; there are no others."""

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/proc/cpuinfo", "/sys/devices/system/cpu")
_NEEDED = ("torch", "numpy", "safetensors")


@cache
def python_paths() -> tuple[str, ...]:
    """Folders of the interpreter, of its packages and of this package."""
    paths = {Path(sys.prefix), Path(sys.base_prefix), PACKAGE, *map(Path, package_folders())}
    return tuple(sorted(str(p) for p in paths if not p.is_relative_to("/usr")))


@cache
def package_folders() -> tuple[str, ...]:
    """Folders of the needed packages; an isolated Python may not look there by itself."""
    specs = [find_spec(name) for name in _NEEDED]
    homes = {Path(spec.origin).parent.parent for spec in specs if spec and spec.origin}
    return tuple(sorted(str(home) for home in homes))


def readable_paths() -> tuple[str, ...]:
    """Paths of all that the inside may read, where they stay the same as outside."""
    return (*_SYSTEM, *_DEVICES, *python_paths())
