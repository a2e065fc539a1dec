"""Source of the function that builds a training: its entry point, and the files to record."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dlcc.errors import OptionError
from dlcc.runs.ranks import rank_and_size
from dlcc.runs.seeding import built
from dlcc.runs.training import Training

_INSTALLED = {"site-packages", "dist-packages"}


@dataclass(frozen=True)
class Origin:
    """Training that is recorded, and what builds it again."""

    training: Training | None
    config: Mapping[str, Any] | None
    """Configuration; with a seed where it is built from a function."""
    seed: int | None
    entry: str | None
    """Entry point in the run."""
    files: list[Path]
    """Files of the source, the one of the entry point first; empty where there is no function."""

    @classmethod
    def of(
        cls,
        build: Callable[[dict[str, Any]], Training] | None,
        training: Training | None,
        config: Mapping[str, Any] | None,
        seed: int | None,
        training_entry: str | None,
    ) -> Self:
        """Build the training, where a function is given and no training, and find its source.

        Of several processes one alone cannot repeat what all of them did, so that no entry point
        is found there.

        Raises:
            OptionError: The function is not at the top level of a file.
        """
        if build is None:
            return cls(training, config, seed, training_entry, [])
        entry, _ = source_of(build)  # refuses before anything is built
        config = {"seed": 0 if seed is None else seed, **(config or {})}
        if training is None:
            training = built(build, config)
        _, files = source_of(build)
        if seed is None and type(config["seed"]) is int:
            seed = config["seed"]
        alone = rank_and_size()[1] == 1
        return cls(training, config, seed, training_entry or (entry if alone else None), files)


def source_of(build: Callable[..., Any]) -> tuple[str, list[Path]]:
    """Find where a run's training is built from, and what has to be recorded to build it again.

    Args:
        build: Function or class at the top level of a file, which takes the configuration.

    Returns:
        Entry point in the run, `source/train.py:build`; and the files to copy into `source/`: that
        of the function, and those of the modules that were imported from its folder so far.

    Raises:
        OptionError: The function is a lambda, is defined within another one, or in no file; or the
            file, which is imported to build again, would record again when it is.

    >>> from dlcc.recipes.small_gan.training import build
    >>> entry, files = source_of(build)
    >>> entry, files[0].name
    ('source/training.py:build', 'training.py')
    """
    name = getattr(build, "__qualname__", "")
    try:
        file = Path(inspect.getsourcefile(build) or "")
    except TypeError:
        file = Path()
    if not name.isidentifier() or not file.is_file():
        raise OptionError(
            f"build={build!r:.80}: expected a function at the top level of a file, so that the run "
            "can hold the file; define it there"
        )
    file = file.resolve()
    _check_guarded(file)
    return f"source/{file.name}:{name}", [file, *_beside(file, sys.modules.values())]


def _check_guarded(file: Path) -> None:
    """Refuse to record by a statement of a file that runs when the file is imported."""
    frame = inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and Path(code.co_filename).resolve() == file:
            line = frame.f_lineno
            if not _is_guarded(file, line):
                raise OptionError(
                    f"{file.name}:{line}: records where the file is imported, as it is to run the "
                    "training again; put it below if __name__ == '__main__':"
                )
        frame = frame.f_back


def _is_guarded(file: Path, line: int) -> bool:
    """Whether a line stands in a statement of the file that asks for the module's name."""
    for statement in ast.parse(file.read_bytes()).body:
        if statement.lineno <= line <= (statement.end_lineno or line):
            names = [n.id for n in ast.walk(statement) if isinstance(n, ast.Name)]
            return isinstance(statement, ast.If) and "__name__" in names
    return True


def _beside(file: Path, modules: Iterable[types.ModuleType]) -> list[Path]:
    """Files of modules that were imported from the folder of a file."""
    found: dict[Path, None] = {}
    for module in list(modules):
        name = getattr(module, "__file__", None)
        if not isinstance(name, str) or not name.endswith(".py"):
            continue
        path = Path(name).resolve()
        if path != file and path.is_relative_to(file.parent):
            parts = path.relative_to(file.parent).parts
            # an environment may lie in the folder too; what is the user's own is imported by the
            # name that it has there
            if not _INSTALLED & set(parts) and module.__name__.split(".")[0] == Path(parts[0]).stem:
                found[path] = None
    return sorted(found)
