"""Convolutional members that are trained in the same operations, with their optimisers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcc.ensembles.convolutional.draws import Batches, Dropout
from dlcc.ensembles.convolutional.networks import Discriminators, Generators, Members, Stack, select
from dlcc.ensembles.convolutional.objectives import Objectives
from dlcc.ensembles.optimizers import Plan, StackedOptimizer
from dlcc.errors import OptionError
from dlcc.recipes.image_gans.usual_gan import Config, UsualGAN, normalises_rival
from dlcc.recipes.small_gan.training import CHUNK


class Block:
    """Members that are trained in the same operations."""

    def __init__(
        self, configs: Sequence[Config], images: NDArray[np.float32], dtype: torch.dtype
    ) -> None:
        self.configs, self._images, self._dtype = list(configs), images, dtype
        solos = [UsualGAN(config, images) for config in configs]
        self._generators = Generators([solo.generator for solo in solos], dtype)
        self._discriminators = Discriminators([solo.discriminator for solo in solos], dtype)
        self._descents = {
            name: _Descent(stack, _rates(configs), name) for name, stack in self.stacks().items()
        }
        self._average = _Average(self._generators, [config.ema for config in configs])
        self._batches = Batches(configs, images, dtype)
        self._dropout = Dropout(configs, images.shape[2], dtype)
        self._objectives = Objectives(configs, dtype)

    def reconfigure(self, i: int, changes: Mapping[str, Any]) -> None:
        """Change the configuration of member i."""
        old = self.configs[i]
        new = Config.parse(asdict(old) | dict(changes))
        if normalises_rival(new) != normalises_rival(old):
            raise OptionError(
                "r1 cannot change from or to 0 beside batch norm in the discriminator: give the "
                "members norm generator or spectral"
            )
        self.configs[i] = new
        self.replan()
        self._objectives = Objectives(self.configs, self._dtype)

    def values(self) -> list[Tensor]:
        """All that training changes, each with a first axis of members; views of the state."""
        players = [x for stack in self.stacks().values() for x in (stack.block, *stack.buffers)]
        moments = [x for descent in self._descents.values() for x in descent.values()]
        return [*players, *moments, *self._average.values()]

    def replan(self) -> None:
        """Plan updates anew: a member has another number of them behind it."""
        for descent in self._descents.values():
            descent.configure(_rates(self.configs))

    def stacks(self) -> dict[str, Stack]:
        return {"generator": self._generators, "discriminator": self._discriminators}

    def step_values(self, step: int) -> Tensor:
        """Train every member for one step: the values of `QUANTITIES`, [6, N]."""
        self._dropout.begin(step)
        updates = self.configs[0].d_steps
        for k in range(updates):
            real, noise = self._batches.at(step * updates + k)
            with torch.set_grad_enabled(k == updates - 1):
                fake = self._generators(noise)
            judged = self._train_discriminators(real, fake.detach(), step + k)
        self._generators.follow()  # the generator's update begins with the same call again
        fooled = self._train_generators(real, fake)
        self._average.follow()
        return torch.stack(judged + fooled)

    def _train_discriminators(self, real: Tensor, fake: Tensor, number: int) -> list[Tensor]:
        """Update the discriminators: the first four of `QUANTITIES`, [N] each."""
        objectives, count = self._objectives, len(self.configs)
        seen: list[Tensor] = [real, fake]
        calls: list[Members] = [None, None]
        if len(objectives.mixed):
            seen.append(self._mixtures(real, fake, number))
            calls.append(objectives.mixed)
        judgement = self._discriminators(
            torch.cat(seen, dim=1), calls, self._dropout.draw(len(real), calls)
        )
        logits = torch.cat(judgement.logits[: 2 * count].chunk(2), dim=1)
        loss = objectives.discriminator(logits)
        if len(objectives.sloped):
            loss = loss + objectives.penalty(judgement.squared_slopes(objectives.sloped))
        norm = self._descents["discriminator"](loss)
        return [*_mean_outputs(objectives, logits.detach()), loss.detach(), norm]

    def _mixtures(self, real: Tensor, fake: Tensor, number: int) -> Tensor:
        """Mixtures of images at which the members of WGAN-GP penalise slopes."""
        mixed, count = self._objectives.mixed, len(self.configs)
        share = self._batches.mixing(mixed, number, len(real))
        share = share.repeat_interleave(real.shape[1] // count, dim=1)
        return share * select(real, mixed, count) + (1 - share) * select(fake, mixed, count)

    def _train_generators(self, real: Tensor, fake: Tensor) -> list[Tensor]:
        """Update the generators: the last two of `QUANTITIES`, [N] each."""
        judgement = self._discriminators(fake, dropped=self._dropout.draw(len(fake)))
        shown = judgement.logits.detach()
        if len(paired := self._objectives.paired):
            images = select(real, paired, len(self.configs))
            with torch.no_grad():
                again = self._discriminators(
                    images, [paired], self._dropout.draw(len(real), [paired])
                )
            shown = shown.index_copy(0, paired, again.logits)
        loss = self._objectives.generator(torch.cat([shown, judgement.logits], dim=1))
        return [loss.detach(), self._descents["generator"](loss)]

    def member(self, i: int) -> UsualGAN:
        """Copy one member into a solo training."""
        solo = UsualGAN(self.configs[i], self._images)
        for name, stack in self.stacks().items():
            stack.store(i, solo.players[name])
            optimizer = solo.optimizers[name]
            state = optimizer.state_dict()
            optimizer.load_state_dict({**state, "state": self._descents[name].state(i)})
        if solo.average is not None:
            solo.average = self._average.state(i, solo.generator)
        return solo


class _Descent:
    """Updates of one player of all members by their optimisers."""

    def __init__(self, stack: Stack, rates: Sequence[_Rates], player: str) -> None:
        self._stack = stack
        self._optimizer = StackedOptimizer(stack.block, rates, player)
        self._plan: Plan | None = None
        self._done = self._planned = 0

    def configure(self, rates: Sequence[_Rates]) -> None:
        """Take other rates from the next update on."""
        self._optimizer.configure(rates)
        self._plan = None

    def values(self) -> list[Tensor]:
        """Moments and numbers of updates of all members; views of the state."""
        return self._optimizer.values()

    def __call__(self, losses: Tensor) -> Tensor:
        """Update the players by losses [N]: the norms [N] of their gradients."""
        if self._plan is None or self._done == self._planned + CHUNK:
            self._plan = self._optimizer.plan(self._done, CHUNK)
            self._planned = self._done
        row = self._done - self._planned
        gradient = self._stack.gradient(losses)
        norms = _norms(gradient)
        self._optimizer.update(gradient, self._plan, row)
        self._done += 1
        return norms

    def state(self, i: int) -> dict[int, dict[str, Tensor]]:
        """State of member i as torch's optimiser keeps it, by the number of the tensor."""
        found: dict[int, dict[str, Tensor]] = {}
        for name, value in self._optimizer.member_state(i, self._stack).items():
            number, key = name.split(".")
            found.setdefault(int(number), {})[key] = value
        return found


class _Average:
    """Averages of the generators' weights and running statistics, for members that ask for them."""

    def __init__(self, stack: Stack, decays: Sequence[float]) -> None:
        self._stack = stack
        self._any = any(decays)
        self._shares = torch.tensor([1 - decay for decay in decays], dtype=stack.block.dtype)
        self._kept = [x.clone() for x in self._now()]

    def values(self) -> list[Tensor]:
        """Averages of all members; views of the state."""
        return self._kept

    def _now(self) -> list[Tensor]:
        return [self._stack.block, *self._stack.buffers]

    def follow(self) -> None:
        """Move the averages towards what the generators are now."""
        if not self._any:
            return
        for kept, now in zip(self._kept, self._now(), strict=True):
            if now.is_floating_point():
                kept.lerp_(now, self._shares.view(-1, *[1] * (now.ndim - 1)))
            else:
                kept.copy_(now)

    def state(self, i: int, network: torch.nn.Module) -> dict[str, Tensor]:
        """Averages of member i as the state of its network."""
        parameters = self._stack.unpack(self._kept[0][i])
        names = [name for name, _ in network.named_parameters()]
        found = dict(zip(names, parameters, strict=True))
        names = [name for name, _ in network.named_buffers()]
        found |= dict(zip(names, (kept[i].clone() for kept in self._kept[1:]), strict=True))
        like = network.state_dict()
        return {name: found[name].to(like[name].dtype) for name in like}


@dataclass(frozen=True)
class _Rates:
    """Rates of the optimisers by a configuration, and torch's own where it says nothing."""

    optimizer: str
    lr_g: float
    lr_d: float
    beta1: float
    g_every: int = 1
    d_every: int = 1

    @property
    def beta2(self) -> float:
        """Adam's second decay, RMSprop's only one."""
        return 0.99 if self.optimizer == "rmsprop" else 0.999


def _rates(configs: Sequence[Config]) -> list[_Rates]:
    """Rates of both players of every member."""
    return [_Rates(c.optimizer, c.lr_g, c.lr_d, c.beta1) for c in configs]


def _norms(gradient: Tensor) -> Tensor:
    """Norms [N] of gradients [N, P]."""
    norms: Tensor = torch.linalg.vector_norm(gradient, dim=1)
    return norms


def _mean_outputs(objectives: Objectives, logits: Tensor) -> tuple[Tensor, ...]:
    """Mean outputs [N] on real images and on samples, from raw ones [N, 2 n]."""
    return objectives.outputs(logits).view(len(logits), 2, -1).mean(2).unbind(1)
