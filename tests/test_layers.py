"""Who may know whom: every room, on its floor, imports only what lies below it.

The floors are those of docs/architecture.md, from the ground up. A room may import rooms of lower
floors and those to its left on its own. Imports within functions and for types alone count too.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dlcc"

FLOORS = (
    "errors typing lazy deprecation version estimate measurement codec entry_points",
    "charts debate engine landscape metrics tracing",
    "cache findings runs sandbox",
    "callbacks records",
    "kinds settings",
    "detect health diagnosis comparison watching",
    "past_runs recipes ensembles",
    "forecast scoring stage",
    "reruns",
    "stages",
    "pipeline",
    "report",
    "advice control review",
    "evaluation",
    "evaluations",
    "past_runs.build",
    "optuna tuning testing cli",
)
ROOMS = tuple(room for floor in FLOORS for room in floor.split())


MODULE = re.compile(r"dlcc(\.\w+)+")


def _homes() -> dict[str, str]:
    """Name of `dlcc` itself -> the module that it comes from."""
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            homes: dict[str, str] = eval(ast.unparse(node.value))
            return homes
    raise AssertionError("dlcc/__init__.py names no homes")


HOMES = _homes()


def room_of(module: str) -> str | None:
    """The room that a module of this package lies in; None for others and for the package."""
    package, _, rest = module.partition(".")
    if package != "dlcc":
        return None
    inside = [room for room in ROOMS if rest == room or rest.startswith(f"{room}.")]
    return max(inside, key=len, default=None)


def modules() -> Iterator[tuple[str, Path]]:
    """(name, file) of every module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Every module, and every name of a module, that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for name in (alias.name for alias in node.names):
                home = HOMES.get(name) if node.module == "dlcc" else None
                found.add(home or f"{node.module}.{name}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # a module named in a string, for importlib or a package that is lazy
            named = MODULE.fullmatch(node.value) and path.stem != "entry_points"  # groups there
            found |= {node.value} if named else set()
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "dlcc":
            found.add(HOMES.get(node.attr, f"dlcc.{node.attr}"))
    return frozenset(found)


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """Rooms that each module imports from."""
    return {
        module: {room for name in imports(path) if (room := room_of(name)) is not None}
        for module, path in modules()
    }


def test_every_module_has_a_room(imported: dict[str, set[str]]) -> None:
    homeless = [module for module in imported if module != "dlcc" and room_of(module) is None]
    assert homeless == []


def test_every_room_is_there(imported: dict[str, set[str]]) -> None:
    assert {room_of(module) for module in imported} - {None} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it(imported: dict[str, set[str]], room: str) -> None:
    above = {*ROOMS[ROOMS.index(room) + 1 :]}
    trespassers = {
        module: rooms & above
        for module, rooms in imported.items()
        if room_of(module) == room and rooms & above
    }
    assert trespassers == {}


def test_no_stage_imports_another() -> None:
    rooms = [p for p in (PACKAGE / "stages").iterdir() if p.is_dir() and p.name[0] != "_"]
    for room in rooms:
        for path in room.rglob("*.py"):
            for module in imports(path):
                others = [f"dlcc.stages.{r.name}" for r in rooms if r != room]
                assert not any(module.startswith(other) for other in others), path


def test_nobody_but_a_kind_asks_which_kind_a_run_is() -> None:
    """What is particular to a kind stands in dlcc/kinds/ and is asked for there."""
    names = {path.stem for path in (PACKAGE / "kinds").glob("*.py")}
    assert {"gan", "vae"} <= names
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "kinds"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                texts = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                assert not texts & {"gan", "map", "autoencoder", "vae"}, f"{path}:{node.lineno}"


def test_the_truth_is_read_by_no_stage_and_no_feature() -> None:
    for path in PACKAGE.rglob("*.py"):
        # past_runs/build makes the library: labels are the truth, figures are not
        if not {"recipes", "build"} & set(path.relative_to(PACKAGE).parts):
            read = [name for name in imports(path) if name.startswith("dlcc.recipes.truth")]
            assert not read, path
            assert "truth.json" not in path.read_text(), path


def test_nothing_imports_through_the_links_at_the_root() -> None:
    root = PACKAGE.parent
    for path in (
        p for folder in ("dlcc", "tests", "benchmarks") for p in (root / folder).rglob("*.py")
    ):
        for module in imports(path):
            assert module.partition(".")[0] not in ("stages", "scoring"), path


@pytest.mark.parametrize("name", ["stages", "scoring"])
def test_the_links_lead_into_the_package(name: str) -> None:
    link = PACKAGE.parent / name
    if link.exists():  # a checkout without links works too
        assert link.is_symlink()
        assert link.resolve() == PACKAGE / name
