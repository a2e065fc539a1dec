"""Reruns that are spread over an engine's workers, part by part, and kept where they are done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dlcc.cache import cache_folder
from dlcc.engine.engines import Engine
from dlcc.engine.jobs import Job
from dlcc.engine.results import complete
from dlcc.errors import ForeignCodeStopped, LimitExceeded
from dlcc.health.samples import AnyReference
from dlcc.kinds import TrainingKind
from dlcc.reruns.outcome import Recorded, Refused
from dlcc.reruns.packing import unpacked
from dlcc.reruns.plan import Rerun
from dlcc.reruns.programs import Program
from dlcc.stage import Deadline
from dlcc.typing import Progress


class DividedProgram(Program, Protocol):
    """Program whose reruns can be made in parts, by anybody."""

    def parts(
        self, plan: Sequence[Rerun], length: int, until: float
    ) -> list[tuple[list[int], Job]]:
        """Divide a plan: numbers of reruns, and the job that makes these, packed by `packed`.

        No job goes on beyond `until`, in seconds since the epoch: every machine has that clock.
        """


@dataclass(frozen=True)
class SpreadProgram:
    """Program that has an engine make the parts of another program."""

    program: DividedProgram
    engine: Engine
    folder: Path | None = None
    """Folder where records of reruns are kept; by default in the user's cache."""

    @property
    def how(self) -> str:
        """Way in which reruns are run, in words."""
        return f"{self.program.how}, {self.engine.words}"

    @property
    def splits_seeds(self) -> bool:
        """Whether weights and batches can have seeds of their own."""
        return self.program.splits_seeds

    @property
    def reference(self) -> AnyReference | None:
        """Training data to compare samples with; None where only series are judged."""
        return self.program.reference

    @property
    def kind(self) -> TrainingKind:
        """Kind of the training."""
        return self.program.kind

    def run(
        self, plan: Sequence[Rerun], length: int, deadline: Deadline, progress: Progress
    ) -> list[Recorded | Refused]:
        """Run the first reruns of a plan, as many as are there when the time is up.

        Raises:
            LimitExceeded: The time is up, and no part is there.
            ForeignCodeStopped: The same, of the run's own code.
            OptionError: The engine's cluster cannot be reached.
        """
        divided = self.program.parts(plan, length, time.time() + deadline.remaining)
        folder = self.folder or cache_folder() / "reruns"

        def watched(share: float, what: str) -> None:
            progress(share, what)
            deadline.check()

        try:
            complete([job for _, job in divided], folder, self.engine, watched, "reruns")
        except (LimitExceeded, ForeignCodeStopped):
            if not any((folder / job.address).exists() for _, job in divided):
                raise
        made: dict[int, Recorded | Refused] = {}
        for numbers, job in divided:
            if (folder / job.address).exists():
                made.update(zip(numbers, unpacked(folder / job.address), strict=True))
        first_missing = next((k for k in range(len(plan)) if k not in made), len(plan))
        return [made[k] for k in range(first_missing)]
