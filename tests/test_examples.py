"""README and docs, run as they stand: Python is executed, console lines must exit with 0."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.command import dlcc
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BUILT = {"findings.md", "measured.md", "changes.md", "script.md"}
"""Pages that are made when the documentation is built."""
BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command: str, cwd: Path) -> None:
    """In a process of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=cwd,
        env={
            **os.environ,
            "PATH": path,
            "PYTHONPATH": os.pathsep.join((str(cwd), str(ROOT))),
            "DLCC_LIBRARY": str(cwd / "own-library.npz"),
        },
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def run_here(line: str, cwd: Path) -> None:
    """`dlcc ...` in this process, which has its imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLCC_LIBRARY", str(cwd / "own-library.npz"))
        done = dlcc(*shlex.split(line)[1:], cwd=cwd)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def run_python(text: str, cwd: Path) -> None:
    """Code of a page in this process, as a script in `cwd` of which nothing stays behind."""
    (cwd / "block.py").write_text(text)
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("default")
        patch.chdir(cwd)
        patch.syspath_prepend(cwd)
        patch.setenv("DLCC_LIBRARY", str(cwd / "own-library.npz"))
        runpy.run_path("block.py", run_name="__main__")
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(cwd)):
            del sys.modules[name]
    (cwd / "block.py").unlink()


LONG = ("control.md", "engine.md", "recipes.md", "reruns.md")
"""Pages whose blocks train for long."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page.name in LONG), id=page.name)
        for page in PAGES
        if page.name != "README.md"
    ],
)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to(ROOT / "runs")
    run_blocks(page.read_text(), tmp_path)


def test_the_readme_runs_and_its_training_gets_every_stage(tmp_path: Path) -> None:
    """Its first command is run as a user starts it; nothing is found against the record."""
    (tmp_path / "runs").symlink_to(ROOT / "runs")
    text = (ROOT / "README.md").read_text()
    recorded, more, further = text.partition("## More")
    run_blocks(recorded, tmp_path, commands=run)
    report = json.loads((tmp_path / "dlcc-reports" / "my-run" / "report.json").read_text())
    status = {stage["name"]: (stage["status"], stage.get("reason")) for stage in report["stages"]}
    assert len(status) >= 9
    assert {how for how, _ in status.values()} == {"scored"}, status
    severe = [f["code"] for f in report["findings"] if f["code"].startswith(("EXE", "REC", "LOG"))]
    assert severe == [], report["findings"]
    run_here("dlcc advise my-run --no-reruns", tmp_path)
    assert more
    run_blocks(further, tmp_path)


def test_ten_lines_record_a_training() -> None:
    """A line that a bracket continues is one."""
    blocks = BLOCK.finditer((ROOT / "README.md").read_text())
    script = next(block["text"] for block in blocks if "file=train.py" in block["info"])
    assert 0 < len(re.findall(r"# \+$", script, re.MULTILINE)) <= 10


def run_blocks(text: str, cwd: Path, commands: Callable[[str, Path], None] | None = None) -> None:
    """Write the files, run the code and the commands of a page; `dlcc` in this process where
    `commands` does not say how."""
    for block in BLOCK.finditer(text):
        info, content = block["info"], block["text"]
        if "file=" in info:
            (cwd / info.partition("file=")[2]).write_text(content)
        elif info == "python":
            run_python(content, cwd)
        elif info == "console":
            for line in re.findall(r"^\$ (.+)$", content, re.MULTILINE):
                here = run_here if line.startswith("dlcc ") else run
                (commands or here)(line, cwd)


def test_every_cell_of_the_notebook_runs(tmp_path: Path) -> None:
    """What a cell ends with is shown as notebooks show it."""
    (tmp_path / "runs").symlink_to(ROOT / "runs")
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for cell in (c for c in cells if c["cell_type"] == "code"):
            program = ast.parse("".join(cell["source"]))
            last = program.body.pop() if isinstance(program.body[-1], ast.Expr) else None
            exec(compile(program, "cell", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
                if hasattr(value, "_repr_html_"):
                    assert "<" in value._repr_html_()
    assert (tmp_path / "report.html").is_file()


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    if find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", tmp_path / "site"],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert (tmp_path / "site" / "findings" / "index.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target and target not in BUILT:
            assert (page.parent / target).exists(), target


def test_the_stage_of_the_docs_is_the_one_that_tests_use() -> None:
    blocks = BLOCK.finditer((ROOT / "docs" / "stages.md").read_text())
    shown = next(b["text"] for b in blocks if "file=calm.py" in b["info"])
    used = (ROOT / "tests" / "stage_files" / "good.py").read_text()
    assert shown.strip() in used
    body = shown[shown.index("@dataclass") :].strip().splitlines()
    assert len(body) <= 25


def test_the_readme_has_the_two_lines() -> None:
    blocks = BLOCK.finditer((ROOT / "README.md").read_text())
    lines = [block["text"] for block in blocks if block["info"] == "sh"]
    assert len(lines) == 2
    assert "dlcc evaluate runs/digits-collapsed" in lines[0]
    assert "pytest" in lines[1]


def test_nothing_names_a_machine_or_a_registry() -> None:
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    words = re.compile(r"/(work|root|home)/[a-z]|https?://[a-z.]*(pypi|pythonhosted)")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path != Path(__file__) and path.suffix != ".npz":
            found = words.search(path.read_text(errors="ignore"))
            assert not found, f"{name}: {found}"
