"""Convolutional GANs on images, trained together: every member is what it would be alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor

from dlcc.ensembles.convolutional.block import Block
from dlcc.errors import OptionError
from dlcc.recipes.data.images import load_images
from dlcc.recipes.image_gans.usual_gan import Config, UsualGAN, normalises_rival

SHAPE = ("data", "folder", "net", "norm", "width", "zdim", "batch", "d_steps")
"""Keys of the configuration that members of one ensemble share."""
RIVAL_NORM = "batch norm in D"
"""Name of what members share besides: whether there is batch norm that no penalty has ruled out."""
TOGETHER = 16
"""Members that are trained in the same operations; of more, what lies between layers outgrows the
processor's cache, and memory for it is asked for anew in every step."""
CHANGEABLE = ("lr_g", "lr_d", "r1")
"""Keys of the configuration that may change while a member trains."""
QUANTITIES = (
    "discriminator/real",
    "discriminator/fake",
    "discriminator/loss",
    "discriminator/grad_norm",
    "generator/loss",
    "generator/grad_norm",
)
"""Quantities that a step records of every member, in this order."""


def by_conv_shape(configs: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Group the configurations of `image-gan` that fit one ensemble of convolutional networks.

    Args:
        configs: Configurations of `usual_gan.Config`, key to value; keys left out take defaults.

    Returns:
        Indices into `configs`, one list for each shape, in the order in which the shapes occur: the
        values of the keys `SHAPE`, and whether the discriminator has batch norm, which it has not
        beside penalties. Those of other nets than `conv` are in none.

    Raises:
        ValueError: a key or a value that `usual_gan.Config` refuses.

    >>> by_conv_shape([{"width": 8}, {"r1": 1.0}, {"width": 8, "loss": "ls"}, {"net": "dense"}])
    [[0, 2], [1]]
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, config in enumerate(map(Config.parse, configs)):
        if config.net == "conv":
            groups.setdefault(tuple(_shape(config).values()), []).append(i)
    return list(groups.values())


class ConvEnsemble:
    """Ensemble of N convolutional GANs on images; one `step` is one step of each.

    Each member is the training `usual_gan.build(config)`: the same weights to begin with, the same
    batches, noise and dropped units, the same updates in the same order, but for rounding. No
    member sees another: one that has become NaN leaves the others as they are.

    Args:
        configs: One configuration a member, of the net `conv`; what `SHAPE` names is to be the same
            for all, and whether the discriminator has batch norm. Losses, penalties, dropout,
            averages, optimisers, rates, lengths and seeds may differ.
        dtype: Type of weights and batches.

    Raises:
        OptionError: no member, members of different shapes, or of another net.
        ValueError: a key or a value that `usual_gan.Config` refuses.
        RunError: files of the data are missing or damaged.

    >>> shape = {"width": 4, "batch": 8}
    >>> ensemble = ConvEnsemble([{**shape, "lr_d": rate} for rate in (1e-4, 1e-3)])
    >>> row = ensemble.step(0)
    >>> row["discriminator/loss"].shape, ensemble.step_values(1).shape
    (torch.Size([2]), torch.Size([6, 2]))

    Its weights can be looked at, and changed, as it trains:

    >>> weights = ensemble.weights(0)["discriminator"]
    >>> weights.ndim, torch.equal(weights, ensemble.weights(1)["discriminator"])
    (1, False)

    One member on its own draws samples, and goes on alone:

    >>> ensemble.member(1).sample(n=5, seed=0).shape
    torch.Size([5, 1, 28, 28])

    Some of its settings can change on the way, and it can go back to an earlier state:

    >>> state = ensemble.member_state(1)
    >>> ensemble.reconfigure(1, lr_d=5e-4)
    >>> ensemble.load_member_state(1, state)
    >>> ensemble.configs[1].lr_d
    0.0005
    """

    changeable: ClassVar = CHANGEABLE
    """Keys whose values `reconfigure` changes."""

    def __init__(
        self, configs: Sequence[Mapping[str, Any]], dtype: torch.dtype = torch.float32
    ) -> None:
        parsed = [Config.parse(config) for config in configs]
        _check_shapes(parsed)
        images = load_images(parsed[0].data, parsed[0].folder)
        count = math.ceil(len(parsed) / TOGETHER)
        starts = [len(parsed) * k // count for k in range(count + 1)]
        self._blocks = [Block(parsed[a:b], images, dtype) for a, b in pairwise(starts)]
        self._places = [(block, i) for block in self._blocks for i in range(len(block.configs))]

    def __len__(self) -> int:
        return len(self._places)

    @property
    def configs(self) -> tuple[Config, ...]:
        """Configurations of the members, as they are now."""
        return tuple(config for block in self._blocks for config in block.configs)

    def step(self, step: int) -> dict[str, Tensor]:
        """Train every member for one step, and return what is recorded of it.

        The names and their meaning are those of `usual_gan.UsualGAN.step`.

        Args:
            step: Number of the step, from 0; batches depend on it.

        Returns:
            Each of `QUANTITIES` to its values, [N].
        """
        return dict(zip(QUANTITIES, self.step_values(step), strict=True))

    def step_values(self, step: int) -> Tensor:
        """Train every member for one step as `step` does, and return the values as one tensor.

        Args:
            step: Number of the step, from 0.

        Returns:
            Values of `QUANTITIES`, [6, N], in their order.
        """
        return torch.cat([block.step_values(step) for block in self._blocks], dim=1)

    def weights(self, i: int) -> dict[str, Tensor]:
        """View the weights of a member, which change in place as it trains.

        Args:
            i: Number of the member.

        Returns:
            Player to its weights in a row [P].

        Raises:
            IndexError: there is no member i.
        """
        block, place = self._places[i]
        return {name: stack.block[place] for name, stack in block.stacks().items()}

    def reconfigure(self, i: int, **changes: Any) -> None:
        """Change one member's configuration from the next step on; its state stays.

        Args:
            i: Number of the member, from 0.
            changes: Values of keys in `CHANGEABLE`. A penalty can be raised from 0 only where the
                discriminator has no batch norm, as in a training that begins with one.

        Raises:
            IndexError: there is no member i.
            OptionError: a key that cannot change while a member trains, or a penalty beside batch
                norm.
            ValueError: a value that `usual_gan.Config` refuses.
        """
        for key in changes:
            if key not in CHANGEABLE:
                raise OptionError(
                    f"{key!r} cannot change while a member trains: "
                    f"those that can are {', '.join(CHANGEABLE)}"
                )
        block, place = self._places[i]
        block.reconfigure(place, changes)

    def member_state(self, i: int) -> list[Tensor]:
        """Copy the state of one member: weights, running statistics, averages and optimisers.

        Args:
            i: Number of the member, from 0.

        Returns:
            Weights of each player in a row [P], and what belongs to them, for `load_member_state`.

        Raises:
            IndexError: there is no member i.
        """
        block, place = self._places[i]
        return [value[place].clone() for value in block.values()]

    def load_member_state(self, i: int, state: Sequence[Tensor]) -> None:
        """Put one member back into a state of `member_state`; its configuration stays.

        Args:
            i: Number of the member, from 0.
            state: State of the same member, of weights in a row [P] and what belongs to them.

        Raises:
            IndexError: there is no member i.
        """
        block, place = self._places[i]
        for value, kept in zip(block.values(), state, strict=True):
            value[place] = kept
        block.replan()

    def member(self, i: int) -> UsualGAN:
        """Copy one member into a solo training, which goes on from there alone or draws samples.

        Args:
            i: Number of the member, from 0.

        Returns:
            Training in single precision with the member's weights, averages and optimisers.

        Raises:
            IndexError: there is no member i.
        """
        block, place = self._places[i]
        return block.member(place)


def _shape(config: Config) -> dict[str, Any]:
    """Name and value of what members share."""
    shared = {key: getattr(config, key) for key in SHAPE}
    return shared | {RIVAL_NORM: normalises_rival(config)}


def _check_shapes(configs: Sequence[Config]) -> None:
    """Raise OptionError where there is no member, or members differ in shape."""
    if not configs:
        raise OptionError("an ensemble has no members: give one configuration or more")
    first = _shape(configs[0])
    for i, config in enumerate(configs):
        if config.net != "conv":
            raise OptionError(f"member {i} has net {config.net!r}: only 'conv' is trained together")
        for key, own in _shape(config).items():
            if first[key] != own:
                raise OptionError(
                    f"member {i} has {key} {own!r} and member 0 has {first[key]!r}: members of an "
                    "ensemble share it, so group them with by_conv_shape first"
                )
