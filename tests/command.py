"""The command line, called from tests."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest


def dlcc(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in this process: one of its own would cost each a second for imports."""
    from dlcc.cli import main

    command = ["dlcc", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        if cwd is not None:
            patch.chdir(cwd)
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main()
    assert isinstance(ended.value.code, int)
    return subprocess.CompletedProcess(command, ended.value.code, out.getvalue(), err.getvalue())


def dlcc_process(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command as users do, for what only a process of its own shows."""
    command = [sys.executable, "-m", "dlcc.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def sentences(stderr: str) -> list[str]:
    """Lines of stderr without the one that says that a run has no digests.txt."""
    return [line for line in stderr.strip().splitlines() if "has no digests.txt" not in line]


def assert_one_sentence(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Bad input: this exit code, and one line on stderr with these words, beside that on a run
    whose files nothing protects."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = sentences(done.stderr)
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]
