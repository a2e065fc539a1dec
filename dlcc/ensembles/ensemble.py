"""Small GANs of one shape, trained together: every member is what it would be alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import torch
from torch import Tensor

from dlcc.ensembles.batches import Batches, sample_noise
from dlcc.ensembles.objectives import Objectives
from dlcc.ensembles.optimizers import Plan, StackedOptimizer
from dlcc.ensembles.stacked import LEAK, Layout, Pass, Stack, generate
from dlcc.errors import OptionError
from dlcc.recipes.small_gan.training import CHUNK, Batch, Config, make_players

SHAPE = ("data", "width", "depth", "zdim", "batch")
"""Keys of the configuration that members of one ensemble share."""
CHANGEABLE = ("lr_g", "lr_d", "beta1", "beta2", "r1", "loss", "g_every", "d_every")
"""Keys of the configuration that may change while a member trains."""
QUANTITIES = (
    "discriminator/real",
    "discriminator/fake",
    "discriminator/penalty",
    "discriminator/loss",
    "discriminator/grad_norm",
    "generator/loss",
    "generator/grad_norm",
)
"""Quantities that a step records of every member, in this order."""


def by_shape(configs: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Group the configurations that fit one ensemble.

    Args:
        configs: Configurations of `small_gan.Config`, key to value; keys left out take defaults.

    Returns:
        Indices into `configs`, one list for each shape (the values of the keys `SHAPE`), in the
        order in which the shapes occur.

    Raises:
        ValueError: a key or a value that `small_gan.Config` refuses.

    >>> by_shape([{"width": 32}, {"width": 64, "lr_d": 1e-3}, {"width": 32, "seed": 1}])
    [[0, 2], [1]]
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, config in enumerate(configs):
        groups.setdefault(_shape(Config.parse(config)), []).append(i)
    return list(groups.values())


class Ensemble:
    """Ensemble of N small GANs and their optimisers; one `step` is one step of each.

    Each member is the training `small_gan.build(config)`: the same weights to begin with, the same
    batches, the same updates in the same order, but for rounding. No member sees another: one that
    has become NaN leaves the others as they are.

    Args:
        configs: One configuration a member; `data`, `width`, `depth`, `zdim` and `batch` are to be
            the same for all.
        dtype: Type of weights, batches and samples.

    Raises:
        OptionError: no member, or members of different shapes.
        ValueError: a key or a value that `small_gan.Config` refuses.

    >>> ensemble = Ensemble([{"seed": seed, "lr_d": 1e-3} for seed in range(3)])
    >>> for step in range(20):
    ...     row = ensemble.step(step)
    >>> row["discriminator/loss"].shape, ensemble.sample(n=5, seed=0).shape
    (torch.Size([3]), torch.Size([3, 5, 2]))

    A member can go back to an earlier state, and on from there with other settings:

    >>> state = ensemble.member_state(0)
    >>> values = ensemble.step_values(20)
    >>> values.shape
    torch.Size([7, 3])
    >>> ensemble.load_member_state(0, state)
    >>> ensemble.reconfigure(0, lr_d=1e-4)
    >>> ensemble.configs[0].lr_d, ensemble.configs[1].lr_d
    (0.0001, 0.001)
    """

    changeable: ClassVar = CHANGEABLE
    """Keys whose values `reconfigure` changes."""

    def __init__(
        self, configs: Sequence[Mapping[str, Any]], dtype: torch.dtype = torch.float32
    ) -> None:
        self._configs = [Config.parse(config) for config in configs]
        _check_shapes(self._configs)
        self.dtype = dtype
        first = self._configs[0]
        self._squash = first.data == "digits"
        features = 64 if first.data == "digits" else 2
        hidden = [first.width] * first.depth
        layouts = {
            "generator": Layout([first.zdim, *hidden, features]),
            "discriminator": Layout([features, *hidden, 1]),
        }
        blocks = {
            name: torch.empty(len(self), layout.size, dtype=dtype)
            for name, layout in layouts.items()
        }
        for i, config in enumerate(self._configs):
            for name, network in make_players(config).items():
                drawn = [parameter.detach() for parameter in network.parameters()]
                blocks[name][i] = layouts[name].pack(drawn)
        self._players = {name: Stack(layouts[name], block) for name, block in blocks.items()}
        self._optimizers = {
            name: StackedOptimizer(block, self._configs, name) for name, block in blocks.items()
        }
        generator, discriminator = self._players["generator"], self._players["discriminator"]
        self._making = Pass(generator, first.batch, leak=0.0)
        self._judging = Pass(discriminator, 2 * first.batch, leak=LEAK)
        self._fooling = Pass(discriminator, first.batch, leak=LEAK, room=self._judging)
        self._seen = torch.empty(len(self), 2 * first.batch, features, dtype=dtype)
        self._batches = Batches(self._configs, dtype)
        self._objectives = Objectives(self._configs, dtype)
        self._plans: dict[str, Plan] = {}
        self._planned = range(0)
        self._next = 0

    def __len__(self) -> int:
        return len(self._configs)

    @property
    def configs(self) -> tuple[Config, ...]:
        """Configurations of the members, as they are now."""
        return tuple(self._configs)

    # -------------------------------------------------------------------------------- training

    def step(self, step: int) -> dict[str, Tensor]:
        """Train every member for one step, and return what is recorded of it.

        The names and their meaning are those of `small_gan.SmallGAN.step`, all seven for every
        member; `discriminator/penalty` is 0 for those without one.

        Args:
            step: Number of the step, from 0; batches and rhythms depend on it.

        Returns:
            Each of `QUANTITIES` to its values, [N].
        """
        return dict(zip(QUANTITIES, self.step_values(step), strict=True))

    def step_values(self, step: int) -> Tensor:
        """Train every member for one step as `step` does, and return the values as one tensor.

        Args:
            step: Number of the step, from 0.

        Returns:
            Values of `QUANTITIES`, [7, N], in their order.
        """
        row = self._plan(step)
        batch = self._batches.at(step)
        fake = self._generate(batch)

        judged = self._train_discriminators(batch, fake, row)
        fooled = self._train_generators(fake, row)
        return torch.stack((*judged, *fooled))

    def _train_discriminators(self, batch: Batch, fake: Tensor, row: int) -> tuple[Tensor, ...]:
        """Update the discriminators on `_seen`: the first five of `QUANTITIES`, [N] each."""
        player = self._players["discriminator"]
        logits = self._judging.forward(self._seen)
        loss, back = _loss_and_slope(self._objectives.discriminator, logits)
        self._judging.by_weights(back)
        penalty = torch.zeros_like(loss)
        if self._objectives.penalised:
            depends = self._objectives.penalty(player, batch, fake)
            player.add_gradient(depends)
            penalty = depends.detach()
        norm = self._descend("discriminator", row)
        outputs = self._objectives.outputs(logits.squeeze(2)).view(len(self), 2, -1).mean(2)
        return (*outputs.unbind(1), penalty, loss + penalty, norm)

    def _train_generators(self, fake: Tensor, row: int) -> tuple[Tensor, ...]:
        """Update the generators on D(fake): the last two of `QUANTITIES`, [N] each."""
        loss, back = _loss_and_slope(self._objectives.generator, self._fooling.forward(fake))
        back = self._fooling.by_input(back)
        if self._squash:
            torch.ops.aten.tanh_backward.grad_input(back, fake, grad_input=back)
        self._making.by_weights(back)
        return loss, self._descend("generator", row)

    def _generate(self, batch: Batch) -> Tensor:
        """Generate G(z) [N, batch, features]; `_seen` has it too, behind the real rows."""
        fake = self._making.forward(batch.noise)
        if self._squash:
            fake.tanh_()
        torch.cat([batch.real, fake], dim=1, out=self._seen)
        return fake

    def _descend(self, name: str, row: int) -> Tensor:
        """Update the players that are due: the norms [N] of all players' gradients."""
        gradient = self._players[name].gradient()
        norms: Tensor = torch.linalg.vector_norm(gradient, dim=1)
        self._optimizers[name].update(gradient, self._plans[name], row)
        return norms

    def _plan(self, step: int) -> int:
        """Row of the optimisers' plans for `step`; the plans reach to the end of its chunk."""
        if step not in self._planned or step != self._next:
            steps = CHUNK - step % CHUNK
            self._planned = range(step, step + steps)
            for name, optimizer in self._optimizers.items():
                self._plans[name] = optimizer.plan(step, steps)
        self._next = step + 1
        return step - self._planned.start

    # --------------------------------------------------------------------------------- samples

    def sample(self, n: int, seed: int) -> Tensor:
        """Draw samples of every member, each as its solo training's `sample(n, seed)` would.

        Args:
            n: Number of samples of each member.
            seed: Seed of the noise, beside the member's own seed.

        Returns:
            Samples [N, n, features].
        """
        noise = sample_noise(self._configs, n, seed).to(self.dtype)
        with torch.no_grad():
            return generate(self._players["generator"].layers, noise, self._squash)

    # --------------------------------------------------------------------------------- members

    def member_state(self, i: int) -> dict[str, Any]:
        """Copy the state of one member, in the form of its solo training's `state_dict`.

        Args:
            i: Number of the member, from 0.

        Returns:
            Weights and optimiser's tensors of each player, by name, in copies.

        Raises:
            IndexError: there is no member i.
        """
        state: dict[str, Any] = {}
        for name, player in self._players.items():
            state[name] = player.layout.unpack_state(player.block[i])
            state[f"{name}_optimizer"] = self._optimizers[name].member_state(i, player.layout)
        return state

    def load_member_state(self, i: int, state: Mapping[str, Any]) -> None:
        """Put one member into a state of its solo training's `state_dict`.

        Args:
            i: Number of the member, from 0.
            state: State as `member_state` or `small_gan.SmallGAN.state_dict` gives it, for a
                network of the ensemble's shape.

        Raises:
            IndexError: there is no member i.
            KeyError: the state lacks a player, or a tensor of one.
            RuntimeError: a tensor has another shape.
        """
        for name, player in self._players.items():
            player.block[i] = player.layout.pack_state(state[name]).to(self.dtype)
            kept = state[f"{name}_optimizer"]
            self._optimizers[name].load_member_state(i, player.layout, kept)
        self._planned = range(0)

    def reconfigure(self, i: int, **changes: Any) -> None:
        """Change one member's configuration from the next step on; its state stays.

        Args:
            i: Number of the member, from 0.
            changes: Values of keys in `CHANGEABLE`.

        Raises:
            IndexError: there is no member i.
            ValueError: a key that cannot change while a member trains, or a value that
                `small_gan.Config` refuses.
        """
        for key in changes:
            if key not in CHANGEABLE:
                raise ValueError(
                    f"{key!r} cannot change while a member trains: "
                    f"those that can are {', '.join(CHANGEABLE)}"
                )
        old = self._configs[i]
        new = Config.parse(asdict(old) | changes)
        self._configs[i] = new
        for optimizer in self._optimizers.values():
            optimizer.reconfigured(i, old, new)
            optimizer.configure(self._configs)
        self._objectives = Objectives(self._configs, self.dtype)
        self._planned = range(0)


def _loss_and_slope(loss: Callable[[Tensor], Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    """Losses [N] of the members from raw outputs [N, n, 1], and their gradients by these."""
    leaf = logits.detach().requires_grad_()
    losses = loss(leaf.squeeze(2))
    (slope,) = torch.autograd.grad(losses, leaf, torch.ones_like(losses))
    return losses.detach(), slope


def _shape(config: Config) -> tuple[Any, ...]:
    """Values of the keys `SHAPE`."""
    return tuple(getattr(config, key) for key in SHAPE)


def _check_shapes(configs: Sequence[Config]) -> None:
    """Raise OptionError where there is no member, or members differ in shape."""
    if not configs:
        raise OptionError("an ensemble has no members: give one configuration or more")
    for i, config in enumerate(configs):
        for key in SHAPE:
            first, own = getattr(configs[0], key), getattr(config, key)
            if first != own:
                raise OptionError(
                    f"member {i} has {key} {own!r} and member 0 has {first!r}: members of an "
                    "ensemble share it, so group them with by_shape first"
                )
