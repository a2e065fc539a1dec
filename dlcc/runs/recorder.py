"""Recorder of a training into a run folder."""

from __future__ import annotations

import struct
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from dlcc.errors import OptionError
from dlcc.runs.attachments import attach
from dlcc.runs.build_source import Origin
from dlcc.runs.description import Description
from dlcc.runs.digests import Digests
from dlcc.runs.feature_entry import FEATURES, recorded_entry
from dlcc.runs.inputs import (
    Number,
    as_array,
    as_rows,
    check_names,
    checked_step,
    evenly_spaced,
    numbers_of,
)
from dlcc.runs.layout import RunLayout
from dlcc.runs.lock import RunLock
from dlcc.runs.ranks import rank_and_size
from dlcc.runs.recorded_folder import begin_or_continue, check_entry, make_folder
from dlcc.runs.recorded_training import train_and_record
from dlcc.runs.recording_order import RecordingOrder
from dlcc.runs.run import Run
from dlcc.runs.sample_files import Reconstructions, write_reconstructions, write_rows
from dlcc.runs.series_writer import SeriesAppender, SeriesWriter
from dlcc.runs.snapshots import write_snapshot
from dlcc.runs.training import Training, content_of, resume
from dlcc.runs.watcher import Watcher

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from dlcc.landscape.batches import PerSampleLoss
    from dlcc.runs.measuring import Measuring
    from dlcc.runs.snapshot_landscape import SnapshotLandscape
    from dlcc.runs.updates import UpdateRows

_PLAIN = frozenset((float, int))


class Recorder:
    """Recorder of one training into a run folder; a context manager.

    >>> import tempfile
    >>> import numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Recorder(f"{folder.name}/ring", objective={"kind": "gan"}, length=3) as rec:
    ...     for step in range(3):
    ...         rec.log(step, {"generator/loss": 0.7, "discriminator/loss": 1.3 + 0.1 * step})
    ...     rec.samples(3, np.zeros((4, 2)))  # of the state before step 3
    ...     rec.flush()
    >>> run = Run.open(rec.path)
    >>> run.series()["discriminator/loss"].values.round(1).tolist(), run.samples(3).shape
    ([1.3, 1.4, 1.5], (4, 2))

    In a distributed training the process of rank 0 records; recorders of the others do nothing.
    With networks and a `training`, snapshots can be taken and training can go on from the newest:

    >>> from dlcc.recipes.small_gan.training import build
    >>> training = build({"data": "ring"})
    >>> with Recorder(f"{folder.name}/gan", training=training, length=4) as rec:
    ...     for step in range(rec.resume(), 4):
    ...         if step % 2 == 0:
    ...             rec.snapshot(step)                   # the state before the step
    ...         rec.log(step, training.step(step))       # after its updates
    >>> [snapshot.step for snapshot in Run.open(rec.path).snapshots()]
    [0, 2]

    With the function that builds the training, `train` is the loop, and the run can be replayed:

    >>> path, config = f"{folder.name}/whole", {"data": "ring", "seed": 1}
    >>> with Recorder(path, build=build, config=config, length=4) as rec:
    ...     rec.train()
    >>> rec.manifest.training, Run.open(rec.path).series()["generator/loss"].steps.tolist()
    ('source/training.py:build', [0, 1, 2, 3])
    >>> rec.close()  # once more, which does nothing
    >>> folder.cleanup()

    A folder that holds a run already is continued. Logging or snapshotting an earlier step again
    is a rewind: it supersedes later rows, which readers then skip, and later snapshots and
    samples, which are moved to `superseded/`. Nothing recorded is ever deleted.

    Args:
        path: Folder of the run, made if need be.
        players: Networks by name; default those of `training`.
        config: Configuration in plain values; `build` is called with them.
        name: Name of the run; default the folder's name.
        objective: Objective of the players, such as `{"kind": "gan", "loss": "ns"}`.
        data: Description of the training data, such as `{"name": "ring"}`.
        seed: Seed of the training.
        length: Configured number of steps.
        training: Training that makes snapshots resumable; with a method `probe` they hold
            measurements too. Default what `build` returns, if that is given.
        build: Function at the top level of a file that takes the configuration and returns the
            training; torch's, numpy's and random's global generators are seeded before, by the
            `seed` of the configuration (0 where there is none). Its file, and the modules that were
            imported from the file's folder, are copied into `source/`, to run the training again.
        training_entry: Entry point that builds the training again, `source/train.py:build`;
            default that of `build`.
        sources: Files and folders to copy into `source/`.
        documents: Files and folders to copy into `documents/`.
        reference: Training data `[n, ...]`, of which up to 4,096 evenly spaced rows are kept;
            default those of a training made by `Training.from_step`.
        features: Function that samples are to be compared in, `FILE.py:FUNCTION`, which takes rows
            [n, ...] and gives features [n, d]; the file is copied into `source/`, and run inside
            the sandbox when the run is evaluated. Or `pretrained`. Default: what suits the data.
        resume: Whether a run that is there may be continued.
        track_updates: Whether to log `<player>/updates`, the number of optimiser steps so far, and
            `<player>/update_norm`, at every 16th row and before snapshots, the L2 norm of the
            change of the player's parameters since the norm before (NaN where weights were put
            back in between).

    Raises:
        OptionError: An argument makes no sense.
        RunError: The folder holds something else, or a run that the arguments do not describe; or
            the system refuses to write.
        RunLockedError: Another recorder is at work there.
    """

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        """Make a recorder; in a process of another rank than 0 one that writes nothing."""
        if cls is Recorder and rank_and_size()[0]:
            from dlcc.runs.idle_recorder import IdleRecorder

            return cast("Self", object.__new__(IdleRecorder))
        return object.__new__(cls)

    def __init__(
        self,
        path: str | Path,
        *,
        players: Mapping[str, nn.Module] | None = None,
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        objective: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        seed: int | None = None,
        length: int | None = None,
        training: Training | None = None,
        build: Callable[[dict[str, Any]], Training] | None = None,
        training_entry: str | None = None,
        sources: Iterable[str | Path] = (),
        documents: Iterable[str | Path] = (),
        reference: Tensor | np.ndarray | None = None,
        features: str | None = None,
        resume: bool = True,
        track_updates: bool = True,
    ) -> None:
        origin = Origin.of(build, training, config, seed, training_entry)
        training = origin.training
        if players is None:
            players = training.players if training is not None else {}
        self.layout = RunLayout(Path(path))
        self._digests = Digests(self.layout)
        self.players = dict(players)
        self._training = training
        features_file = None
        if features is not None:
            features_file, entry = recorded_entry(features)
            data = {**(data or {}), FEATURES: entry}
        description = Description(
            name,
            self.players,
            objective,
            data,
            origin.config,
            origin.seed,
            length,
            origin.entry,
        )
        fresh_manifest = description.manifest(self.layout.path)  # refuses before anything is made
        make_folder(self.layout)
        lock = RunLock(self.layout.lock)
        # Closed in reverse order: the tracker, the writer and, when the files are whole, the lock.
        resources = ExitStack()
        resources.callback(lock.release)
        try:
            self.manifest = begin_or_continue(
                self.layout, self._digests, description, fresh_manifest, resume=resume
            )
            if origin.files:
                home = origin.files[0].parent
                attach(origin.files, self.layout.source, self._digests.add, home)
            attach(sources, self.layout.source, self._digests.add)
            self._keep_data(getattr(training, "data_to_keep", None))
            if features_file is not None:
                attach([features_file], self.layout.source, self._digests.add)
            attach(documents, self.layout.documents, self._digests.add)
            check_entry(self.layout, self.manifest)
            if not self.layout.reference_file.exists():
                self._keep_reference(
                    getattr(training, "reference", None) if reference is None else reference
                )
            self._writer = SeriesWriter(self.layout, self._digests.add)
            resources.callback(self._writer.close)
            self._updates: UpdateRows | None = None
            if track_updates and self.players:
                from dlcc.runs.updates import UpdateRows

                self._updates = UpdateRows(self._writer, self.players)
                resources.callback(self._updates.tracker.close)
        except BaseException:
            resources.close()
            raise
        self._appenders: dict[tuple[str, ...], tuple[SeriesAppender, bool]] = {}
        self._watcher: Watcher | None = None
        self._order = RecordingOrder(self.layout, self._digests, self._writer, self._updates)
        self._close = weakref.finalize(self, resources.close)

    @property
    def path(self) -> Path:
        """Folder of the run."""
        return self.layout.path

    @property
    def training(self) -> Training:
        """Training that is recorded.

        Raises:
            OptionError: The recorder was given none.
        """
        if self._training is None:
            raise OptionError(f"{self.path}: there is no training: pass Recorder(..., build=...)")
        return self._training

    def resume(self) -> int:
        """Restore the training from the newest resumable snapshot.

        Returns:
            Step to go on with; 0 where no snapshot is resumable.

        Raises:
            OptionError: The recorder was given no training.
            RunError: The run's folder cannot be read any more.
            SnapshotError: The newest resumable snapshot is damaged.
        """
        step = resume(self.training, Run.open(self.path))
        self._order.resumed(step)
        return step

    def train(self, *, snapshots: int = 10, samples: int = 512, sample_steps: int = 40) -> None:
        """Run the training to the end of its length, and record it.

        It goes on from the newest snapshot, if there is one that is resumable.

        Args:
            snapshots: Number of snapshots, equally spaced, besides that of step 0.
            samples: Number of samples at a step; 0 for none.
            sample_steps: Number of steps at which samples are taken, equally spaced.

        Raises:
            OptionError: The recorder was given no training or no length, or a number makes no
                sense.
            RunError: The system refused a write.
        """
        train_and_record(
            self,
            self.training,
            self.manifest.length,
            snapshots=snapshots,
            samples=samples,
            sample_steps=sample_steps,
        )

    def log(self, step: int, values: Mapping[str, Number]) -> None:
        """Record quantities of a step, after its updates.

        Costs microseconds: the numbers are packed into memory and written within 50 ms by a
        thread. Numbers on an accelerator stay there until then, so that nothing waits for it.

        Args:
            step: Number of the step, from 0. Steps may be left out. An earlier step than before,
                for the same quantities, is a rewind; the same step replaces the row.
            values: `player/quantity` to a number or 0-d tensor. NaN and infinities are kept.

        Raises:
            OptionError: A name, number or step makes no sense.
            RunError: The disk has refused rows for so long that no memory is left for them.
        """
        try:
            appender, in_order = self._appenders[tuple(values)]
        except (KeyError, TypeError):
            appender, in_order = self._appender_for(values)
        numbers: Iterable[Any] = values.values()
        pending = None
        if not in_order or not _PLAIN.issuperset(map(type, numbers)):
            numbers, pending = numbers_of(values, appender.columns)
        if type(step) is not int or step <= appender.last_step or self._order.new_session:
            step = self._order.place_row(appender, step)
        if self._updates is not None and step > self._updates.appender.last_step:
            self._updates.add(step)
        try:
            appender.append(step, numbers, pending)
        except (struct.error, OverflowError) as error:
            checked_step(step)
            raise OptionError(f"step {step}: a number is too large to record ({error})") from None
        if self._watcher is not None:
            self._watch(self._watcher, step, values)

    def control(self, watcher: Watcher) -> None:
        """Show every row that is logged from now on to a watcher, such as a controller.

        The watcher sees a row after it was recorded; what it returns is recorded at the same step.

        Args:
            watcher: Object with a method `watch(step, row)`.

        Raises:
            OptionError: There is a watcher already.

        >>> import tempfile
        >>> class Halving:
        ...     def watch(self, step, row):
        ...         return {"generator/lr": 2e-4 / 2**step}
        >>> with tempfile.TemporaryDirectory() as folder, Recorder(folder) as rec:
        ...     rec.control(Halving())
        ...     rec.log(0, {"generator/loss": 0.7})
        ...     rec.flush()
        ...     Run.open(folder).series()["generator/lr"].values.tolist()
        [0.0002]
        """
        if self._watcher is not None:
            raise OptionError(f"{self.path}: a controller watches this recorder already; keep one")
        self._watcher = watcher

    def measure(
        self,
        losses: Mapping[str, PerSampleLoss],
        *,
        every: int = 16,
        budget: float = 0.03,
        what: Sequence[str] = ("norms", "noise"),
        rows: int = 32,
    ) -> Measuring:
        """Measure the landscape of players now and then, within a budget of the training's time.

        Args:
            losses: Player to a function of the module and a batch that returns the loss of each
                row, `[n]`.
            every: Densest cadence, in steps.
            budget: Share of the training's own time that measuring may take. Where `every` costs
                more, measurements are left out, and the series has no row there.
            what: Names of measures, of `dlcc.runs.measuring.MEASURES`.
            rows: Number of rows of a batch that are measured; the first ones are.

        Returns:
            Callable to call after each step with the step and, by player, the batch.

        Raises:
            OptionError: An argument makes no sense.

        >>> import tempfile
        >>> import torch
        >>> model, batch = torch.nn.Linear(2, 1), torch.ones(32, 2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Recorder(folder, players={"model": model}) as rec:
        ...         measure = rec.measure({"model": lambda net, x: net(x).square()[:, 0]})
        ...         rec.log(0, {"model/loss": 0.5})
        ...         measure(0, {"model": batch})
        ...     "model/grad_noise_scale" in Run.open(folder).series()
        True
        """
        from dlcc.runs.measuring import Measuring

        return Measuring(
            self, self.players, losses, every=every, budget=budget, what=what, rows=rows
        )

    def snapshot(self, step: int, samples: Tensor | np.ndarray | None = None) -> None:
        """Record the state before a step: weights, and with a training all that it needs.

        Rows logged so far are on the disk when this returns, and so is the snapshot.

        Args:
            step: Step that comes next; at the end of the training, the number of steps done.
            samples: Samples `[n, ...]` of the model in this state; None for none.

        Raises:
            OptionError: The row of this step is logged already, so this is not the state before
                it; or the training's state holds something that cannot be recorded.
            RunError: The system refused a write.
        """
        step = checked_step(step)
        self._writer.check_ready()
        needed = self._order.place_snapshot(step)
        self._writer.sync()
        if needed:
            content = content_of(step, self.players, self._training)
            write_snapshot(self.layout.snapshot(step).path, content)
            self._digests.add(self.layout.snapshot(step).manifest)
        if samples is not None:
            self.samples(step, samples)

    def samples(self, step: int, samples: Tensor | np.ndarray) -> None:
        """Record samples of the model in the state before a step.

        Args:
            step: Step that comes next.
            samples: Samples `[n, ...]`, at least one; they replace those of the same step.

        Raises:
            OptionError: The samples are not an array of at least one row.
            RunError: The system refused the write.
        """
        step = checked_step(step)
        self._writer.check_ready()
        path, rows = self.layout.samples_file(step), as_rows(samples, "samples")
        self._digests.drop(path)  # where samples of this step are replaced
        self._digests.add(path, write_rows(path, "samples", rows))

    def reconstructions(
        self,
        step: int,
        originals: Tensor | np.ndarray,
        reconstructed: Tensor | np.ndarray,
        latents: Tensor | np.ndarray | None = None,
    ) -> None:
        """Record what an autoencoder makes of some rows of the data, in the state before a step.

        The report shows them beside each other. The run holds those of the last call.

        Args:
            step: Step that comes next.
            originals: Rows `[n, ...]` of the data, some 25 of them.
            reconstructed: Rows `[n, ...]` that the model makes of them.
            latents: Latents `[n, d]` of the rows; None for none.

        Raises:
            OptionError: Shapes do not fit, or the rows are too many.
            RunError: The system refused the write.

        >>> import tempfile
        >>> import numpy as np
        >>> rows = np.eye(4)
        >>> with tempfile.TemporaryDirectory() as folder, Recorder(folder) as rec:
        ...     rec.reconstructions(100, rows, 0.9 * rows, latents=rows[:, :2])
        ...     Run.open(folder).reconstructions().step
        100
        """
        self._writer.check_ready()
        path = self.layout.reconstructions_file
        made = Reconstructions(
            checked_step(step),
            as_array(originals, "originals"),
            as_array(reconstructed, "reconstructed"),
            None if latents is None else as_array(latents, "latents"),
        )
        self._digests.drop(path)
        self._digests.add(path, write_reconstructions(path, made))

    def write_landscape(self, record: SnapshotLandscape) -> None:
        """Record measures of the landscape beside the snapshot of their step.

        Args:
            record: Measures, as `Recorder.measure(...).landscape` makes them; they name the step.

        Raises:
            RunError: The system refused the write.

        >>> import tempfile
        >>> record = Run.open("runs/digits-collapsed").snapshots()[1].landscape()
        >>> with tempfile.TemporaryDirectory() as folder, Recorder(folder) as rec:
        ...     rec.snapshot(record.step)
        ...     rec.write_landscape(record)
        ...     Run.open(folder).snapshots()[0].landscape() == record
        True
        """
        self._writer.check_ready()
        from dlcc.runs.snapshot_landscape import write_landscape

        path = self.layout.snapshot(record.step).landscape
        self._digests.drop(path)
        write_landscape(path, record)
        self._digests.add(path)

    def flush(self) -> None:
        """Wait until all rows are in the files.

        Raises:
            RunError: The system refuses; the rows are kept and tried again.
        """
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and let others record; closing twice does nothing.

        Raises:
            RunError: The last rows could not be written and are lost.
        """
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _keep_reference(self, reference: Tensor | np.ndarray | None) -> None:
        """Write the training data that samples are compared with, if there are any."""
        if reference is not None:
            rows = evenly_spaced(as_rows(reference, "reference"))
            digest = write_rows(self.layout.reference_file, "reference", rows)
            self._digests.add(self.layout.reference_file, digest)

    def _keep_data(self, tensors: Mapping[str, Tensor] | None) -> None:
        """Write the training data that the code needs to run again, if it loaded any."""
        path = self.layout.training_data
        if tensors is not None and not path.exists():
            from dlcc.runs.tensors import write_tensors

            write_tensors(path, tensors)
            self._digests.add(path)

    def _watch(self, watcher: Watcher, step: int, values: Mapping[str, Number]) -> None:
        """Show a row to the watcher, and record the quantities that it returns."""
        said = watcher.watch(step, values)
        if said:
            self._watcher = None  # what a watcher says is not shown to it
            try:
                self.log(step, said)
            finally:
                self._watcher = watcher

    def _appender_for(self, values: Mapping[str, Number]) -> tuple[SeriesAppender, bool]:
        """Find the file for these quantities, and whether they come in the order of its columns."""
        check_names(values, self._updates.tracker.columns if self._updates else ())
        names = tuple(values)
        appender = self._writer.appender(names)
        self._appenders[names] = appender, names == appender.columns
        return self._appenders[names]
