"""Program that reruns code which came with a run, in the sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcc import cache
from dlcc.engine.jobs import Job
from dlcc.errors import ForeignCodeError, ForeignCodeStopped
from dlcc.health.samples import AnyReference
from dlcc.health.windows import QUANTITIES
from dlcc.kinds import TrainingKind
from dlcc.kinds.gan import GAN
from dlcc.records import Series
from dlcc.reruns.outcome import Recorded, Refused, steps_to_sample
from dlcc.reruns.packing import packed
from dlcc.reruns.plan import Rerun
from dlcc.reruns.warm_session import session_of_worker
from dlcc.runs.hashes import digest_of_files
from dlcc.sandbox import Bounds, Level, Session
from dlcc.stage import Deadline
from dlcc.typing import Floats, Progress

SAMPLES = 512
"""Number of samples that are taken of a rerun at each sample step."""


@dataclass(frozen=True)
class SandboxProgram:
    """Reruns of code that came with the run, one after the other."""

    entry: str
    """Entry point, such as `source/train.py:build`."""
    files: Mapping[str, Path]
    """Name -> path of the run's files of code."""
    level: Level
    """Level of the sandbox."""
    reference: AnyReference | None
    """Training data to compare samples with; None where only series are judged."""
    kind: TrainingKind = GAN
    """Kind of the training."""
    quantities: Sequence[str] = QUANTITIES
    """Quantities that are recorded of a rerun."""
    how: str = "one process after the other, in the sandbox"
    """Way in which reruns are run, in words."""
    splits_seeds: bool = False
    """Whether weights and batches can have seeds of their own."""

    def run(
        self, plan: Sequence[Rerun], length: int, deadline: Deadline, progress: Progress
    ) -> list[Recorded | Refused]:
        """Run as many reruns of the plan as fit into the time, going by how long the first took."""
        records: list[Recorded | Refused] = []
        total = deadline.remaining
        with contextlib.ExitStack() as stack:
            session: Session | None = None
            for k, rerun in enumerate(plan):
                taken = total - deadline.remaining
                done = sum(isinstance(record, Recorded) for record in records)
                if done and taken * (done + 1) / done > 0.8 * total:
                    break
                progress(k / len(plan), f"rerun {k + 1} of {len(plan)}")
                if session is None or not session.alive:
                    stack.close()
                    limits = Bounds(seconds=0.9 * deadline.remaining)
                    session = stack.enter_context(Session(self.files, self.level, limits))
                try:
                    records.append(self._one(session, rerun.config, length))
                except ForeignCodeStopped:
                    raise
                except ForeignCodeError as error:
                    records.append(Refused(error))
        return records

    def parts(
        self, plan: Sequence[Rerun], length: int, until: float
    ) -> list[tuple[list[int], Job]]:
        """Divide a plan into reruns, each with the run's code beside it, wherever it is made."""
        places = {
            "files": {name: path.read_bytes() for name, path in self.files.items()},
            "trust": self.level is Level.NONE,
            "until": until,
        }
        content, version = digest_of_files(self.files), cache.package_digest()
        common = {
            "entry": self.entry,
            "length": length,
            "quantities": list(self.quantities),
            "sampled": self.reference is not None,
        }
        return [
            (
                [k],
                Job(_sandbox_part, {"config": dict(r.config), **common}, places, content, version),
            )
            for k, r in enumerate(plan)
        ]

    def _one(self, session: Session, config: Mapping[str, Any], length: int) -> Recorded:
        sampled = self.reference is not None
        return _rerun_once(session, self.entry, config, length, self.quantities, sampled=sampled)


def _rerun_once(
    session: Session,
    entry: str,
    config: Mapping[str, Any],
    length: int,
    quantities: Sequence[str],
    *,
    sampled: bool,
) -> Recorded:
    """Train a configuration from its beginning, and record quantities, and samples if asked for."""
    session.build(entry, config)
    rows, samples, done = [], [], 0
    for step in steps_to_sample(length):
        stepped = session.step(done, step - done, list(quantities))
        rows.append(np.where(stepped.present, stepped.values, np.nan))
        done = step
        if sampled:
            samples.append(session.sample(SAMPLES, step))
    return Recorded(logged_series(quantities, rows), samples)


def logged_series(quantities: Sequence[str], rows: Sequence[Floats]) -> Series:
    """Make series of rows [n, k] that follow each other; quantities that none has are left out."""
    values = np.concatenate(rows)
    return Series.from_start(
        {
            name: column
            for name, column in zip(quantities, values.T, strict=True)
            if not np.isnan(column).all()
        }
    )


def _sandbox_part(
    entry: str,
    config: Mapping[str, Any],
    length: int,
    quantities: Sequence[str],
    sampled: bool,
    files: Mapping[str, bytes],
    trust: bool,
    until: float,
) -> bytes:
    """Rerun the run's code once, in a sandbox of the machine that this is called on."""
    with session_of_worker(files, trust, until) as session:
        try:
            made = _rerun_once(session, entry, config, length, quantities, sampled=sampled)
        except ForeignCodeStopped:
            raise
        except ForeignCodeError as error:
            return packed([Refused(error)])
    return packed([made])
