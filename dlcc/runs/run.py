"""Run: a recorded training, read lazily and never written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np

from dlcc.errors import OptionError, RunError
from dlcc.runs.formats import open_path
from dlcc.runs.formats.format import Contents, checked_mapping
from dlcc.runs.layout import RunLayout
from dlcc.runs.manifest import Manifest
from dlcc.runs.sample_files import Reconstructions
from dlcc.runs.series import Series
from dlcc.runs.snapshots import Snapshot


@dataclass(frozen=True)
class Run:
    """Record of one training.

    Made by `Run.open`, which reads run.json and nothing else of a recorded run.

    >>> run = Run.open("runs/digits-collapsed")
    >>> run
    <Run 'digits-collapsed': gan, 3,200 steps>
    >>> run.check_names()
    >>> run.series(until=600)
    <Series of 23 quantities, 600 steps>
    >>> [snapshot.step for snapshot in run.snapshots(until=700)]
    [0, 320, 640]
    >>> run.sample_steps()[:2], run.samples(80).shape, run.reference().shape
    ([80, 160], (256, 64), (1797, 64))
    >>> [*run.source_files(), *run.document_files()]
    ['source/train.py', 'documents/method.md']
    """

    path: Path
    contents: Contents
    """Content of the folder, read by its format."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Mapping of names that the folder was opened with."""
    part: str | None = None
    """Name of the run among several in the folder; None for the only one."""
    reference_from: Path | None = None
    """Training data that were named for another tool's samples."""

    @classmethod
    def open(
        cls,
        path: str | Path,
        mapping: Mapping[str, str] | None = None,
        part: str | None = None,
        reference: str | Path | None = None,
    ) -> Run:
        """Open a run folder, or what another tool left (see `dlcc.runs.formats`).

        Args:
            path: Folder of the run, or a file that another tool wrote.
            mapping: Names for the columns of another tool's folder: `player/quantity` or `step` to
                the column that holds it, such as `{"discriminator/loss": "errD"}`. None where the
                folder's names are known.
            part: Name of one of several runs in the folder; None for the only one, or for that with
                most rows.
            reference: Training data to hold another tool's samples against: a folder of images or
                of .npy and .npz, or such a file. None to look for them beside the samples.

        Returns:
            Run, of which only what describes it has been read.

        Raises:
            RunError: There is no such folder, or nothing in it that can be read as a run.
            OptionError: The mapping or the reference makes no sense, or the folder has no use for
                one.
            PluginError: An installed format cannot be used, or raised an error of another class.
        """
        names = checked_mapping(mapping)
        path = Path(path)
        try:
            missing = not path.exists()
        except (OSError, ValueError):  # no system takes such a name
            missing = True
        if missing:
            raise RunError(f"{path}: no such file or folder; check the path")
        named = None if reference is None else Path(reference)
        contents = open_path(path, names, part, named)
        return cls(path, contents, names, part or contents.part, named)

    def __repr__(self) -> str:
        steps = "" if self.manifest.length is None else f", {self.manifest.length:,} steps"
        kind = str(self.manifest.objective.get("kind", "undeclared kind"))
        return f"<Run {self.name[:40]!r}: {kind[:20]}{steps}>"

    def _repr_html_(self) -> str:
        """Name of the run above charts of its series, for notebooks; the name alone where its
        series are damaged."""
        name = f"<p><code>{escape(repr(self))}</code></p>"
        try:
            return f"{name}{self.series()._repr_html_()}"
        except RunError as error:
            return f"{name}<p>{escape(str(error))}</p>"

    @property
    def manifest(self) -> Manifest:
        """Description of the run, in plain values."""
        return self.contents.manifest

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the folder was read: what was left out, and what was assumed.

        Raises:
            SeriesError: The series had to be read for it and are damaged.
        """
        return self.contents.notes

    @property
    def place(self) -> Path:
        """Path by which the run is told from others: of its folder, and its name in it where the
        folder holds several."""
        return self.path.resolve() / (self.part or "")

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
            SeriesError: The series had to be read for it and are damaged.
        """
        if self.manifest.length is not None:
            return self.manifest.length
        columns = self.series().columns.values()
        return max((int(column.steps[-1]) + 1 for column in columns), default=0)

    def check_names(self) -> None:
        """Check the folder's names, before hours are spent on its content.

        Raises:
            RunError: A link leads out of the run or nowhere, or a recorded file is gone.
        """
        self.contents.check_there()
        self.source_files()
        self.document_files()
        self.snapshots()
        self.sample_steps()

    def series(self, until: int | None = None) -> Series:
        """Read every quantity.

        Args:
            until: Step before which rows are read (`step < until`); None for all rows.

        Returns:
            Series of the rows that count; superseded ones are left out.

        Raises:
            SeriesError: A series file is damaged.
        """
        return self.contents.series(until)

    def snapshots(self, until: int | None = None) -> list[Snapshot]:
        """Find the snapshots.

        Args:
            until: Last step of a snapshot; None for all. Snapshot s is the state before step s, so
                that of `until` itself shows no later step.

        Returns:
            Handles, ascending in step; nothing is read from them yet.

        Raises:
            SnapshotError: A recorded snapshot is gone.
        """
        return self.contents.snapshots(until)

    def sample_steps(self, until: int | None = None) -> list[int]:
        """Find the sample steps: the steps before which samples were taken.

        Args:
            until: Last sample step; None for all.

        Returns:
            Steps, ascending.
        """
        return self.contents.sample_steps(until)

    def samples(self, step: int) -> np.ndarray:
        """Read the samples of a sample step.

        Args:
            step: One of `sample_steps()`.

        Returns:
            Samples `[n, ...]` taken before `step`, in the units and dtype of the recording.

        Raises:
            SnapshotError: There are none, or the file is damaged.
        """
        return self.contents.samples(step)

    @property
    def sample_notes(self) -> tuple[str, ...]:
        """Sentences on how samples are read; some may be read for it."""
        return self.contents.sample_notes()

    def reference(self) -> np.ndarray | None:
        """Read the rows of the training data that the run holds.

        Returns:
            Rows `[n, ...]`, n ≤ 4,096; None where the run holds none.

        Raises:
            SnapshotError: The file is damaged.
        """
        return self.contents.reference()

    def reconstructions(self) -> Reconstructions | None:
        """Read what an autoencoder made of some rows of the data.

        Returns:
            Originals, reconstructions and latents of the last call of `Recorder.reconstructions`;
            None where the run holds none.

        Raises:
            SnapshotError: The file is damaged.

        >>> Run.open("runs/digits-collapsed").reconstructions() is None
        True
        """
        return self.contents.reconstructions()

    def source_files(self) -> dict[str, Path]:
        """Find the files of code that came with the run.

        Returns:
            Path in the run, such as `source/train.py`, to the path on the disk.

        Raises:
            RunError: A link leads out of the run, or a file is not what was recorded.
        """
        return dict(self.contents.sources())

    def document_files(self) -> dict[str, Path]:
        """Find the papers and notes beside the run.

        Returns:
            Path in the run, such as `documents/method.md`, to the path on the disk.

        Raises:
            RunError: A link leads out of the run, or a file is not what was recorded.
        """
        return dict(self.contents.documents())


def resolve_until(until: str | float, length: int) -> int:
    """Find the step that `--until` names.

    Args:
        until: Step, or with a point (or as a float) a fraction of the length in (0, 1].
        length: Configured number of steps.

    Returns:
        Step, at least 1.

    Raises:
        OptionError: `until` is neither a step of at least 1 nor a fraction in (0, 1].

    >>> resolve_until("0.1", 6000), resolve_until("1", 6000), resolve_until(1.0, 6000)
    (600, 1, 6000)
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
