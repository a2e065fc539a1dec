"""Discovery of stages: entry points, `file.py:Class`, and instances passed in Python."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import xxhash

from dlcc.engine.modules import import_file
from dlcc.entry_points import loaded
from dlcc.errors import StageDeclarationError
from dlcc.findings.catalogue import add_pages_of
from dlcc.stage import Stage, check_declaration

GROUP = "dlcc.stages"
_PREFIX = "dlcc_stage_file_"
_REFUSED, _IMPORTED = "refused: ", "the stage file was imported"


def installed() -> dict[str, Stage]:
    """Find the stages of the entry point group `dlcc.stages`, at their default settings, by name.

    Raises:
        PluginError: A stage cannot be imported, is no stage, or has the name of another.
    """
    found: dict[str, Stage] = {}
    for point, kind in sorted(loaded(GROUP).items()):
        stage = make(kind, f"entry point {point!r}")
        if stage.name in found:
            raise StageDeclarationError(f"two installed stages are named {stage.name!r}")
        found[stage.name] = stage
    return found


def from_argument(argument: str, seconds: float = 60.0, memory: int = 4 << 30) -> Stage:
    """Make the stage that `--stage file.py:Class` names.

    The file is imported in a bounded process first: what hangs, dies or gorges itself on import
    does so there.
    """
    file, colon, name = argument.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise StageDeclarationError(f"--stage {argument!r}: expected FILE.py:CLASS")
    _try_import(Path(file), seconds, memory)
    module = load_file(Path(file))
    if not hasattr(module, name):
        classes = [
            n
            for n, v in vars(module).items()
            if isinstance(v, type) and issubclass(v, Stage) and v.__module__ == module.__name__
        ]
        raise StageDeclarationError(
            f"{file} has no {name!r}; stages there: {', '.join(classes) or 'none'}"
        )
    return make(getattr(module, name), argument)


def _try_import(path: Path, seconds: float, memory: int) -> None:
    from dlcc.engine.process import supervise

    command = [sys.executable, "-m", "dlcc.pipeline.discovery", str(path.resolve())]
    path_of_ours = os.pathsep.join(p or os.getcwd() for p in sys.path)
    env = {**os.environ, "PYTHONPATH": path_of_ours}
    ended = supervise(command, seconds=seconds, memory=memory, cwd=Path.cwd(), env=env)
    if ended.how == "time":
        raise StageDeclarationError(f"{path}: its import did not end within {seconds:g} s")
    if ended.how == "memory":
        raise StageDeclarationError(f"{path}: its import took more than {memory / 2**30:g} GiB")
    lines = ended.output.strip().splitlines() or [""]
    if lines[-1].startswith(_REFUSED):
        raise StageDeclarationError(lines[-1].removeprefix(_REFUSED))
    if lines[-1] != _IMPORTED:
        raise StageDeclarationError(
            f"{path}: importing it ended its process with code {ended.returncode}; a stage file "
            "may only define things"
        )


def make(kind: Any, origin: str) -> Stage:
    """Make an instance of a stage class at its default settings."""
    if not (isinstance(kind, type) and issubclass(kind, Stage)):
        raise StageDeclarationError(f"{origin}: expected a subclass of dlcc.Stage, got {kind!r}")
    add_pages_of(kind)
    try:
        return check_declaration(kind())
    except TypeError as error:
        raise StageDeclarationError(
            f"{origin}: every field of {kind.__name__} needs a default ({error})"
        ) from error


def load_file(path: Path) -> ModuleType:
    """Import a stage file under a name made from its path; the same path is loaded once."""
    path = path.resolve()
    name = _PREFIX + xxhash.xxh3_64_hexdigest(str(path).encode())
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise StageDeclarationError(f"{path}: there is no such stage file")
    try:
        return import_file(path, name)
    except SyntaxError as error:
        raise StageDeclarationError(
            f"{path}:{error.lineno}: not Python that this interpreter reads ({error.msg})"
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise StageDeclarationError(
            f"{path}: importing the stage file raised {type(error).__name__}: {error}"
        ) from error


def file_of(kind: type[Any]) -> Path | None:
    """Stage file that a type was loaded from by `load_file`; None for installed ones."""
    if not kind.__module__.startswith(_PREFIX):
        return None
    file = sys.modules[kind.__module__].__file__
    assert file is not None
    return Path(file)


def type_name(kind: type[Any]) -> str:
    """Name `module:Class` of a type, by which `find_type` finds it in another process."""
    return f"{kind.__module__}:{kind.__qualname__}"


def find_type(name: str) -> type[Any]:
    """Find the type of that name; ValueError for one that is not reachable."""
    module, _, qualname = name.partition(":")
    value: Any = importlib.import_module(module)
    for part in qualname.split("."):
        value = getattr(value, part, None)
    if not isinstance(value, type):
        raise ValueError(f"there is no type {name}")
    return value


def reachable(kind: type[Any]) -> bool:
    """Whether another process can import a type: not so in a notebook, `__main__` or a function."""
    if kind.__module__ in ("__main__", "builtins") or "<locals>" in kind.__qualname__:
        return False
    return getattr(sys.modules.get(kind.__module__), "__file__", None) is not None


if __name__ == "__main__":
    try:
        load_file(Path(sys.argv[1]))
        print(_IMPORTED)
    except StageDeclarationError as refused:
        print(_REFUSED + " ".join(str(refused).split()))
