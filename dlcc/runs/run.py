"""Run: a recorded training, read lazily and never written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from dlcc.errors import OptionError, RunError
from dlcc.runs.formats import open_folder
from dlcc.runs.formats.format import Contents, checked_mapping
from dlcc.runs.layout import RunLayout
from dlcc.runs.manifest import Manifest
from dlcc.runs.series import Series
from dlcc.runs.snapshots import Snapshot


@dataclass(frozen=True)
class Run:
    """Record of one training."""

    path: Path
    contents: Contents
    """Content of the folder, read by its format."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Mapping of names that the folder was opened with."""

    @classmethod
    def open(cls, path: str | Path, mapping: Mapping[str, str] | None = None) -> Run:
        """Open a run folder, or one that another tool left (see `dlcc.runs.formats`).

        Args:
            path: the folder.
            mapping: of another tool's folder, `player/quantity` or `step` to the column that holds
                it, such as `{"discriminator/loss": "errD"}`.

        Raises:
            RunError: there is no such folder, or nothing in it that can be read as a run.
            OptionError: the mapping makes no sense, or the folder has no use for one.
        """
        names = checked_mapping(mapping)
        path = Path(path)
        try:
            missing = not path.exists()
        except (OSError, ValueError):  # no system takes such a name
            missing = True
        if missing:
            raise RunError(f"{path}: no such folder; check the path")
        if not path.is_dir():
            raise RunError(f"{path}: a file, expected a run folder; name the folder that holds it")
        return cls(path, open_folder(path, names), names)

    def __repr__(self) -> str:
        steps = "" if self.manifest.length is None else f", {self.manifest.length:,} steps"
        kind = str(self.manifest.objective.get("kind", "undeclared kind"))
        return f"<Run {self.name[:40]!r}: {kind[:20]}{steps}>"

    @property
    def manifest(self) -> Manifest:
        """Description of the run, in plain values."""
        return self.contents.manifest

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the folder was read: what was left out, and what was assumed.

        Raises:
            SeriesError: the series had to be read for it and are damaged.
        """
        return self.contents.notes

    @property
    def layout(self) -> RunLayout:
        """Paths in the folder."""
        return RunLayout(self.path)

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.manifest.name

    @cached_property
    def length(self) -> int:
        """Configured number of steps; where the run names none, its last step plus one.

        Raises:
            SeriesError: the series had to be read for it and are damaged.
        """
        if self.manifest.length is not None:
            return self.manifest.length
        columns = self.series().columns.values()
        return max((int(column.steps[-1]) + 1 for column in columns), default=0)

    def check_names(self) -> None:
        """Look through the folder's names, before hours are spent on what it holds.

        Raises:
            RunError: a link leads out of the run or nowhere, or a recorded file is gone.
        """
        self.contents.check_there()
        self.source_files()
        self.document_files()
        self.snapshots()
        self.sample_steps()

    def series(self, until: int | None = None) -> Series:
        """Every quantity, rows with `step < until`.

        Raises:
            SeriesError: a series file is damaged.
        """
        return self.contents.series(until)

    def snapshots(self, until: int | None = None) -> list[Snapshot]:
        """Handles of the snapshots, ascending in step; at most of step `until`.

        Snapshot s is the state before step s, so that of `until` itself shows no later step.
        """
        return self.contents.snapshots(until)

    def sample_steps(self, until: int | None = None) -> list[int]:
        """The steps before which samples were taken, ascending, at most `until`."""
        return self.contents.sample_steps(until)

    def samples(self, step: int) -> np.ndarray:
        """Samples `[n, ...]` taken before `step`.

        Raises:
            SnapshotError: there are none, or the file is damaged.
        """
        return self.contents.samples(step)

    def reference(self) -> np.ndarray | None:
        """Rows `[n, ...]` of the training data, n ≤ 4,096; None where the run holds none.

        Raises:
            SnapshotError: the file is damaged.
        """
        return self.contents.reference()

    def source_files(self) -> dict[str, Path]:
        """The files of code by their path in the run, `source/train.py`.

        Raises:
            RunError: a link leads out of the run, or a file is not what was recorded.
        """
        return dict(self.contents.sources())

    def document_files(self) -> dict[str, Path]:
        """The documents by their path in the run, `documents/method.md`.

        Raises:
            RunError: a link leads out of the run, or a file is not what was recorded.
        """
        return dict(self.contents.documents())


def resolve_until(until: str | float, length: int) -> int:
    """The step that `--until` names.

    With a point it is a fraction of the configured length, else a step: `0.1` of 6,000 is 600,
    `1` is step 1, `1.0` is all.

    Raises:
        OptionError: it is neither, or outside of what it can be.
    """
    text = repr(until) if isinstance(until, float) else str(until).strip()
    expected = "expected a step such as 600 or a fraction of the length such as 0.1"
    try:
        value = float(text) if "." in text or isinstance(until, float) else int(text)
    except ValueError:
        raise OptionError(f"--until {text!r}: {expected}") from None
    if isinstance(value, int):
        if value < 1:
            raise OptionError(f"--until {text}: a step must be at least 1; {expected}")
        return value
    if not 0 < value <= 1:
        raise OptionError(
            f"--until {text}: with a point it is a fraction and must lie in (0, 1]; {expected}"
        )
    return max(1, round(value * length))
