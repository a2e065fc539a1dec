"""Callback that records a training by Hugging Face's Trainer as a run, with its landscape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from dlcc.callbacks.model_outputs import ModelOutputs
from dlcc.callbacks.options import check_share, check_snapshots, check_whole
from dlcc.callbacks.rows import row_of
from dlcc.callbacks.surveys import Surveys
from dlcc.callbacks.transformers_training import PLAYER, training_of
from dlcc.landscape.batches import PerSampleLoss
from dlcc.runs import Recorder
from dlcc.runs.sampling import sampling
from dlcc.runs.watcher import Watcher

__all__ = ["RunRecorder", "training_of"]


class RunRecorder(TrainerCallback):
    """Callback that records a Trainer's model: what it returns, samples, and its landscape.

    There is one run a training. Every step has a row of the single numbers that the model returns,
    `loss` and its parts; what the Trainer logs is recorded as it logs it.

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
        loss: Function of the model and a batch that returns the loss of each row, [n], to measure
            the landscape by; None to measure nothing.
        batch: Rows that are measured, the same all along, on the model's device: a Trainer shows
            callbacks none of its own. Rows that are not trained on are best.
        samples: Function of the model and a number n that draws n samples `[n, ...]`; random
            numbers, modes and buffers are put back after it. None for no samples.
        sample_size: Number of samples at a step.
        sample_steps: Number of steps at which samples are taken, equally spaced.
        snapshots: Number of snapshots, equally spaced over the training.
        surveys: Share of the training's time that surveys of the landscape around snapshots may
            take, by the loss; 0 for none. Each takes the time of some hundred passes.
        every: Densest cadence of measurements in steps, as for `Recorder.measure`.
        budget: Share of the training's time that measuring may take, as for `Recorder.measure`.
        what: Names of measures, as for `Recorder.measure`.
        control: Controller that every row is shown to, as by `Recorder.control`; its penalty is
            added to a loss where that is computed.
        options: Further arguments of `Recorder`, such as `objective`, `reference` or `seed`.

    Raises:
        OptionError: `snapshots`, `sample_size` or `sample_steps` is not a whole number of at least
            1, or `surveys` no share. What the other arguments must be is checked when the training
            begins.
    """

    def __init__(
        self,
        path: str | Path,
        loss: PerSampleLoss | None = None,
        batch: Any = None,
        *,
        samples: Callable[[nn.Module, int], Tensor] | None = None,
        sample_size: int = 512,
        sample_steps: int = 40,
        snapshots: int = 10,
        surveys: float = 0.0,
        every: int = 16,
        budget: float = 0.03,
        what: Sequence[str] = ("norms", "noise"),
        control: Watcher | None = None,
        **options: Any,
    ) -> None:
        check_snapshots(snapshots)
        check_whole("sample_size", sample_size)
        check_whole("sample_steps", sample_steps)
        check_share("surveys", surveys)
        self.path, self.batches = path, {PLAYER: batch}
        self.losses = {} if loss is None else {PLAYER: loss}
        self.samples, self.sample_size, self.sample_steps = samples, sample_size, sample_steps
        self.snapshots, self.surveys, self.options = snapshots, surveys, options
        self.measured: dict[str, Any] = {"every": every, "budget": budget, "what": what}
        self.control = control
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
        if self.control is not None:
            self.recorder.control(self.control)
        self.measure = self.recorder.measure(self.losses, **self.measured)
        self._surveys = Surveys(self.measure, self.surveys if self.losses else 0)
        self._outputs = ModelOutputs(model)
        self._told: set[str] = set()
        self._apart = max(1, state.max_steps // self.snapshots)
        self._samples_apart = max(1, state.max_steps // self.sample_steps)
        self._snapshot(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Record and measure a step, once its gradients were accumulated."""
        if self.recorder is None:
            return
        row = row_of(self._outputs.take(), [PLAYER])
        if row:
            self.recorder.log(state.global_step - 1, row)
            self._told |= row.keys()
        if self.losses:
            self.measure(state.global_step - 1, self.batches)
        if state.global_step % self._apart == 0:
            self._snapshot(state.global_step)
        if self.samples is not None and state.global_step % self._samples_apart == 0:
            with sampling([kwargs["model"]], self.options.get("seed") or 0, state.global_step):
                made = self.samples(kwargs["model"], self.sample_size)
            self.recorder.samples(state.global_step, made)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record what the Trainer logs of the last step, but for what every step has a row of."""
        numbers = {n: v for n, v in (logs or {}).items() if isinstance(v, int | float)}
        if self.recorder is None or not state.global_step:
            return
        row = {n: v for n, v in row_of(numbers, [PLAYER]).items() if n not in self._told}
        if row:
            self.recorder.log(state.global_step - 1, row)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write the rows and the snapshot that are left, and close the run."""
        if self.recorder is not None:
            self._outputs.close()
            self.recorder.close()
            self.recorder = None

    def _snapshot(self, step: int) -> None:
        assert self.recorder is not None
        self.recorder.snapshot(step)
        self._surveys.snapshot_taken(step)
        self._surveys.survey(self.batches)
