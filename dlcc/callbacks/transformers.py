"""Callback that records a training by Hugging Face's Trainer as a run, with its landscape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from dlcc.callbacks.options import check_snapshots
from dlcc.landscape.batches import PerSampleLoss
from dlcc.runs import Recorder
from dlcc.runs.series_format import is_quantity

__all__ = ["RunRecorder"]

PLAYER = "model"


class RunRecorder(TrainerCallback):
    """Callback that records what a Trainer logs, and measures its model; one run a training.

    >>> import torch
    >>> def squared_error(model, batch):
    ...     return (model(x=batch["x"])["logits"] - batch["labels"]).square()  # [n]
    >>> held_out = {"x": torch.randn(32, 4), "labels": torch.randn(32)}
    >>> recorder = RunRecorder("runs/mine", squared_error, held_out, snapshots=5)
    >>> recorder.snapshots
    5
    >>> trainer.add_callback(recorder)  # doctest: +SKIP

    Args:
        path: Folder of the run.
        loss: Function of the model and a batch that returns the loss of each row, [n].
        batch: Rows that are measured, the same all along, on the model's device: a Trainer shows
            callbacks none of its own. Rows that are not trained on are best.
        snapshots: Number of snapshots, equally spaced over the training.
        every: Densest cadence of measurements in steps, as for `Recorder.measure`.
        budget: Share of the training's time that measuring may take, as for `Recorder.measure`.
        what: Names of measures, as for `Recorder.measure`.
        options: Further arguments of `Recorder`, such as `config` or `seed`.

    Raises:
        OptionError: `snapshots` is not a whole number of at least 1. What the other arguments must
            be is checked when the training begins.
    """

    def __init__(
        self,
        path: str | Path,
        loss: PerSampleLoss,
        batch: Any,
        *,
        snapshots: int = 10,
        every: int = 16,
        budget: float = 0.03,
        what: Sequence[str] = ("norms", "noise"),
        **options: Any,
    ) -> None:
        check_snapshots(snapshots)
        self.path, self.loss, self.batches = path, loss, {PLAYER: batch}
        self.snapshots, self.options = snapshots, options
        self.measured: dict[str, Any] = {"every": every, "budget": budget, "what": what}
        self.recorder: Recorder | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin the run, or continue it."""
        if not state.is_world_process_zero:
            return
        model: nn.Module = kwargs["model"]
        self.recorder = Recorder(
            self.path, players={PLAYER: model}, length=state.max_steps, **self.options
        )
        self.measure = self.recorder.measure({PLAYER: self.loss}, **self.measured)
        self._apart = max(1, state.max_steps // self.snapshots)
        self._snapshot(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure a step, once its gradients were accumulated."""
        if self.recorder is None:
            return
        self.measure(state.global_step - 1, self.batches)
        if state.global_step % self._apart == 0:
            self._snapshot(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record what the Trainer logs of the last step."""
        row = {
            f"{PLAYER}/{name}": value
            for name, value in (logs or {}).items()
            if isinstance(value, int | float) and is_quantity(f"{PLAYER}/{name}")
        }
        if self.recorder is not None and row and state.global_step:
            self.recorder.log(state.global_step - 1, row)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write the rows and the snapshot that are left, and close the run."""
        if self.recorder is not None:
            self.recorder.close()
            self.recorder = None

    def _snapshot(self, step: int) -> None:
        assert self.recorder is not None
        self.recorder.snapshot(step)
        self.measure.landscape(step, self.batches)
