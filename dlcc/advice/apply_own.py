"""Advice carried out on a user's own code: trained in the sandbox, recorded as a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcc.advice.change import Change, same_value
from dlcc.advice.sandbox_training import SandboxTraining, steps_alike, with_settings_of
from dlcc.engine.jobs import one_thread
from dlcc.errors import ForeignCodeError, ForeignCodeStopped, OptionError
from dlcc.runs import Recorder, Run, Snapshot
from dlcc.sandbox import Bounds, Level, Session
from dlcc.settings.nested import flattened
from dlcc.typing import CountProgress

_SECONDS = 30 * 86_400.0  # a training may take its time; Ctrl-C ends it
_MEMORY = 8 << 30
_SAMPLE_STEPS, _SNAPSHOTS, _SAMPLES = 40, 10, 512
_TRACKED = ("updates", "update_norm")  # by the recorder, of modules that it can watch


@dataclass(frozen=True)
class OwnCode:
    """Code of a run that says how to build its training again."""

    run: Run
    entry: str
    """Entry point, such as `source/train.py:build`."""

    @classmethod
    def of(cls, run: Run) -> OwnCode:
        """Find the code of a run.

        Args:
            run: Run.

        Returns:
            Its code.

        Raises:
            OptionError: The run does not say how to build its training again.
        """
        entry = run.manifest.training
        if entry is None or entry.partition(":")[0] not in run.source_files():
            raise OptionError(
                f"{run.path}: --apply trains code that says how to build its training again, and "
                "this run does not: record with Recorder(..., build=build), or put the advised "
                "fields into your configuration and train it yourself"
            )
        return cls(run, entry)

    def train(
        self,
        change: Change,
        out: Path,
        level: Level,
        *,
        seed: int,
        snapshot: Snapshot | None = None,
        progress: CountProgress | None = None,
    ) -> tuple[dict[str, Any], int]:
        """Train the code with a change into a new run, or go on with one that was begun.

        Args:
            change: New values of fields of its configuration.
            out: Folder of the new run.
            level: Level of the sandbox.
            seed: Seed of a training that starts again.
            snapshot: Snapshot of the run to go on from where the change takes effect from there;
                None to start again.
            progress: Function that is called with the steps done and all steps.

        Returns:
            Configuration of the new run, and the step from which it was trained.

        Raises:
            OptionError: The code refuses the change.
            ForeignCodeError: The code fails later on; what was recorded by then is kept.
        """
        config = change.applied(self.run.manifest.config)
        limits = Bounds(seconds=_SECONDS, memory=_MEMORY)
        begun = Run.open(out).manifest.config if (out / "run.json").exists() else None
        with one_thread(), Session(self.run.source_files(), level, limits) as session:
            start = None
            if snapshot is not None:
                start = self._start(session, change, snapshot)
            if start is None:
                fresh = seed if begun is None else begun.get("seed", seed)
                config = {**config, "seed": fresh}
            self._build(session, change, config)
            training = SandboxTraining(session, self.run.manifest.players, self._names())
            with self._recorder(out, training, config) as recorder:
                first = recorder.resume()
                if start is not None and snapshot is not None and first < snapshot.step:
                    training.load_state_dict(start)
                    first = snapshot.step
                _record(recorder, training, first, self.run.length, progress)
        return config, 0 if start is None or snapshot is None else snapshot.step

    def _build(self, session: Session, change: Change, config: Mapping[str, Any]) -> None:
        try:
            session.build(self.entry, config)
            session.step(0, 1, [])
            session.build(self.entry, config)
        except ForeignCodeStopped:
            raise
        except ForeignCodeError as error:
            words = change.words(self.run.manifest.config)
            raise OptionError(
                f"{self.run.path}: the code refuses {words}: {error}; apply another line"
            ) from None

    def _names(self) -> list[str]:
        """Quantities that the run recorded and its code gave."""
        names = self.run.series().columns
        return [name for name in names if name.rpartition("/")[2] not in _TRACKED]

    def _recorder(
        self, out: Path, training: SandboxTraining, config: Mapping[str, Any]
    ) -> Recorder:
        manifest, root = self.run.manifest, self.run.path
        sources = sorted({root / Path(*Path(n).parts[:2]) for n in self.run.source_files()})
        return Recorder(
            out,
            players=training.players,
            config=config,
            name=out.name,
            objective=dict(manifest.objective),
            data=dict(manifest.data),
            seed=config["seed"] if type(config.get("seed")) is int else None,
            length=self.run.length,
            training=training,
            training_entry=self.entry,
            sources=sources,
            reference=self.run.reference(),
            track_updates=False,
        )

    def _start(
        self, session: Session, change: Change, snapshot: Snapshot
    ) -> Mapping[str, Any] | None:
        """State of a snapshot with the change in it; None where it takes no effect from there, or
        the code does not take the state."""
        old, new = self.run.manifest.config, change.applied(self.run.manifest.config)
        saved, step = snapshot.state(), snapshot.step
        states, after = [], []
        try:
            for config in (old, new):
                session.build(self.entry, config)
                states.append(SandboxTraining(session, {}, []).state_dict())
            carried = with_settings_of(saved, *states)
            for config, state in ((old, saved), (new, carried)):
                session.build(self.entry, config)
                training = SandboxTraining(session, {}, [])
                training.load_state_dict(state)
                session.step(step, 2, [])
                after.append(session.weights())
        except ForeignCodeStopped:
            raise
        except ForeignCodeError:
            if not session.alive:
                raise
            return None
        result: Mapping[str, Any] = carried
        return None if steps_alike(*after) else result


def _record(
    recorder: Recorder,
    training: SandboxTraining,
    first: int,
    length: int,
    progress: CountProgress | None,
) -> None:
    """Train and record to the end, as `Recorder.train` does."""
    snapshot_at = {length * k // _SNAPSHOTS for k in range(_SNAPSHOTS + 1)} | {first}
    sample_at = {length * k // _SAMPLE_STEPS for k in range(1, _SAMPLE_STEPS + 1)}
    for step in range(first, length + 1):
        if step in snapshot_at:
            recorder.snapshot(step)
        if training.samples_are_drawn and step in sample_at and step > 0:
            recorder.samples(step, training.sample(_SAMPLES, seed=step))
        if step < length:
            recorder.log(step, training.step(step))
            if progress is not None:
                progress(step + 1, length)


def begun_change(run: Run, out: Path) -> Change | None:
    """Find the change of a run with which another was begun from it.

    Args:
        run: Run that is mended.
        out: Folder of the other.

    Returns:
        The change; None where `out` holds no run, or one that did not come from this.
    """
    if not (out / "run.json").exists():
        return None
    begun = Run.open(out).manifest
    before, after = flattened(run.manifest.config), flattened(begun.config)
    if begun.training != run.manifest.training or before.keys() != after.keys():
        return None
    changed = {k: v for k, v in after.items() if k != "seed" and not same_value(before[k], v)}
    return Change(changed)


def is_whole(out: Path) -> bool:
    """Whether a run has come to the end of its length.

    Args:
        out: Folder of the run.

    Returns:
        True where its last snapshot is that of the end.
    """
    run = Run.open(out)
    steps: Sequence[int] = [snapshot.step for snapshot in run.snapshots()]
    return bool(steps) and steps[-1] >= run.length
