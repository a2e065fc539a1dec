"""What a watch costs, and that it loses no row: a log that grows while it is followed.

    python benchmarks/watching.py

A writer appends ten rows a second to a text log, begins anew once, is killed in the middle of a
line, and rotates its file; `dlcc watch` follows it in a process of its own. CPU time of that
process as a share of the time it ran, after its imports, and the rows that it saw of each stretch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from common import write_result

SECONDS = 40
RATE = 10


def rows(first: int, last: int) -> str:
    return "".join(f"step {i} d_loss 1.{i % 7}31 g_loss 0.7{i % 9}1\n" for i in range(first, last))


def write(path: Path, text: str, mode: str = "a") -> None:
    with open(path, mode) as stream:
        stream.write(text)


def followed(folder: Path) -> dict[str, Any]:
    log = folder / "train.log"
    write(log, rows(0, 2_000), "w")
    command = [sys.executable, "-m", "dlcc.cli", "watch", str(log), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        ps = psutil.Process(process.pid)
        used, begun, step = sum(ps.cpu_times()[:2]), time.monotonic(), 2_000
        while time.monotonic() - begun < SECONDS:
            time.sleep(1 / RATE)
            write(log, rows(step, step + 1))
            step += 1
        share = (sum(ps.cpu_times()[:2]) - used) / (time.monotonic() - begun)
        write(log, "step 999999 d_lo")  # killed in the middle of a line
        os.replace(log, folder / "old")  # rotated, and the training goes on
        (folder / "old").unlink()
        write(log, rows(step, step + 50))
        time.sleep(45)
        write(log, rows(0, 30), "w")  # begun anew
        time.sleep(30)
        process.terminate()
        events = [json.loads(line) for line in process.stdout.read().splitlines()]
    last = [e["last_step"] for e in events if e["event"] == "rows"]
    return {
        "rows before": first["last_step"] + 1,
        "rows written while watched": step - 2_000,
        "share of a core": round(share, 4),
        "last step seen before the training began anew": max(last),
        "last step written": step + 49,
        "told that it began anew": any(e["event"] == "restart" for e in events),
        "last step seen after": last[-1],
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_result("watching", {"a log of 2,000 rows that grows": followed(Path(folder))}, {})


if __name__ == "__main__":
    main()
