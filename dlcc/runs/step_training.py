"""Training made of a user's own step function, which can be taken up at any snapshot."""

from __future__ import annotations

import inspect
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsFloat

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.errors import OptionError, SnapshotError
from dlcc.runs.gradient_norms import GradientNorms
from dlcc.runs.kept_data import is_loader, load
from dlcc.runs.ranks import rank_and_size
from dlcc.runs.sampling import sampling
from dlcc.runs.seeding import STEPS, StepSeeds, seed_of_build, seeded
from dlcc.runs.step_data import Batches, batches_of
from dlcc.runs.step_state import Reached, reached_by

Step = Callable[..., Mapping[str, SupportsFloat]]
_BATCH_SIZE = 64


class StepTraining:
    """Training of a step function of one's own; `dlcc.Training.from_step` makes it.

    Whatever the step function draws from the global generators of torch, numpy and random is a
    function of (seed, step), and so are batches of arrays and datasets. What it changes is found:
    players, optimisers, schedules, scalers, averages and generators that it reaches, and variables
    that it assigns.

    >>> def build(config):
    ...     net = nn.Linear(2, 2)
    ...     optimizer = torch.optim.SGD(net.parameters(), lr=config["lr"])
    ...     def step(x):  # learns the map x -> 2 x
    ...         loss = (net(x) - 2 * x).square().mean()
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    ...         return {"model/loss": loss}
    ...     def sample(n):
    ...         return net(torch.randn(n, 2))
    ...     return StepTraining({"model": net}, step, sample=sample, data=torch.randn(1000, 2))
    >>> training = build({"lr": 0.1})
    >>> losses = [float(training.step(step)["model/loss"]) for step in range(100)]
    >>> losses[-1] < 0.01 * losses[0]
    True
    >>> sorted(training.state_dict()["objects"]), training.sample(5, seed=0).shape
    (['optimizer'], torch.Size([5, 2]))

    Args:
        players: Networks by name.
        step: Function that trains for one step and returns quantities named `player/quantity`, as
            numbers or 0-d tensors. It is called with the batch, where there are data, and with the
            step's number where it takes one argument more. A quantity `player/grad_norm` is added
            for each player that an optimiser moved, where the function returns none.
        sample: Function that takes a number n and draws n samples `[n, ...]`; None for none. It
            runs without gradients; what it draws, modes of layers and buffers are put back.
        data: Training data: a tensor or array `[n, ...]`, a tuple or mapping of such, a dataset,
            or a DataLoader over one, of which batches are drawn by (seed, step); or another
            iterable of batches, which needs `state_dict` and `load_state_dict` to be resumable.
            Or a function that loads such from the disk: up to 128 MB of arrays are then kept with
            the run, and read from there where it is run again. None where the step function makes
            its own.
        optimizers: Optimisers, or whatever else has a state, where the step function does not
            reach them by names of its own: one, a sequence, or a mapping.
        batch: Rows of a batch.
        seed: Seed; default that of the configuration which the training is built from.

    Raises:
        OptionError: An argument is not what it should be.
    """

    def __init__(
        self,
        players: Mapping[str, nn.Module],
        step: Step,
        *,
        sample: Callable[[int], Tensor] | None = None,
        data: Any = None,
        optimizers: Any = (),
        batch: int = _BATCH_SIZE,
        seed: int | None = None,
    ) -> None:
        _check_players(players)
        self.players: Mapping[str, nn.Module] = dict(players)
        self.seed = seed_of_build() if seed is None else seed
        self.data_to_keep: Mapping[str, Tensor] | None = None
        if is_loader(data):
            data, self.data_to_keep = load(data)
        self._data: Batches | None = None if data is None else batches_of(data, batch, self.seed)
        self._step, self._sample = step, sample
        self._takes_number = _takes_number(step, with_batch=self._data is not None)
        given = _named(optimizers)
        functions: list[Callable[..., Any]] = [step] if sample is None else [step, sample]
        found = reached_by(functions, self.players, [*given.values(), data])
        reached = {f"{n} of step" if n in given else n: o for n, o in found.objects.items()}
        self._objects: dict[str, Any] = {**given, **reached}
        self._reached = found
        self._norms = GradientNorms(self.players, _optimizers(self._objects.values()))
        rank = rank_and_size()[0]  # each draws noise of its own
        self._steps = StepSeeds(self.seed, STEPS, rank)
        self.why_not_resumable = self._why_not_resumable(found)
        if self.why_not_resumable:
            warnings.warn(
                f"this training cannot be taken up at a snapshot: {self.why_not_resumable}",
                stacklevel=3,
            )

    @property
    def resumable(self) -> bool:
        """Whether the training can be taken up at a snapshot."""
        return self.why_not_resumable is None

    def step(self, step: int) -> dict[str, SupportsFloat]:
        """Train for one step, with random numbers and a batch of (seed, step).

        Args:
            step: Number of the step, from 0.

        Returns:
            Quantities of the step by `player/quantity`; tensors stay on their device.

        Raises:
            OptionError: The step function returns no mapping.
        """
        with seeded(self._steps(step)):
            arguments = [] if self._data is None else [self._data(step)]
            row = self._step(*arguments, *([step] if self._takes_number else []))
        if not isinstance(row, Mapping):
            raise OptionError(
                "the step function returned "
                f"{type(row).__name__}: expected quantities such as {{'generator/loss': loss}}"
            )
        norms = self._norms.take()
        self._rested = [name for name in self.players if name not in norms]
        values = {**{f"{player}/grad_norm": norm for player, norm in norms.items()}, **row}
        return {name: v.detach() if isinstance(v, Tensor) else v for name, v in values.items()}

    def sample(self, n: int, seed: int) -> Tensor:
        """Draw samples of the model as it is, which stays as it is.

        Args:
            n: Number of samples.
            seed: Seed of the draw; the same seed gives the same samples.

        Returns:
            Samples `[n, ...]`.

        Raises:
            OptionError: The training was given no function that samples, or it returns another
                number of samples.
        """
        if self._sample is None:
            raise OptionError("the training draws no samples; pass from_step(..., sample=...)")
        nets = [thing for thing in self._objects.values() if isinstance(thing, nn.Module)]
        with sampling([*self.players.values(), *nets], self.seed, seed):
            made = self._sample(n)
        if not isinstance(made, Tensor) or not made.ndim or len(made) != n:
            shape = list(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise OptionError(f"sample({n}): expected a tensor [{n}, ...], found {shape}")
        return made.detach()

    @property
    def steps_of_an_epoch(self) -> int | None:
        """Steps in which the data are gone through once; None where nobody knows."""
        return None if self._data is None else self._data.steps_of_an_epoch

    @property
    def samples_are_drawn(self) -> bool:
        """Whether there is a function that samples."""
        return self._sample is not None

    @property
    def reference(self) -> Tensor | None:
        """Training data `[n, ...]`, at most 4,096 rows; None where they cannot be indexed."""
        return None if self._data is None else self._data.reference()

    def state_dict(self) -> dict[str, Any]:
        """Collect everything that changes from step to step.

        Returns:
            Players, objects with a state, copies of parameters, variables, and the place in the
            data; tensors are not copied. Gradients of a player that rested in the last step are
            kept too, for it may be gathering them.
        """
        return {
            "players": {name: net.state_dict() for name, net in self.players.items()},
            "objects": {name: _state_of(thing) for name, thing in self._objects.items()},
            "tensors": {name: _items(kept) for name, kept in self._reached.tensors.items()},
            "variables": {name: v.get() for name, v in self._reached.variables.items()},
            "gradients": {name: _gradients(self.players[name]) for name in self._gathering()},
            "data": {} if self._data is None else self._data.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state_dict` returned.

        Raises:
            SnapshotError: The state is one of other code: it has other players, objects or
                variables.
        """
        self._check_same(state)
        for name, net in self.players.items():
            net.load_state_dict(state["players"][name])
        for name, thing in self._objects.items():
            _load(thing, state["objects"][name])
        for name, kept in self._reached.tensors.items():
            with torch.no_grad():
                for key, tensor in _items(kept).items():
                    tensor.copy_(state["tensors"][name][key])
        for name, variable in self._reached.variables.items():
            value = state["variables"][name]
            variable.set(value.clone() if isinstance(value, Tensor) else value)
        for name, net in self.players.items():
            gradients = state["gradients"].get(name, {})
            for key, parameter in net.named_parameters():
                gradient = gradients.get(key)
                parameter.grad = None if gradient is None else gradient.to(parameter.device).clone()
        self._rested = list(state["gradients"])
        if self._data is not None:
            self._data.load_state_dict(state["data"])

    def _check_same(self, state: Mapping[str, Any]) -> None:
        """Refuse a state in which something is missing, or which has something more."""
        mine = {
            "players": self.players,
            "objects": self._objects,
            "tensors": self._reached.tensors,
            "variables": self._reached.variables,
        }
        for part, known in mine.items():
            held = state.get(part, {})
            if held.keys() != known.keys():
                raise SnapshotError(
                    f"the snapshot's {part} are {', '.join(held) or 'none'}, and those that the "
                    f"step function reaches {', '.join(known) or 'none'}; resume with the code "
                    "that took the snapshot"
                )

    _rested: Sequence[str] = ()
    """Players that no optimiser moved in the last step."""

    def _gathering(self) -> list[str]:
        """Players that may be gathering gradients over several steps."""
        return [name for name in self._rested if _gradients(self.players[name])]

    def _why_not_resumable(self, found: Reached) -> str | None:
        if found.iterators:
            return (
                f"the place of the iterator {found.iterators[0]!r} cannot be recorded; pass the "
                "data as from_step(..., data=...)"
            )
        return None if self._data is None else self._data.why_not_resumable


def _check_players(players: object) -> None:
    if not isinstance(players, Mapping) or not players:
        raise OptionError(
            f"players: expected networks by name, such as {{'generator': G}}, found {players!r:.80}"
        )
    for name, net in players.items():
        if not isinstance(net, nn.Module):
            raise OptionError(f"players: {name}: expected a module, found {type(net).__name__}")


def _takes_number(step: Step, *, with_batch: bool) -> bool:
    """Whether a step function takes the step's number, beside the batch where there is one."""
    try:
        parameters = inspect.signature(step).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    if len(needed) not in ((1, 2) if with_batch else (0, 1)):
        raise OptionError(
            f"step: expected a function of {'the batch' if with_batch else 'nothing'}, and of the "
            f"step's number if it needs that, found one of {len(needed)} arguments"
        )
    return len(needed) == 1 + with_batch


def _named(given: Any) -> dict[str, Any]:
    """Objects with a state by name: as given, else by their numbers."""
    if isinstance(given, Mapping):
        named = {str(name): thing for name, thing in given.items()}
    else:
        things = given if isinstance(given, Sequence) else [given]
        named = {str(number): thing for number, thing in enumerate(things)}
    for name, thing in named.items():
        if not hasattr(thing, "state_dict") or not hasattr(thing, "load_state_dict"):
            raise OptionError(
                f"optimizers: {name}: expected an object with state_dict and load_state_dict, "
                f"found {type(thing).__name__}"
            )
    return named


def _optimizers(things: Any) -> list[torch.optim.Optimizer]:
    """Optimisers among objects, those within wrappers and schedulers that hold one included."""
    found: dict[int, torch.optim.Optimizer] = {}
    for thing in things:
        one = thing
        while isinstance(getattr(one, "optimizer", None), torch.optim.Optimizer):
            one = one.optimizer
        if isinstance(one, torch.optim.Optimizer):
            found[id(one)] = one
    return list(found.values())


def _state_of(thing: Any) -> Any:
    if isinstance(thing, torch.Generator):
        return thing.get_state()
    if isinstance(thing, np.random.Generator):
        return _plain(thing.bit_generator.state)
    if isinstance(thing, random.Random):
        return thing.getstate()
    return thing.state_dict()


def _load(thing: Any, state: Any) -> None:
    if isinstance(thing, torch.Generator):
        thing.set_state(state.cpu())
    elif isinstance(thing, np.random.Generator):
        thing.bit_generator.state = _arrays_again(state)
    elif isinstance(thing, random.Random):
        thing.setstate(state)
    else:
        thing.load_state_dict(state)


def _plain(value: Any) -> Any:
    """Arrays of a generator's state as tensors, which snapshots hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return torch.from_numpy(value.astype(np.int64)) if isinstance(value, np.ndarray) else value


def _arrays_again(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _arrays_again(item) for key, item in value.items()}
    return value.numpy().astype(np.uint64) if isinstance(value, Tensor) else value


def _items(kept: Any) -> dict[str, Tensor]:
    items = kept.items() if isinstance(kept, Mapping) else enumerate(kept)
    return {str(key): tensor for key, tensor in items}


def _gradients(net: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
