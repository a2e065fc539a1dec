"""Callback that records a Lightning training as a run, with its landscape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from dlcc.callbacks.options import check_snapshots
from dlcc.landscape.batches import PerSampleLoss
from dlcc.runs import Recorder
from dlcc.runs.series_format import is_quantity

__all__ = ["RunRecorder"]


class RunRecorder(Callback):
    """Callback that records what a LightningModule logs, and measures its players; one run a fit.

    A step is one of the optimiser; where a module optimises by hand, with an optimiser or several,
    it is a batch, and each player's `updates` say how often its optimiser stepped.

    >>> def squared_error(model, batch):
    ...     x, y = batch
    ...     return (model(x) - y).square().sum(dim=1)  # [n], the loss of each row
    >>> recorder = RunRecorder("runs/mine", losses={"model": squared_error}, snapshots=5)
    >>> recorder.snapshots
    5
    >>> Trainer(max_epochs=5, callbacks=[recorder]).fit(module, loader)  # doctest: +SKIP

    Args:
        path: Folder of the run.
        losses: Player to a function of the module and a batch that returns the loss of each row,
            [n]. A player is the module's attribute of that name; where there is none, it is the
            whole module. Without any the whole module is recorded as `model`, and nothing is
            measured.
        batches: Function of the loop's batch that returns, by player, what its loss takes; default
            the batch itself.
        snapshots: Number of snapshots, equally spaced over a training whose length is known.
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
        losses: Mapping[str, PerSampleLoss],
        *,
        batches: Callable[[Any], Mapping[str, Any]] | None = None,
        snapshots: int = 10,
        every: int = 16,
        budget: float = 0.03,
        what: Sequence[str] = ("norms", "noise"),
        **options: Any,
    ) -> None:
        check_snapshots(snapshots)
        self.path, self.losses = path, losses
        self.batches = batches or (lambda batch: dict.fromkeys(losses, batch))
        self.snapshots, self.options = snapshots, options
        self.measured: dict[str, Any] = {"every": every, "budget": budget, "what": what}
        self.recorder: Recorder | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the run, or continue it."""
        if not trainer.is_global_zero:
            return
        self._by_hand = not pl_module.automatic_optimization
        known = _length(trainer, by_hand=self._by_hand)
        players: dict[str, nn.Module] = {
            name: getattr(pl_module, name, pl_module) for name in self.losses
        } or {"model": pl_module}
        self.recorder = Recorder(self.path, players=players, length=known, **self.options)
        self.measure = self.recorder.measure(self.losses, **self.measured)
        self._player = next(iter(players))
        self._apart = max(1, known // self.snapshots) if known else None
        self._done = self._steps(trainer)
        self._measured = -1  # the last step that was; several batches make up one
        self._last: Mapping[str, Any] | None = None
        self._snapshot()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Measure a step before it is taken: gradients on a batch just trained on are smaller."""
        if self.recorder is None:
            return
        given = self.batches(batch)
        self._survey(given)
        if self._done != self._measured:
            self.measure(self._done, given)
        self._measured, self._last = self._done, given

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Record a step, once its gradients were accumulated."""
        steps = self._steps(trainer)
        if self.recorder is None or steps == self._done:
            return
        step, self._done = steps - 1, steps
        if row := _row(trainer, outputs, self._player):
            self.recorder.log(step, row)
        if self._apart is not None and self._done % self._apart == 0:
            self._snapshot()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the rows and the snapshot that are left, and close the run."""
        if self.recorder is not None and self._last is not None:
            self._survey(self._last)
        self._close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Write what is left where the training ends early, and close the run."""
        self._close()

    def _steps(self, trainer: Trainer) -> int:
        """Number of steps taken, those before a checkpoint that the training continues included."""
        if self._by_hand:  # each optimiser counts in `global_step`
            return trainer.fit_loop.epoch_loop.total_batch_idx + 1
        return trainer.global_step

    def _snapshot(self) -> None:
        """Record a snapshot of the present state; its landscape is measured with the next batch."""
        assert self.recorder is not None
        self.recorder.snapshot(self._done)
        self._waiting: int | None = self._done

    def _survey(self, batches: Mapping[str, Any]) -> None:
        if self._waiting is not None:
            self.measure.landscape(self._waiting, batches)
            self._waiting = None

    def _close(self) -> None:
        if self.recorder is not None:
            self.recorder.close()
            self.recorder = None


def _length(trainer: Trainer, *, by_hand: bool) -> int | None:
    """Number of steps of the whole training; None where it is not known.

    `max_steps` counts steps of every optimiser, so that it says nothing of batches.
    """
    length = trainer.estimated_stepping_batches
    if not math.isfinite(length) or length <= 0 or (by_hand and trainer.max_steps >= 0):
        return None
    return int(length)


def _row(trainer: Trainer, outputs: Any, player: str) -> dict[str, Any]:
    """Quantities that were logged; names of one part become quantities of the first player."""
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    # Lightning divides the loss by the batches over which gradients accumulate
    times = trainer.accumulate_grad_batches
    row = {} if loss is None else {f"{player}/loss": loss.detach() * times}
    for name, value in trainer.logged_metrics.items():
        own = name if "/" in name else f"{player}/{name}"
        if is_quantity(own):
            row[own] = value.detach()
    return row
