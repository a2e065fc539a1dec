"""Loop that trains and records rows, snapshots and samples, from where a run stopped to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.errors import OptionError

if TYPE_CHECKING:
    from dlcc.runs.recorder import Recorder
    from dlcc.runs.training import Training


def train_and_record(
    recorder: Recorder,
    training: Training,
    length: int | None,
    *,
    snapshots: int,
    samples: int,
    sample_steps: int,
) -> None:
    """Train to the end of the length, see `Recorder.train`.

    Raises:
        OptionError: A number makes no sense.
    """
    if length is None:
        raise OptionError(f"{recorder.path}: pass Recorder(..., length=...), the number of steps")
    for name, number in (("snapshots", snapshots), ("sample_steps", sample_steps)):
        if type(number) is not int or number < 1:
            raise OptionError(f"{name}={number!r:.80}: expected a whole number of at least 1")
    if type(samples) is not int or samples < 0:
        raise OptionError(f"samples={samples!r:.80}: expected a whole number of 0 or more")
    if not getattr(training, "samples_are_drawn", True):
        samples = 0
    snapshot_at = {length * k // snapshots for k in range(snapshots + 1)}
    sample_at = {length * k // sample_steps for k in range(1, sample_steps + 1)}
    for step in range(recorder.resume(), length + 1):
        if step in snapshot_at:
            recorder.snapshot(step)  # before the samples: where it rewinds it takes theirs away
        if samples and step in sample_at:
            recorder.samples(step, training.sample(samples, seed=step))
        if step < length:
            recorder.log(step, training.step(step))
