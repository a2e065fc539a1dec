"""What a killed command leaves behind: processes after two seconds, folders after the next call.

    python benchmarks/killed.py [INSTANTS]

`dlcc evaluate`, `rerun` and `advise` on a small run whose `step()` takes its time, so that foreign
code is at work in its sandbox, and with a stage that detaches a sleeping process. Each is killed at
seeded instants, a third of them while it starts, the others counted from the start of its first
stage or, of rerun and advise, of the sandbox; by SIGKILL and SIGTERM in turns, to its own process
alone.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from orphans import FOREIGN, Killed, killed

from dlcc.recipes.train import train

SEED, INSTANTS, LONGEST = 1, 30, 4.0
DLCC = (sys.executable, "-m", "dlcc.cli")
STAGE = Path(__file__).parent.parent / "tests" / "stage_files" / "detaching.py"
STEP = "        batch = self.batch(step)\n        fake = self.generator(batch.noise)\n        real_"


def small_run(folder: Path) -> Path:
    """A ring GAN of 60 steps whose code, which is not the recipe's any more, sleeps in each."""
    train("ring", folder / "run", {"steps": 60, "seed": 3}, snapshots=3)
    source = folder / "run" / "source" / "train.py"
    text = source.read_text(encoding="utf-8")
    assert text.count(STEP) == 1
    slow = f"        __import__('time').sleep(0.05)\n{STEP}"
    source.write_text(text.replace(STEP, slow), encoding="utf-8")
    return folder / "run"


def leftovers(folder: Path) -> list[str]:
    """Folders for the time being that are there."""
    found = [*(folder / "out").glob(".new-*"), *(folder / "tmp").glob("dlcc-*")]
    return sorted(path.name for path in found)


def strike(
    command: Sequence[str],
    awaited: str,
    following: Sequence[str],
    instants: Sequence[float],
    folder: Path,
) -> dict[str, Any]:
    """Kill a command at each of the instants, and let the next call clean up."""
    (folder / "tmp").mkdir(parents=True)
    env = {**os.environ, "TMPDIR": str(folder / "tmp"), "DLCC_CACHE_DIR": str(folder / "cache")}
    made: list[tuple[int, Killed]] = []
    left, remaining = 0, 0
    for k, after in enumerate(instants):
        number = (signal.SIGKILL, signal.SIGTERM)[k % 2]
        once = None if k < len(instants) // 3 else awaited
        made.append((number, killed(command, after, number, once=once, env=env)))
        left += bool(leftovers(folder))
        subprocess.run(following, env=env, check=True, capture_output=True)
        remaining += bool(leftovers(folder))
    figures: dict[str, Any] = {}
    for number in (signal.SIGKILL, signal.SIGTERM):
        at_work = [one for n, one in made if n == number and one.running]
        figures[signal.Signals(number).name] = {
            "killed at work": len(at_work),
            "with children": sum(one.children > 0 for one in at_work),
            "ended before": sum(n == number and not one.running for n, one in made),
            "with survivors after 2 s": sum(bool(one.survivors) for one in at_work),
            "survivors": sorted({name for one in at_work for name in one.survivors}),
            "seconds until nothing ran": {
                "median": round(statistics.median(one.seconds for one in at_work), 3),
                "max": max(one.seconds for one in at_work),
            },
            "exit codes": sorted({str(one.returncode) for one in at_work}),
        }
    return figures | {"left folders": left, "left folders after the next call": remaining}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else INSTANTS  # of each command
    rng = np.random.default_rng(SEED)
    figures: dict[str, Any] = {"instants of each": count}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = small_run(folder)
        out = folder / "evaluate" / "out"
        next_call = [*DLCC, "evaluate", str(run), "--only", "ingestion", "--out", str(out)]
        commands = {
            "evaluate": (["--only", "ingestion", "--only", "execution", "--only", "detaches",
                          "--stage", f"{STAGE}:Detaches", "--out", str(out)],
                         r"dlcc\.worker", next_call),
            "rerun": (["--n", "8", "--budget", "60s"], FOREIGN, [*DLCC, "stages"]),
            "advise": (["--budget", "5m"], FOREIGN, [*DLCC, "stages"]),
        }  # fmt: skip
        for name, (arguments, awaited, following) in commands.items():
            instants = rng.uniform(0.05, LONGEST, count).tolist()
            command = [*DLCC, name, str(run), *arguments]
            figures[name] = strike(command, awaited, following, instants, folder / name)
    write_result("killed", figures, seeds={"instants": SEED, "run": 3})


if __name__ == "__main__":
    main()
