"""README and docs, run as they stand: Python is executed, console lines must exit with 0."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import dlcc
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command: list[str] | str, cwd: Path) -> None:
    """In a process of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=cwd,
        env={
            **os.environ,
            "PATH": path,
            "PYTHONPATH": str(cwd),
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


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """Commands of the README as a user starts them, those of other pages in this process."""
    (tmp_path / "runs").symlink_to(ROOT / "runs")
    for block in BLOCK.finditer(page.read_text()):
        info, text = block["info"], block["text"]
        if "file=" in info:
            (tmp_path / info.partition("file=")[2]).write_text(text)
        elif info == "python":
            run([sys.executable, "-c", text], tmp_path)
        elif info == "console":
            for line in text.splitlines():
                if line.startswith("$ dlcc ") and page.name != "README.md":
                    run_here(line.removeprefix("$ "), tmp_path)
                elif line.startswith("$ "):
                    run(line.removeprefix("$ "), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
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
