"""Training of a run's own code that steps in the sandbox, and is recorded from outside."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.errors import ForeignCodeError, ForeignCodeStopped
from dlcc.runs.manifest import PlayerEntry
from dlcc.runs.state import pack_state, unpack_state
from dlcc.sandbox import Session


class SandboxTraining:
    """Training as the recorder sees it, whose code never runs in this process.

    Its players hold the weights that the code had when the state was last taken, by the names of
    the code's own modules.

    Args:
        session: Session in which the training was built.
        players: Description of the players, as the run to be mended has it.
        names: Quantities `player/quantity` to record.
    """

    def __init__(
        self, session: Session, players: Mapping[str, PlayerEntry], names: Sequence[str]
    ) -> None:
        self._session = session
        self._names = list(names)
        weights = session.weights()
        self.players: Mapping[str, nn.Module] = {
            name: _holder(entry, _of_player(weights, name)) for name, entry in players.items()
        }
        self.samples_are_drawn = self._draws()

    def step(self, step: int) -> dict[str, float]:
        """Train for one step.

        Args:
            step: Number of the step, from 0.

        Returns:
            Quantities that the code returned.

        Raises:
            ForeignCodeError: The code fails, or dies.
        """
        stepped = self._session.step(step, 1, self._names)
        row = zip(self._names, stepped.values[0], stepped.present[0], strict=True)
        return {name: float(value) for name, value, present in row if present}

    def sample(self, n: int, seed: int) -> Tensor:
        """Draw samples `[n, ...]` of the model as it is.

        Args:
            n: Number of samples.
            seed: Seed of the draw.

        Returns:
            Samples.

        Raises:
            ForeignCodeError: The code fails, or dies.
        """
        return torch.from_numpy(np.ascontiguousarray(self._session.sample(n, seed)))

    def state_dict(self) -> dict[str, Any]:
        """Fetch everything that changes from step to step, and bring the players up to date.

        Returns:
            State as the code gave it: to be recorded, and to be believed by nobody.

        Raises:
            ForeignCodeError: The code fails, or dies.
        """
        weights = self._session.weights()
        with torch.no_grad():
            for name, module in self.players.items():
                own = _of_player(weights, name)
                for key, tensor in module.state_dict().items():
                    if key in own and own[key].shape == tuple(tensor.shape):
                        tensor.copy_(torch.from_numpy(np.ascontiguousarray(own[key])))
        tree, arrays = self._session.state()
        tensors = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()}
        state: dict[str, Any] = unpack_state(tree, tensors)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a state.

        Args:
            state: State that `state_dict` returned, or a snapshot holds.

        Raises:
            ForeignCodeError: The code does not take it.
        """
        from safetensors.torch import save

        tree, tensors = pack_state({"state": dict(state), "random": None})
        dense = {k: t.detach().cpu().contiguous().clone() for k, t in tensors.items()}
        self._session.load(tree, save(dense))

    def _draws(self) -> bool:
        """Whether the code has a function that samples."""
        try:
            self._session.sample(2, 0)
        except ForeignCodeStopped:
            raise
        except ForeignCodeError:
            if not self._session.alive:
                raise
            return False
        return True


def _of_player(weights: Mapping[str, Any], player: str) -> dict[str, Any]:
    """Weights of a player by their names in it."""
    start = f"{player}/"
    return {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}


def _holder(entry: PlayerEntry, weights: Mapping[str, Any]) -> nn.Module:
    """Module that holds weights under their names and goes by the name of the code's class."""
    module_name, _, name = entry.class_name.rpartition(".")
    kind = type(name or "Module", (nn.Module,), {"__module__": module_name or "own"})
    holder: nn.Module = kind()
    for path, array in weights.items():
        *inner, last = path.split(".")
        place = holder
        for part in inner:
            if part not in place._modules:
                place.add_module(part, nn.Module())
            child = place._modules[part]
            assert child is not None
            place = child
        tensor = torch.from_numpy(np.ascontiguousarray(array)).clone()
        if path in entry.buffers or not tensor.is_floating_point():
            place.register_buffer(last, tensor)
        else:
            place.register_parameter(last, nn.Parameter(tensor, requires_grad=False))
    return holder


def with_settings_of(state: Any, before: Any, after: Any) -> Any:
    """Carry settings that a change made over into a state from before it.

    An optimiser keeps its learning rate in its state, so that a state that is loaded would bring
    the old one back. Plain values that differ between the freshly built trainings without and with
    the change are taken from the latter.

    Args:
        state: State of a snapshot.
        before: State of a training freshly built without the change.
        after: State of one built with it.

    Returns:
        The state with the changed settings; where the states are not alike, as it is.

    >>> saved = {"lr": 0.1, "step": 40, "m": [1.0]}
    >>> with_settings_of(saved, {"lr": 0.1, "step": 0, "m": []}, {"lr": 0.2, "step": 0, "m": []})
    {'lr': 0.2, 'step': 40, 'm': [1.0]}
    """
    if isinstance(state, Mapping) and isinstance(before, Mapping) and isinstance(after, Mapping):
        return {
            key: with_settings_of(value, before[key], after[key])
            if key in before and key in after
            else value
            for key, value in state.items()
        }
    if isinstance(state, list | tuple) and isinstance(before, list | tuple):
        if not isinstance(after, list | tuple) or len({*map(len, (state, before, after))}) > 1:
            return state
        return type(state)(map(with_settings_of, state, before, after))
    plain = (bool, int, float, str, type(None))
    if isinstance(state, plain) and isinstance(before, plain) and isinstance(after, plain):
        return state if before == after else after
    return state


def steps_alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two sets of arrays are the same to the bit.

    >>> steps_alike({"w": np.ones(2)}, {"w": np.ones(2)}), steps_alike({}, {"w": np.ones(2)})
    (True, False)
    """
    return a.keys() == b.keys() and all(
        np.array_equal(x, y, equal_nan=True) for x, y in ((a[k], b[k]) for k in itertools.chain(a))
    )
