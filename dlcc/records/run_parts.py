"""Parts of a run as records: read from its folder, all cut at the step `until`, read-only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import RunError, SnapshotError
from dlcc.runs.files import opened_regular
from dlcc.runs.hashes import digest_of_files, digest_of_parts
from dlcc.runs.sample_files import FEWEST_ROWS, Reconstructions
from dlcc.runs.series import Series
from dlcc.typing import Floats

if TYPE_CHECKING:
    from dlcc.runs import Run, Snapshot

_LONGEST_NOTEBOOK = 40 << 20  # bytes, for it holds pictures
_LONGEST_TEXT = 4 << 20  # bytes of a document or source file that are read


class RunPart(Protocol):
    """Part of a run, read from its folder in the process that needs it.

    >>> from dlcc.runs import Run
    >>> run = Run.open("runs/digits-collapsed")
    >>> for part in RUN_PARTS:  # all of these classes have `of(run, until)` and `digest()`
    ...     assert len(part.of(run, until=600).digest()) == 32
    """

    absent: ClassVar[str]
    """Sentence for a stage that needs this part, where the run has none."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Self | None:
        """Read the part.

        Args:
            run: Run to read.
            until: Step from which on nothing is read; None for the whole run.

        Returns:
            The part before step `until`; None where the run has none.
        """

    def digest(self) -> str:
        """Hash all that a stage could read in the part.

        Returns:
            Hash of 32 hexadecimal digits.
        """


@dataclass(frozen=True)
class Config:
    """Configuration of the training, as `run.json` has it.

    >>> from dlcc.runs import Run
    >>> config = Config.of(Run.open("runs/digits-collapsed"), until=None)
    >>> config.objective, config.length, len(config.digest())
    ({'kind': 'gan', 'loss': 'mm'}, 3200, 32)
    """

    absent: ClassVar = "the run has no run.json"

    players: Mapping[str, Mapping[str, Any]]
    objective: Mapping[str, Any]
    data: Mapping[str, Any]
    config: Mapping[str, Any]
    seed: int | None
    length: int
    """Configured number of steps; of a run that names none, the steps that it has."""
    training: str | None
    """Entry point that builds the training again: `source/train.py:build`."""
    versions: Mapping[str, str]
    machine: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run, until: int | None) -> Config:
        """Read the configuration of a run.

        Args:
            run: Run to read.
            until: Step from which on nothing is read; has no effect on the configuration.

        Returns:
            Configuration; every run has one.

        Raises:
            SeriesError: The length had to be read from series that are damaged.
        """
        m = run.manifest
        return cls(
            players={name: p.model_dump() for name, p in m.players.items()},
            objective=dict(m.objective),
            data=dict(m.data),
            config=dict(m.config),
            seed=m.seed,
            length=run.length,
            training=m.training,
            versions=dict(m.versions),
            machine=dict(m.machine),
        )

    def digest(self) -> str:
        """Hash the configuration.

        Returns:
            Hash of 32 hexadecimal digits.
        """
        return digest_of_parts(json.dumps(self.__dict__, sort_keys=True, default=str))


@dataclass(frozen=True)
class Snapshots:
    """Snapshots of a run, read lazily: weights when they are asked for.

    >>> from dlcc.runs import Run
    >>> snapshots = Snapshots.of(Run.open("runs/digits-collapsed"), until=700)
    >>> [snapshot.step for snapshot in snapshots], len(snapshots.digest())
    ([0, 320, 640], 32)
    """

    absent: ClassVar = "the run took no snapshots"

    run: Run = field(repr=False)
    handles: tuple[Snapshot, ...]
    """Handles of the snapshots, ascending in step."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Snapshots | None:
        """Find the snapshots of a run.

        Args:
            run: Run to read.
            until: Last step of a snapshot; None for all.

        Returns:
            Snapshots; None where there are none.
        """
        handles = tuple(run.snapshots(until=until))
        return cls(run, handles) if handles else None

    def digest(self) -> str:
        """Hash all that the handles can read.

        Returns:
            Hash of 32 hexadecimal digits.
        """
        return self.run.contents.snapshots_digest(self.handles)

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(self.handles)


def modality_of(data: Mapping[str, Any]) -> str:
    """Sort of data that a description in `run.json` names, in the singular; empty for none.

    >>> modality_of({"modality": "images"}), modality_of({})
    ('image', '')
    """
    return str(data.get("modality", "")).removesuffix("s")


@dataclass(frozen=True)
class Samples:
    """Samples of the generator over time, and training data to compare them with.

    >>> from dlcc.runs import Run
    >>> samples = Samples.of(Run.open("runs/digits-collapsed"), until=200)
    >>> samples.steps, samples.at(80).shape, samples.reference.shape
    ((80, 160), (256, 64), (1797, 64))
    >>> samples.comparable(80), len(samples.digest())
    (True, 32)
    """

    absent: ClassVar = "the run recorded no samples"

    run: Run = field(repr=False)
    steps: tuple[int, ...]
    """Sample steps, ascending, of which the samples can be read."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """Places in the run that cannot be read and are left out, with the reason."""
    taken: tuple[int, ...] = ()
    """All sample steps, those with damaged samples included."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Samples | None:
        """Find the samples of a run; files that cannot be read are left out and named in `damaged`.

        Args:
            run: Run to read.
            until: Last sample step; None for all.

        Returns:
            Samples; None where the run recorded none.
        """
        taken, place = tuple(run.sample_steps(until=until)), run.contents.samples_place
        steps, damaged = [], {}
        for step in taken:
            try:
                run.samples(step)
                steps.append(step)
            except SnapshotError as error:
                damaged[place(step)] = str(error)
        try:
            run.reference()
        except SnapshotError as error:
            damaged[place(None)] = str(error)
        return cls(run, tuple(steps), damaged, taken) if steps or damaged else None

    def at(self, step: int) -> Floats:
        """Read the samples of a sample step.

        Args:
            step: One of `steps`.

        Returns:
            Samples [n, ...] taken before `step`, as read-only float64.

        Raises:
            SnapshotError: There are none, or the file is damaged.
        """
        return _frozen(np.asarray(self.run.samples(step), dtype=np.float64))

    def comparable(self, step: int) -> bool:
        """Whether the samples of a step are rows like the reference's, and enough to judge by.

        Args:
            step: One of `steps`.

        Returns:
            True for at least 20 rows of the shape of the reference's rows.

        Raises:
            SnapshotError: There are no samples of this step, or the file is damaged.
        """
        rows, reference = self.at(step), self.reference
        like = reference is not None and rows.shape[1:] == reference.shape[1:]
        return like and rows.ndim > 1 and len(rows) >= FEWEST_ROWS

    @cached_property
    def reference(self) -> Floats | None:
        """Finite rows [n, ...] of the training data that the run names; None without any."""
        if self.run.contents.samples_place(None) in self.damaged:
            return None
        rows = self.run.reference()
        if rows is None:
            return None
        finite = np.isfinite(rows.reshape(len(rows), -1).astype(np.float64)).all(axis=1)
        return _frozen(np.asarray(rows[finite], dtype=np.float64))

    @cached_property
    def reconstructions(self) -> Reconstructions | None:
        """Reconstructions of some rows of the data; None without any before the last sample step,
        or where the file cannot be read."""
        try:
            found = self.run.reconstructions()
        except SnapshotError:
            return None
        return found if found is not None and found.step <= max(self.taken, default=0) else None

    @property
    def data(self) -> Mapping[str, Any]:
        """Description of the training data, as `run.json` has it."""
        return dict(self.run.manifest.data)

    def digest(self) -> str:
        """Hash the samples of all sample steps, the reference and what the run says of its data.

        Returns:
            Hash of 32 hexadecimal digits.
        """
        described = json.dumps(self.data, sort_keys=True, default=str)
        return digest_of_parts(self.run.contents.samples_digest(self.taken), described)


@dataclass(frozen=True)
class Sources:
    """Code that came with the run. Hostile until proven otherwise: parsed, never imported.

    >>> from dlcc.runs import Run
    >>> sources = Sources.of(Run.open("runs/digits-collapsed"), until=None)
    >>> list(sources.files), len(sources.digest())
    (['source/train.py'], 32)
    """

    absent: ClassVar = "the run brought no source/"

    root: Path
    """Folder of the run."""
    files: Mapping[str, str]
    """Text by path `source/...`, of the files that are text."""
    paths: Mapping[str, Path] = field(default_factory=dict)
    """Place on the disk by path `source/...`, of all files: code may read any of them."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Sources | None:
        """Read the code that came with a run.

        Args:
            run: Run to read.
            until: Step from which on nothing is read; has no effect on the code.

        Returns:
            Code; None where the run brought no text in `source/`.

        Raises:
            RunError: A link leads out of the run, or a file is not what was recorded.
        """
        paths = run.source_files()
        files = _texts(paths)
        return cls(run.path, files, paths) if files else None

    def digest(self) -> str:
        """Hash all files of code, those that are no text included.

        Returns:
            Hash of 32 hexadecimal digits.

        Raises:
            RunError: A file is gone or cannot be read.
        """
        return digest_of_files(self.paths)


@dataclass(frozen=True)
class Documents:
    """Documents beside the run.

    >>> from dlcc.runs import Run
    >>> documents = Documents.of(Run.open("runs/digits-collapsed"), until=None)
    >>> list(documents.files), len(documents.digest())
    (['documents/method.md'], 32)
    """

    absent: ClassVar = "the run has no documents/"

    files: Mapping[str, str]
    """Text by path `documents/...`, of the files that are text in UTF-8."""
    others: Mapping[str, Path] = field(default_factory=dict)
    """Place on the disk by path `documents/...`, of all other files: PDF, pictures, texts in other
    encodings."""

    @classmethod
    def of(cls, run: Run, until: int | None) -> Documents | None:
        """Read the documents beside a run.

        Args:
            run: Run to read.
            until: Step from which on nothing is read; has no effect on documents.

        Returns:
            Documents; None where the run has no files in `documents/`.

        Raises:
            RunError: A link leads out of the run, or a file is not what was recorded.
        """
        there = run.document_files()
        files = _texts({name: path for name, path in there.items() if not _is_pdf(name)})
        others = {name: there[name] for name in sorted(there) if name not in files}
        return cls(files, others) if files or others else None

    def digest(self) -> str:
        """Hash the texts of all documents, and the content of those that are no text.

        Returns:
            Hash of 32 hexadecimal digits.

        Raises:
            RunError: A file is gone or cannot be read.
        """
        texts = (part for item in self.files.items() for part in item)
        return digest_of_parts(*texts, digest_of_files(self.others))


RUN_PARTS: tuple[type[RunPart], ...] = (Config, Series, Snapshots, Samples, Sources, Documents)


def _is_pdf(name: str) -> bool:
    """Whether a document is a PDF, which may be ASCII and is no text."""
    return name.lower().endswith(".pdf")


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _texts(files: Mapping[str, Path]) -> dict[str, str]:
    """Read those of the files that are UTF-8 text, cut where they are absurdly long."""
    texts = {}
    for name, path in sorted(files.items()):
        try:
            with opened_regular(path, RunError) as stream:
                longest = _LONGEST_NOTEBOOK if name.endswith(".ipynb") else _LONGEST_TEXT
                texts[name] = stream.read(longest).decode()
        except UnicodeDecodeError:
            continue
    return texts
