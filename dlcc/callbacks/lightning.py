"""Callback that records a Lightning training as a run, with its samples and landscape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from dlcc.callbacks.lightning_training import players_of, training_of
from dlcc.callbacks.options import check_share, check_snapshots, check_whole
from dlcc.callbacks.rows import row_of
from dlcc.callbacks.surveys import Surveys
from dlcc.landscape.batches import PerSampleLoss
from dlcc.runs import Recorder
from dlcc.runs.gradient_norms import GradientNorms
from dlcc.runs.sampling import sampling
from dlcc.runs.seeding import seeded
from dlcc.runs.step_data import batches_of
from dlcc.runs.watcher import Watcher

__all__ = ["RunRecorder", "training_of"]


class RunRecorder(Callback):
    """Callback that records what a LightningModule logs, samples it, and measures its players.

    There is one run a fit. A step is one of the optimiser; where a module optimises by hand, with
    an optimiser or several, it is a batch, and each player's `updates` say how often its optimiser
    stepped. Each row has the gradient norms of the players that were updated.

    >>> recorder = RunRecorder(
    ...     "runs/mine",
    ...     samples=lambda module, n: module.generator(torch.randn(n, 64)),
    ...     objective={"kind": "gan", "loss": "ns"},
    ... )
    >>> recorder.snapshots
    10
    >>> Trainer(max_epochs=5, callbacks=[recorder]).fit(module, loader)  # doctest: +SKIP

    Args:
        path: Folder of the run.
        losses: Player to a function of the module and a batch that returns the loss of each row,
            [n], to measure the landscape by. A player is the module's attribute of that name; where
            there is none, it is the whole module. Without any nothing is measured, and players are
            the parts whose parameters the optimisers have, as for `training_of`.
        samples: Function of the module and a number n that draws n samples `[n, ...]`; random
            numbers, modes and buffers are put back after it. None for no samples.
        sample_size: Number of samples at a step.
        sample_steps: Number of steps at which samples are taken, equally spaced over a training
            whose length is known.
        batches: Function of the loop's batch that returns, by player, what its loss takes; default
            the batch itself.
        snapshots: Number of snapshots, equally spaced over a training whose length is known.
        surveys: Share of the training's time that surveys of the landscape around snapshots may
            take, by the losses; 0 for none. Each takes the time of some hundred passes.
        every: Densest cadence of measurements in steps, as for `Recorder.measure`.
        budget: Share of the training's time that measuring may take, as for `Recorder.measure`.
        what: Names of measures, as for `Recorder.measure`.
        control: Controller that every row is shown to, as by `Recorder.control`; its penalty is
            added to a loss where that is computed.
        options: Further arguments of `Recorder`, such as `objective`, `config` or `seed`. Where
            there are samples and no `reference`, rows of the training data are the reference.

    Raises:
        OptionError: `snapshots`, `sample_size` or `sample_steps` is not a whole number of at least
            1, or `surveys` no share. What the other arguments must be is checked when the training
            begins.
    """

    def __init__(
        self,
        path: str | Path,
        losses: Mapping[str, PerSampleLoss] | None = None,
        *,
        samples: Callable[[LightningModule, int], Tensor] | None = None,
        sample_size: int = 512,
        sample_steps: int = 40,
        batches: Callable[[Any], Mapping[str, Any]] | None = None,
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
        self.path, self.losses = path, dict(losses or {})
        self.batches = batches or (lambda batch: dict.fromkeys(self.losses, batch))
        self.samples, self.sample_size, self.sample_steps = samples, sample_size, sample_steps
        self.snapshots, self.surveys, self.options = snapshots, surveys, options
        self.measured: dict[str, Any] = {"every": every, "budget": budget, "what": what}
        self.control = control
        self.recorder: Recorder | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the run, or continue it."""
        if not trainer.is_global_zero:
            return
        self._by_hand = not pl_module.automatic_optimization
        known = _length(trainer, by_hand=self._by_hand)
        players: dict[str, nn.Module] = {
            name: getattr(pl_module, name, pl_module) for name in self.losses
        } or players_of(pl_module, trainer.optimizers)
        if self.samples is not None and self.options.get("reference") is None:
            self.options["reference"] = _reference(trainer)
        self.recorder = Recorder(self.path, players=players, length=known, **self.options)
        if self.control is not None:
            self.recorder.control(self.control)
        self.measure = self.recorder.measure(self.losses, **self.measured)
        self._surveys = Surveys(self.measure, self.surveys if self.losses else 0)
        self._norms = GradientNorms(players, trainer.optimizers)
        self._players = list(players)
        self._apart = max(1, known // self.snapshots) if known else None
        self._samples_apart = max(1, known // self.sample_steps) if known else None
        self._done = self._steps(trainer)
        self._measured = -1  # the last step that was; several batches make up one
        self._last: Mapping[str, Any] | None = None
        self._snapshot()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Measure a step before it is taken: gradients on a batch just trained on are smaller."""
        if self.recorder is None or not self.losses:
            return
        given = self.batches(batch)
        self._surveys.survey(given)
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
        norms = {f"{player}/grad_norm": norm for player, norm in self._norms.take().items()}
        if row := norms | _row(trainer, outputs, self._players):
            self.recorder.log(step, row)
        if self._apart is not None and self._done % self._apart == 0:
            self._snapshot()
        if self._samples_apart is not None and self._done % self._samples_apart == 0:
            self._sample(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the rows and the snapshot that are left, and close the run."""
        if self.recorder is not None and self._last is not None:
            self._surveys.survey(self._last)
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
        """Record a snapshot of the present state; its landscape is surveyed with the next batch."""
        assert self.recorder is not None
        self.recorder.snapshot(self._done)
        self._surveys.snapshot_taken(self._done)

    def _sample(self, module: LightningModule) -> None:
        if self.samples is not None and self.recorder is not None:
            with sampling([module], self.options.get("seed") or 0, self._done):
                made = self.samples(module, self.sample_size)
            self.recorder.samples(self._done, made)

    def _close(self) -> None:
        if self.recorder is not None:
            self._norms.close()
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


def _reference(trainer: Trainer) -> Tensor | None:
    """Rows of the training data, where these can be indexed."""
    loader = trainer.train_dataloader
    if not hasattr(getattr(loader, "dataset", None), "__getitem__"):
        return None
    with seeded(0):  # which augmentations draw from
        return batches_of(loader, 1, 0).reference()


def _row(trainer: Trainer, outputs: Any, players: Sequence[str]) -> dict[str, Any]:
    """Quantities that were logged, by player."""
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    # Lightning divides the loss by the batches over which gradients accumulate
    times = trainer.accumulate_grad_batches
    own = {} if loss is None else {f"{players[0]}/loss": loss.detach() * times}
    logged = {name: value.detach() for name, value in trainer.logged_metrics.items()}
    return row_of(own | logged, players)
