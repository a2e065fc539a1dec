"""Train recipes in children that kill themselves.

    python -m tests.recipes.killing

reads a JSON line {"recipe", "out", "settings", "snapshots", "after"} for each training, forks a
child for it, which kills itself with SIGKILL after that many steps, and prints the child's status.
The parent does nothing but import, so that what a child inherits has no threads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

import sklearn.datasets  # noqa: F401  (each child would import these two by itself: seconds)
import torch._dynamo  # noqa: F401

from dlcc.recipes.train import train


def train_until_killed(
    recipe: str, out: str, settings: dict[str, Any], snapshots: int, after: int
) -> None:
    """Train a recipe, up to a kill without warning once `after` steps are done."""

    def progress(done: int, total: int) -> None:
        if done == after:
            os.kill(os.getpid(), signal.SIGKILL)

    train(recipe, out, settings, snapshots=snapshots, progress=progress)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                train_until_killed(**json.loads(line))
            except Exception:
                traceback.print_exc()
            os._exit(1)  # it should have been killed
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
