"""Reruns that are spread over an engine's workers, part by part, and kept where they are done."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dlcc.cache import cache_folder
from dlcc.engine.engines import Engine
from dlcc.engine.jobs import Job
from dlcc.engine.results import complete
from dlcc.errors import ForeignCodeError, LimitExceeded
from dlcc.health.samples import AnyReference
from dlcc.kinds import TrainingKind
from dlcc.records import Series
from dlcc.reruns.outcome import Recorded, Refused
from dlcc.reruns.plan import Rerun
from dlcc.stage import Deadline
from dlcc.typing import Progress


class DividedProgram(Protocol):
    """Program whose reruns can be made in parts, by anybody; see `dlcc.reruns.Program`."""

    @property
    def how(self) -> str:
        """Way in which reruns are run, in words."""

    @property
    def splits_seeds(self) -> bool:
        """Whether weights and batches can have seeds of their own."""

    @property
    def reference(self) -> AnyReference | None:
        """Training data to compare samples with; None where only series are judged."""

    @property
    def kind(self) -> TrainingKind:
        """Kind of the training."""

    def parts(self, plan: Sequence[Rerun], length: int) -> list[tuple[list[int], Job]]:
        """Divide a plan: numbers of reruns, and the job that makes these, packed by `packed`."""


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
            LimitExceeded: The time is up, and not even the first part is there.
            OptionError: The engine's cluster cannot be reached.
        """
        divided = self.program.parts(plan, length)
        folder = self.folder or cache_folder() / "reruns"

        def watched(share: float, what: str) -> None:
            progress(share, what)
            deadline.check()

        try:
            complete([job for _, job in divided], folder, self.engine, watched, "reruns")
        except LimitExceeded:
            if not any((folder / job.address).exists() for _, job in divided):
                raise
        made: dict[int, Recorded | Refused] = {}
        for numbers, job in divided:
            if (folder / job.address).exists():
                made.update(zip(numbers, unpacked(folder / job.address), strict=True))
        first_missing = next((k for k in range(len(plan)) if k not in made), len(plan))
        return [made[k] for k in range(first_missing)]


def packed(records: Sequence[Recorded | Refused]) -> bytes:
    """Pack records of reruns."""
    arrays: dict[str, Any] = {}
    for k, record in enumerate(records):
        if isinstance(record, Refused):
            said = json.dumps([str(record.error), record.error.place])
            arrays[f"{k}/refused"] = np.array(said)
            continue
        names = list(record.series.columns)
        arrays[f"{k}/names"] = np.array(names, dtype=np.str_)
        arrays[f"{k}/series"] = np.array([record.series.columns[n].values for n in names])
        arrays[f"{k}/samples"] = np.array(record.samples)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def unpacked(file: Path) -> list[Recorded | Refused]:
    """Unpack the records that `packed` packed."""
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
        arrays = {name: table[name] for name in table.files}
    numbers = sorted({int(name.partition("/")[0]) for name in arrays})
    return [_unpacked(arrays, k) for k in numbers]


def _unpacked(arrays: dict[str, Any], k: int) -> Recorded | Refused:
    """Unpack record k."""
    if f"{k}/refused" in arrays:
        message, place = json.loads(str(arrays[f"{k}/refused"]))
        return Refused(ForeignCodeError(message, place))
    names = map(str, arrays[f"{k}/names"])
    series = dict(zip(names, arrays[f"{k}/series"], strict=True))
    return Recorded(Series.from_start(series), [*arrays[f"{k}/samples"]])
