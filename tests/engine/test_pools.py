"""A pool's workers end with the process that made it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from benchmarks.orphans import killed

POOL = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from dlcc.engine.pools import process_pool
from sleeping import sleep
if __name__ == "__main__":
    import signal
    def interrupt(*_): raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupt)
    with process_pool(2) as pool:
        for future in [pool.submit(sleep, k, sys.argv[1]) for k in range(4)]:
            future.result()
"""
SLEEPING = """
import subprocess, time
from pathlib import Path
from dlcc.engine.process import supervise
def sleep(number, folder):
    Path(folder, f"at-{number}").touch()
    supervise(["sleep", "60"], seconds=60, memory=1 << 30, cwd=Path(folder))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_the_pool(number: int, tmp_path: Path) -> None:
    (tmp_path / "sleeping.py").write_text(SLEEPING)
    (tmp_path / "pool.py").write_text(POOL)
    command = [sys.executable, str(tmp_path / "pool.py"), str(tmp_path)]
    made = killed(command, 0.1, number, once=tmp_path / "at-1")
    assert made.running
    assert made.survivors == ()
