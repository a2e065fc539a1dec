"""A stage that leaves a process behind which belongs to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dlcc import Case, Context, Stage, StageResult
from dlcc.records import Series


@dataclass(frozen=True)
class Detaches(Stage):
    """Starts a sleeper in a session and with an environment of its own, and sleeps, too."""

    name: ClassVar = "detaches"
    needs: ClassVar = (Series,)

    ready: str = ""
    """A file to make when it sleeps."""

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        code = "import os, time; os.fork() and os._exit(0); time.sleep(60)"
        subprocess.run([sys.executable, "-c", code], check=True, start_new_session=True, env={})
        Path(self.ready or os.devnull).touch()
        time.sleep(60)
        return StageResult()
