"""Series and samples of every member, as the training of an ensemble leaves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcc.deprecation import renamed, warn_renamed
from dlcc.ensembles.ensemble import QUANTITIES, Ensemble
from dlcc.ensembles.objectives import has_penalty
from dlcc.errors import OptionError
from dlcc.recipes.small_gan.training import Config
from dlcc.typing import Floats

PENALTY = "discriminator/penalty"


@dataclass(frozen=True)
class Trajectories:
    """Series and samples of N members over T steps.

    >>> configs = [{"seed": 0}, {"seed": 1}]
    >>> trained = train_ensemble(configs, steps=10, sample_steps=[10], samples=4)
    >>> series, samples = trained.member(1)
    >>> series["generator/loss"].shape, samples.shape
    ((10,), (1, 4, 2))
    """

    configs: tuple[Config, ...]
    """Configuration of each member, [N]."""
    steps: NDArray[np.int64]
    """Steps that were trained, [T]."""
    series: dict[str, Floats]
    """Values of each quantity, `player/quantity` → [N, T]; `discriminator/penalty` is NaN for
    members without one."""
    checkpoint_steps = renamed("checkpoint_steps", "sample_steps")
    sample_steps: tuple[int, ...]
    """Steps before which samples were taken, [C]."""
    samples: NDArray[Any]
    """Samples of each member at each sample step, [N, C, n, features], of the state before
    the step, which is the seed of the samples."""

    def __len__(self) -> int:
        return len(self.configs)

    def member(self, i: int) -> tuple[dict[str, Floats], NDArray[Any]]:
        """Return series and samples of one member, without quantities that it does not have.

        Args:
            i: Number of the member, from 0.

        Returns:
            Quantity to its values [T], and the samples [C, n, features].

        Raises:
            IndexError: there is no member i.
        """
        penalised = has_penalty(self.configs[i])
        own = {
            name: values[i] for name, values in self.series.items() if name != PENALTY or penalised
        }
        return own, self.samples[i]


def train_ensemble(
    configs: Sequence[Mapping[str, Any]],
    steps: int | None = None,
    start: int = 0,
    sample_steps: Iterable[int] = (),
    samples: int = 256,
    progress: Callable[[int, int], None] | None = None,
    states: Mapping[int, Mapping[str, Any]] | None = None,
    *,
    checkpoint_steps: Iterable[int] = (),
) -> Trajectories:
    """Train the members together, from step `start` up to `steps`.

    Args:
        configs: One configuration a member, all of one shape.
        steps: Number of the step after the last one; by default the largest `steps` of a member.
        start: Number of the first step.
        sample_steps: Steps before which samples are taken; `steps` itself may be one. Those
            outside of the training are left out.
        samples: Number of samples of each member at a sample step.
        progress: Called with the steps done and the steps in all after every step; what it raises
            ends the training.
        states: Number of a member → its state before step `start`, as its solo training's
            `state_dict`; the others begin as their configurations have it.
        checkpoint_steps: Old name of `sample_steps`.

    Returns:
        Series and samples of the N members over the T steps from `start` to `steps` − 1: values
        [N, T] of each quantity, and samples [N, C, samples, features] at the C checkpoints.

    Raises:
        OptionError: no member, members of different shapes, or nothing to train.
        ValueError: a key or a value that `small_gan.Config` refuses.
        IndexError: `states` names a member that is not there.
        KeyError: a state lacks a player, or a tensor of one.
        RuntimeError: a tensor of a state has another shape.

    >>> configs = [{"lr_d": rate} for rate in (1e-4, 1e-3, 1e-2)]
    >>> trained = train_ensemble(configs, steps=20, sample_steps=[20])
    >>> trained.series["discriminator/grad_norm"].shape, trained.samples.shape
    ((3, 20), (3, 1, 256, 2))
    """
    if checkpoint_steps:
        warn_renamed("train_ensemble", "checkpoint_steps", "sample_steps")
    from dlcc.engine.jobs import one_thread  # with the recorder, which an Ensemble does without

    ensemble = Ensemble(configs)
    stop = max(config.steps for config in ensemble.configs) if steps is None else steps
    if not 0 <= start < stop:
        raise OptionError(f"the training goes from step {start} to {stop}: give it a step or more")
    for i, state in (states or {}).items():
        ensemble.load_member_state(i, state)
    at = {*sample_steps, *checkpoint_steps}
    with one_thread():
        return _train(ensemble, range(start, stop), at, samples, progress)


def _train(
    ensemble: Ensemble,
    steps: range,
    sample_at: set[int],
    n: int,
    progress: Callable[[int, int], None] | None,
) -> Trajectories:
    """Train an ensemble through `steps`, with samples of n rows before the steps `sample_at`."""
    kept = _Kept(ensemble, len(steps), n)
    for step in (*steps, steps.stop):
        if step in sample_at:
            kept.sample(step)
        if step == steps.stop:
            break
        kept.log(ensemble.step_values(step))
        if progress is not None:
            progress(kept.done, len(steps))
    return kept.trajectories(steps.start)


class _Kept:
    """Record that grows while an ensemble trains."""

    def __init__(self, ensemble: Ensemble, steps: int, n: int) -> None:
        from dlcc.recipes.small_gan.family import sample_dtype

        self._ensemble = ensemble
        self._n = n
        self._dtype = sample_dtype(ensemble.configs[0].data)
        self._values = torch.empty(steps, len(QUANTITIES), len(ensemble), dtype=ensemble.dtype)
        self._at: list[int] = []
        self._samples: list[Tensor] = []
        self.done = 0

    def log(self, values: Tensor) -> None:
        """Keep the values [7, N] of the next step."""
        self._values[self.done] = values
        self.done += 1

    def sample(self, step: int) -> None:
        """Take samples before a step."""
        self._at.append(step)
        self._samples.append(self._ensemble.sample(self._n, seed=step).to(self._dtype))

    def trajectories(self, start: int) -> Trajectories:
        """Make the trajectories of what was kept, from step `start` on."""
        configs = self._ensemble.configs
        values = self._values[: self.done].permute(1, 2, 0).double().contiguous().numpy()
        series = dict(zip(QUANTITIES, values, strict=True))
        series[PENALTY][[not has_penalty(config) for config in configs]] = np.nan
        return Trajectories(
            configs=configs,
            steps=np.arange(start, start + self.done),
            series=series,
            sample_steps=tuple(self._at),
            samples=self._stacked(),
        )

    def _stacked(self) -> NDArray[Any]:
        """Samples [N, C, n, features], also where C is 0."""
        if self._samples:
            return torch.stack(self._samples, dim=1).numpy()
        one = self._ensemble.sample(self._n, seed=0).to(self._dtype)
        return one[:, None][:, :0].numpy()
