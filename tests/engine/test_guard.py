"""Nothing outlives the process that started it, however that ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.orphans import killed
from dlcc.engine.process import supervise

SUPERVISES = """
import sys
from pathlib import Path
from dlcc.engine.process import supervise
supervise([sys.executable, "-c", sys.argv[1]], seconds=60, memory=1 << 30, cwd=Path(sys.argv[2]))
"""
DETACHES = """
import os, time, pathlib
for sleeper in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.environ.clear()
            pathlib.Path(f"there-{sleeper}").touch()
            os.execv("/bin/sleep", ["sleep", "60"])
        os._exit(0)
while len(list(pathlib.Path().glob("there-*"))) < 3: time.sleep(.01)
pathlib.Path("ready").touch()
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_detached_itself_dies_with_the_supervisor(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISES, DETACHES, str(tmp_path)]
    made = killed(command, 0.05, number, once=tmp_path / "ready")
    assert made.running
    assert made.survivors == ()
    assert made.returncode == -number  # a library changes nothing of what SIGTERM does


@pytest.mark.parametrize("after", [0.0, 0.01, 0.02, 0.04, 0.08])
def test_a_supervisor_that_dies_while_it_starts_a_child_leaves_none(
    after: float, tmp_path: Path
) -> None:
    code = SUPERVISES.replace(
        "supervise([", f"Path({str(tmp_path / 'about')!r}).touch()\nsupervise(["
    )
    command = [sys.executable, "-c", code, "import time; time.sleep(60)", str(tmp_path)]
    made = killed(command, after, signal.SIGKILL, once=tmp_path / "about")
    assert made.survivors == ()


@pytest.mark.parametrize("levels", [2, 3])
def test_it_goes_through_a_chain_of_supervisors(levels: int, tmp_path: Path) -> None:
    code, arguments = DETACHES, []
    for _ in range(levels):
        code = f"import sys; sys.argv = ['', {code!r}, {str(tmp_path)!r}]\n{SUPERVISES}"
    made = killed([sys.executable, "-c", code, *arguments], 0.05, signal.SIGKILL,
                  once=tmp_path / "ready")  # fmt: skip
    assert made.running
    assert made.survivors == ()


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9),
     ("import os; os.kill(os.getpid(), 15)", -15), ("import os; os.abort()", -6)],
)  # fmt: skip
def test_the_guard_ends_as_its_command_did(code: str, expected: int, tmp_path: Path) -> None:
    ended = supervise([sys.executable, "-c", code], seconds=20, memory=1 << 30, cwd=tmp_path)
    assert (ended.how, ended.returncode) == ("exited", expected)


def test_a_command_has_the_signals_that_it_would_have_had(tmp_path: Path) -> None:
    code = (
        "import signal, os\n"
        "assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
        "status = open('/proc/self/status').read()\n"
        "print([l.split()[1] for l in status.splitlines() if l.startswith('SigBlk')], "
        "os.getsid(0) == os.getpid())"
    )
    ended = supervise([sys.executable, "-c", code], seconds=20, memory=1 << 30, cwd=tmp_path)
    assert ended.output == "['0000000000000000'] True\n"


def test_a_command_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-command"):
        supervise(["/no-such-command"], seconds=5, memory=1 << 30, cwd=tmp_path)


def test_a_tree_that_kills_its_own_group_does_not_reach_the_guard(tmp_path: Path) -> None:
    code = (
        "import os, signal, subprocess\n"
        "subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "os.killpg(0, signal.SIGKILL)"
    )
    before = {p for p in os.listdir("/proc") if p.isdigit()}
    ended = supervise([sys.executable, "-c", code], seconds=20, memory=1 << 30, cwd=tmp_path)
    assert ended.returncode == -9
    new = {p for p in os.listdir("/proc") if p.isdigit()} - before
    assert not [p for p in new if _runs(p, b"sleep\x0060\x00")]


def _runs(pid: str, command: bytes) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == command
    except OSError:
        return False
