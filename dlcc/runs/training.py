"""Interface that a training offers to be replayed, rerun and steered."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsFloat, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dlcc.runs.run import Run
    from dlcc.runs.snapshots import SnapshotContent
    from dlcc.runs.step_training import StepTraining

    _ProtocolMeta = ABCMeta
else:
    _ProtocolMeta = type(Protocol)


class _TrainingMeta(_ProtocolMeta):
    """Class of `Training`: its methods are called on `Training`, and no training needs them."""

    def from_step(
        self,
        players: Mapping[str, nn.Module],
        step: Callable[..., Mapping[str, SupportsFloat]],
        *,
        sample: Callable[[int], Tensor] | None = None,
        data: Any = None,
        optimizers: Any = (),
        batch: int = 64,
        seed: int | None = None,
    ) -> StepTraining:
        """Make a training of a step function of your own.

        Args:
            players: Networks by name.
            step: Function that takes a batch, trains for one step and returns quantities named
                `player/quantity`.
            sample: Function that takes a number n and draws n samples `[n, ...]`.
            data: Arrays `[n, ...]`, a dataset, or a loader, from which batches come.
            optimizers: Optimisers that the step function does not reach by names of its own.
            batch: Rows of a batch.
            seed: Seed; default that of the configuration which the training is built from.

        Returns:
            The training; see `dlcc.runs.step_training.StepTraining` for each argument.

        Raises:
            OptionError: An argument is not what it should be.

        >>> import torch
        >>> net = torch.nn.Linear(2, 2)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> def step(x):  # learns the map x -> 2 x
        ...     loss = (net(x) - 2 * x).square().mean()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        ...     return {"model/loss": loss}
        >>> training = Training.from_step({"model": net}, step, data=torch.randn(1000, 2))
        >>> losses = [float(training.step(step)["model/loss"]) for step in range(100)]
        >>> losses[-1] < 0.01 * losses[0]
        True
        """
        from dlcc.runs.step_training import StepTraining

        return StepTraining(
            players,
            step,
            sample=sample,
            data=data,
            optimizers=optimizers,
            batch=batch,
            seed=seed,
        )


@runtime_checkable
class Training(Protocol, metaclass=_TrainingMeta):
    """Training that can be taken up at any snapshot.

    `Training.from_step` makes one of a step function of your own. Batches and noise are functions
    of (seed, step), so that step s draws the same numbers whether the training ran up to it or was
    restored there.

    >>> import torch
    >>> class Doubling:  # learns the map z -> 2 z
    ...     def __init__(self, seed):
    ...         self.seed, self.model = seed, torch.nn.Linear(2, 2)
    ...         self.players = {"model": self.model}
    ...         self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
    ...     def draw(self, n, number):
    ...         return torch.randn(n, 2, generator=torch.Generator().manual_seed(number))
    ...     def step(self, step):
    ...         z = self.draw(64, 10**6 * self.seed + step)
    ...         loss = (self.model(z) - 2 * z).square().mean()
    ...         self.optimizer.zero_grad()
    ...         loss.backward()
    ...         self.optimizer.step()
    ...         return {"model/loss": loss.item()}
    ...     def sample(self, n, seed):
    ...         return self.model(self.draw(n, seed)).detach()
    ...     def state_dict(self):
    ...         return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
    ...     def load_state_dict(self, state):
    ...         self.model.load_state_dict(state["model"])
    ...         self.optimizer.load_state_dict(state["optimizer"])
    ...     def probe(self, step):
    ...         z = self.draw(64, 10**6 * self.seed + step)
    ...         return {"model/loss": (self.model(z) - 2 * z).square().mean().detach()}
    >>> training = Doubling(seed=1)
    >>> isinstance(training, Training), isinstance(training, ProbedTraining)
    (True, True)
    >>> losses = [training.step(step)["model/loss"] for step in range(100)]
    >>> losses[-1] < 0.01 * losses[0]
    True
    >>> from copy import deepcopy
    >>> kept = deepcopy(training.state_dict())  # the tensors of the state go on changing
    >>> once = training.step(100)
    >>> training.load_state_dict(kept)
    >>> training.step(100) == once
    True
    >>> training.sample(5, seed=0).shape, training.probe(100)["model/loss"].shape
    (torch.Size([5, 2]), torch.Size([]))
    """

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """Networks by name."""
        ...

    def step(self, step: int) -> Mapping[str, SupportsFloat]:
        """Train for one step.

        Args:
            step: Number of the step, from 0; it decides the batch and the noise.

        Returns:
            Quantities of the step, named `player/quantity`: numbers or 0-d tensors.
        """
        ...

    def sample(self, n: int, seed: int) -> Tensor:
        """Draw samples of the model as it is.

        Args:
            n: Number of samples.
            seed: Seed of the draw; the same seed gives the same samples.

        Returns:
            Samples `[n, ...]`.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Collect everything that changes from step to step.

        Returns:
            Nested mappings, lists and tuples of tensors and plain values: weights, optimisers,
            schedules, averages, scaler.
        """
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state.

        Args:
            state: State that `state_dict` returned.
        """
        ...


@runtime_checkable
class ProbedTraining(Training, Protocol):
    """Training whose snapshots also hold measurements, for replay to compare with.

    The example of `Training` has a method `probe(step)` and is one.

    >>> from dlcc.recipes.small_gan.training import build
    >>> training = build({"data": "ring", "seed": 1})
    >>> sorted(training.probe(0))
    ['discriminator/fake', 'discriminator/loss', 'discriminator/real', 'generator/loss']
    """

    def probe(self, step: int) -> Mapping[str, Tensor]:
        """Measure on the batch of a step, with the state untouched.

        Args:
            step: Number of the step whose batch is used.

        Returns:
            Losses, 0-d, and per-sample outputs `[batch]`, by `player/quantity`.
        """
        ...


def resume(training: Training, run: Run | str | Path) -> int:
    """Restore a training from the newest resumable snapshot of a run.

    The global random states of torch, numpy and random are restored as well.

    Args:
        training: Training, built as at its start.
        run: Run, or its folder.

    Returns:
        Step to go on with: the snapshot's step, or 0 where no snapshot is resumable.

    Raises:
        RunError: There is no such run.
        OptionError: The folder is another tool's, and names its columns in a way that is not known.
        SnapshotError: The newest resumable snapshot is damaged.

    >>> from dlcc.recipes.small_gan.training import build
    >>> from dlcc.runs import Run
    >>> run = Run.open("runs/ring-oscillating")
    >>> resume(build(run.manifest.config), run)
    3000
    """
    from dlcc.runs.random_state import restore_random_state
    from dlcc.runs.run import Run

    run = run if isinstance(run, Run) else Run.open(run)
    for snapshot in reversed(run.snapshots()):
        if snapshot.resumable:
            training.load_state_dict(snapshot.state())
            restore_random_state(snapshot.random_state())
            return snapshot.step
    return 0


def content_of(
    step: int, players: Mapping[str, nn.Module], training: Training | None
) -> SnapshotContent:
    """Collect the content of a snapshot; random numbers drawn for it change nothing."""
    from dlcc.runs.random_state import random_state, torch_random_state_kept
    from dlcc.runs.snapshots import SnapshotContent

    if training is None or not getattr(training, "resumable", True):
        return SnapshotContent(step, players)
    random = random_state()
    with torch_random_state_kept():
        state = training.state_dict()
        probe = training.probe(step) if isinstance(training, ProbedTraining) else {}
    return SnapshotContent(step, players, state, random, probe)
