"""Adam, RMSprop and SGD of N members as one rule on blocks [N, P].

With g the gradient and a, b, c, s numbers of the member and the step:

    m ← a·m + g        v ← b·v + g²        w ← w − s·m/(√v + c)

| optimiser | a | b | c | s |
|---|---|---|---|---|
| Adam | β1 | β2 | ε·κ | η·κ·(1 − β1)/(1 − β1ᵗ), with κ = √((1 − β2ᵗ)/(1 − β2)) |
| RMSprop | 0 | α | ε/√(1 − α) | η/√(1 − α) |
| SGD | μ | any | √v + c counts as 1 | η |

m and v are what torch keeps, over 1 − β1 (Adam) and over 1 − β2 (Adam, RMSprop). A member that
rests has a = b = 1, g = 0 and s = 0, which leaves all of it as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcc.typing import Floats

EPS = 1e-8  # torch's default
ADAM, RMSPROP, SGD = "adam", "rmsprop", "sgd"


class Rates(Protocol):
    """Settings of both players' optimisers.

    Each reads two more that are its player's: `lr_g` and `g_every`, or `lr_d` and `d_every`.
    """

    @property
    def optimizer(self) -> str:
        """Method: `adam`, `rmsprop` or `sgd`."""

    @property
    def beta1(self) -> float:
        """Adam's first decay, SGD's momentum."""

    @property
    def beta2(self) -> float:
        """Adam's second decay, RMSprop's only one."""


class Packing(Protocol):
    """Order of a network's tensors in a row [P]."""

    def pack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Pack the tensors into a row."""

    def unpack(self, row: Tensor) -> list[Tensor]:
        """Unpack a row into copies of the tensors."""

    def names(self) -> list[str]:
        """Names of the tensors."""


@dataclass(frozen=True)
class Plan:
    """Numbers of the rule for some steps in a row, [steps, N, 1] each unless stated otherwise."""

    momentum: Tensor
    """Factor a of the old m."""
    memory: Tensor
    """Factor b of the old v."""
    floor: Tensor
    """Summand c in the denominator."""
    rate: Tensor
    """Step size s."""
    resting: Tensor
    """Whether the member rests."""
    due: NDArray[np.bool_]
    """Whether the member is updated, [steps, N]."""
    anyone: list[bool]
    """Whether any member is due, [steps]."""
    everyone: list[bool]
    """Whether all members are due, [steps]."""


class StackedOptimizer:
    """Optimisers of one player of all members, each with its own method and rates."""

    def __init__(self, block: Tensor, configs: Sequence[Rates], player: str) -> None:
        self.block = block
        self.player = player
        self.kinds = np.array([config.optimizer for config in configs])
        self.count = np.zeros(len(configs), dtype=np.int64)
        """Number of updates so far, [N]."""
        self._first = torch.zeros_like(block)  # m
        self._second = torch.zeros_like(block)  # v
        self._scratch = torch.empty_like(block)
        self._plain = torch.from_numpy(np.flatnonzero(self.kinds == SGD))
        self.configure(configs)

    def configure(self, configs: Sequence[Rates]) -> None:
        """Take the members' rates and rhythms from their configurations."""
        letter = self.player[0]
        self.rate = np.array([getattr(config, f"lr_{letter}") for config in configs])
        self.every = np.array([getattr(config, f"{letter}_every") for config in configs])
        self.beta1 = np.array([config.beta1 for config in configs])
        self.beta2 = np.array([config.beta2 for config in configs])

    def plan(self, first: int, steps: int) -> Plan:
        """Compute the rule's numbers for the steps first … first + steps − 1."""
        number = np.arange(first, first + steps)[:, None]
        due = number % self.every == 0
        count = self.count + np.cumsum(due, axis=0)
        momentum, floor, rate = self._numbers(np.maximum(count, 1))

        def table(values: Floats, at_rest: float) -> Tensor:
            """Numbers [steps, N, 1] of the rule, those at rest replaced."""
            chosen = torch.from_numpy(np.where(due, values, at_rest))
            return chosen.to(self.block.dtype).unsqueeze(2)

        return Plan(
            momentum=table(momentum, 1.0),
            memory=table(self.beta2, 1.0),
            floor=table(floor, 1.0),
            rate=table(rate, 0.0),
            resting=torch.from_numpy(~due).unsqueeze(2),
            due=due,
            anyone=due.any(axis=1).tolist(),
            everyone=due.all(axis=1).tolist(),
        )

    def _numbers(self, count: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """Factors a, c and s of the updates of number `count` [steps, N], which count from 1."""
        adam, plain = self.kinds == ADAM, self.kinds == SGD
        corrected1 = np.where(adam, (1 - self.beta1) / (1 - self.beta1**count), 1.0)
        corrected2 = np.where(adam, 1 - self.beta2**count, 1.0)
        widened = np.sqrt(corrected2 / (1 - self.beta2))
        momentum = np.where(self.kinds == RMSPROP, 0.0, self.beta1)
        rate = self.rate * np.where(plain, 1.0, corrected1 * widened)
        return momentum, EPS * widened, rate

    def update(self, gradient: Tensor, plan: Plan, row: int) -> None:
        """Update the members that are due in row `row` of the plan.

        `gradient` is [N, P], and is used up.
        """
        if not plan.anyone[row]:
            return
        if not plan.everyone[row]:
            gradient.masked_fill_(plan.resting[row], 0.0)
        self.count += plan.due[row]
        self.block.sub_(self._move(gradient, plan, row).mul_(plan.rate[row]))

    def _move(self, gradient: Tensor, plan: Plan, row: int) -> Tensor:
        """Direction m/(√v + c) of the update, [N, P]."""
        first, second, scratch = self._first, self._second, self._scratch
        first.mul_(plan.momentum[row]).add_(gradient)
        if len(self._plain) == len(first):
            return scratch.copy_(first)
        second.mul_(plan.memory[row]).addcmul_(gradient, gradient)
        torch.sqrt(second, out=scratch).add_(plan.floor[row])
        if len(self._plain):
            scratch.index_fill_(0, self._plain, 1.0)
        return torch.div(first, scratch, out=scratch)

    def values(self) -> list[Tensor]:
        """Moments [N, P] and numbers of updates [N] of all members; views of the state."""
        return [self._first, self._second, torch.from_numpy(self.count)]

    # ------------------------------------------------------------------------------ one member

    def reconfigured(self, i: int, old: Rates, new: Rates) -> None:
        """Fit member i's state, which is kept over 1 − β, to its new β."""
        if old.optimizer == SGD:
            if old.beta1 == 0:  # torch keeps no buffer without momentum
                self._first[i].zero_()
                self.count[i] = 0
            return
        if old.optimizer == ADAM:
            self._first[i] *= (1 - old.beta1) / (1 - new.beta1)
        self._second[i] *= (1 - old.beta2) / (1 - new.beta2)

    def member_state(self, i: int, layout: Packing) -> dict[str, Tensor]:
        """State of member i as a solo training keeps it."""
        kind = self.kinds[i]
        if self.count[i] == 0 or (kind == SGD and self.beta1[i] == 0):
            return {}
        kept = {name: layout.unpack(row) for name, row in self._kept(i).items()}
        state = {}
        for number in range(len(layout.names())):
            if kind != SGD:
                state[f"{number}.step"] = torch.tensor(float(self.count[i]))
            state |= {f"{number}.{name}": parts[number] for name, parts in kept.items()}
        return state

    def load_member_state(self, i: int, layout: Packing, state: Mapping[str, Tensor]) -> None:
        """Load member i's state from that of a solo training."""
        self._first[i].zero_()
        self._second[i].zero_()
        self.count[i] = int(state["0.step"]) if "0.step" in state else bool(state)
        if not state:
            return
        names = list(self._kept(i))
        for name, (block, scale) in zip(names, self._places(i), strict=True):
            parts = [state[f"{number}.{name}"] for number in range(len(layout.names()))]
            block[i] = layout.pack(parts).to(block.dtype) / scale

    def _kept(self, i: int) -> dict[str, Tensor]:
        """Tensors of member i by torch's names, as rows [P]."""
        names = {
            ADAM: ("exp_avg", "exp_avg_sq"),
            RMSPROP: ("square_avg",),
            SGD: ("momentum_buffer",),
        }[str(self.kinds[i])]
        rows = [block[i] * scale for block, scale in self._places(i)]
        return dict(zip(names, rows, strict=True))

    def _places(self, i: int) -> list[tuple[Tensor, float]]:
        """Blocks that hold member i's state, and the factors that turn their rows into torch's."""
        first = (self._first, 1.0 if self.kinds[i] == SGD else float(1 - self.beta1[i]))
        second = (self._second, float(1 - self.beta2[i]))
        return {ADAM: [first, second], RMSPROP: [second], SGD: [first]}[str(self.kinds[i])]
