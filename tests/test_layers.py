"""Who may know whom (DESIGN: one direction, from record to report)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dlcc"

# room or module -> what it must not import
FORBIDDEN = {
    "stages": ["dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.evaluation", "dlcc.cli",
               "dlcc.recipes", "dlcc.pipeline.worker", "dlcc.pipeline.discovery"],
    "scoring": ["dlcc.stages", "dlcc.stage", "dlcc.pipeline", "dlcc.report", "dlcc.runs",
                "dlcc.records", "dlcc.evaluation", "dlcc.cli"],
    "runs": ["dlcc.stages", "dlcc.stage", "dlcc.pipeline", "dlcc.scoring", "dlcc.report",
             "dlcc.recipes", "dlcc.records", "dlcc.evaluation", "dlcc.cli"],
    "landscape": ["dlcc.stages", "dlcc.stage", "dlcc.runs", "dlcc.records", "dlcc.recipes",
                  "dlcc.library", "dlcc.report", "dlcc.cli"],
    "metrics": ["dlcc.stages", "dlcc.stage", "dlcc.runs", "dlcc.records", "dlcc.recipes",
                "dlcc.library", "dlcc.landscape", "dlcc.report", "dlcc.cli"],
    "callbacks": ["dlcc.stages", "dlcc.stage", "dlcc.recipes", "dlcc.library", "dlcc.report",
                  "dlcc.cli"],
    "recipes": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.evaluation",
                "dlcc.cli"],
    "run_parts.py": ["dlcc.stages", "dlcc.stage", "dlcc.pipeline", "dlcc.scoring", "dlcc.report"],
    "library": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.evaluation",
                "dlcc.forecast", "dlcc.reruns", "dlcc.corpus"],
    "kinds": ["dlcc.runs", "dlcc.library", "dlcc.recipes", "dlcc.forecast", "dlcc.reruns",
              "dlcc.feedback", "dlcc.corpus", "dlcc.stages", "dlcc.stage", "dlcc.pipeline",
              "dlcc.scoring", "dlcc.report", "dlcc.evaluation", "dlcc.cli"],
    "ensembles": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report",
                  "dlcc.evaluation", "dlcc.cli", "dlcc.library"],
    "forecast": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.evaluation",
                 "dlcc.cli", "dlcc.recipes", "dlcc.corpus"],
    "reruns": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.evaluation",
               "dlcc.cli", "dlcc.corpus", "dlcc.recipes.truth"],
    "feedback": ["dlcc.stages", "dlcc.report", "dlcc.cli", "dlcc.corpus", "dlcc.recipes.truth"],
    "corpus": ["dlcc.stages", "dlcc.scoring", "dlcc.report", "dlcc.evaluation", "dlcc.cli"],
    "findings": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.records"],
    "sandbox": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.evaluation"],
    "engine": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.runs"],
    "report": ["dlcc.stages", "dlcc.evaluation", "dlcc.cli"],
    "pipeline.py": ["dlcc.stages", "dlcc.scoring", "dlcc.report", "dlcc.evaluation", "dlcc.cli"],
    "stage.py": ["dlcc.stages", "dlcc.pipeline", "dlcc.scoring", "dlcc.report", "dlcc.runs"],
    "evaluation.py": ["dlcc.cli", "dlcc.stages"],
}  # fmt: skip


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether it is imported at run time) of every import of a file."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in typing_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) not in typing_only


def files(room: str) -> list[Path]:
    path = PACKAGE / room
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_lies_before_it(room: str) -> None:
    assert files(room), room
    for path in files(room):
        for module, at_run_time in imports(path):
            for forbidden in FORBIDDEN[room]:
                trespass = module == forbidden or module.startswith(f"{forbidden}.")
                own = forbidden == f"dlcc.{room}"
                assert own or not (trespass and at_run_time), f"{path.name} imports {module}"


def test_no_stage_imports_another() -> None:
    rooms = [p for p in (PACKAGE / "stages").iterdir() if p.is_dir() and p.name[0] != "_"]
    for room in rooms:
        for path in room.rglob("*.py"):
            for module, _ in imports(path):
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


def test_nobody_knows_the_command_line() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "cli"):
            continue
        assert not any(module.startswith("dlcc.cli") for module, _ in imports(path)), path


def test_the_truth_is_read_by_no_stage_and_no_feature() -> None:
    for path in PACKAGE.rglob("*.py"):
        # the corpus makes the library: labels are the truth, figures are not
        if not {"recipes", "corpus"} & set(path.parts):
            text = path.read_text()
            assert not any(word in text for word in ("truth.json", "TRUTH_FILE", "import truth"))


def test_nothing_imports_through_the_links_at_the_root() -> None:
    root = PACKAGE.parent
    for path in (
        p for folder in ("dlcc", "tests", "benchmarks") for p in (root / folder).rglob("*.py")
    ):
        for module, _ in imports(path):
            assert module.partition(".")[0] not in ("stages", "scoring"), path


@pytest.mark.parametrize("name", ["stages", "scoring"])
def test_the_links_lead_into_the_package(name: str) -> None:
    link = PACKAGE.parent / name
    if link.exists():  # a checkout without links works too
        assert link.is_symlink()
        assert link.resolve() == PACKAGE / name
