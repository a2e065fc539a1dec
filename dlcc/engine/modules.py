"""Modules from files that a user names, under names of their own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def import_file(path: Path, name: str) -> ModuleType:
    """Import a file of Python under a name; one that was imported under it is not run again.

    Args:
        path: File, which is run.
        name: Name that the module gets in `sys.modules`.

    Returns:
        Module.

    Raises:
        ImportError: The file's name is none of a file of Python.

    Whatever the file raises is raised as it is, and the module forgotten.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "mine.py").write_text("answer = 42")
    ...     import_file(Path(folder) / "mine.py", "dlcc_example_of_a_file").answer
    42
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: expected a file of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles of types look the module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
