"""Environment of processes that read what is hostile: this package, wherever it lies."""

from __future__ import annotations

import os
import sys


def child_environment() -> dict[str, str]:
    """Make the environment in which a child finds what this process can import.

    >>> "PYTHONPATH" in child_environment()
    True
    """
    folders = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return {**os.environ, "PYTHONPATH": folders, "OMP_THREAD_LIMIT": "1"}
