"""All trainings of the bench: twins, healthy settings, faults; each trained once into a cache."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from faults.games import RECIPES, Game, Setting
from faults.kinds import KINDS, TRAININGS
from faults.vaes import VAE, Vae, VaeSetting

SEEDS = 5
HEALTHY = {"ring": 5, "digits": 6, "dcgan": 2, "wgangp": 3, "vae": 9}
"""Number of healthy settings of each recipe beside the twins', each trained with all seeds."""
OBJECTIVES = ("ns", "hinge", "ls", "relativistic")


@dataclass(frozen=True)
class Member:
    """One training of the bench."""

    group: str
    """Group: twin, healthy0 and so on, or the kind of the fault."""
    recipe: str
    seed: int

    @property
    def name(self) -> str:
        """Name, which is that of its file."""
        return f"{self.recipe}-{self.group}-{self.seed}"

    @property
    def is_fault(self) -> bool:
        """Whether there is a fault in it."""
        return self.group != "twin" and not self.group.startswith("healthy")


def groups() -> Iterator[tuple[str, str]]:
    """Groups with their recipes."""
    for recipe in HEALTHY:
        yield "twin", recipe
    for kind in KINDS:
        for recipe in kind.recipes:
            yield kind.name, recipe
    for recipe, count in HEALTHY.items():
        for number in range(count):
            yield f"healthy{number}", recipe


def members() -> Iterator[Member]:
    """All trainings."""
    for group, recipe in groups():
        for seed in range(SEEDS):
            yield Member(group, recipe, seed)


def setting_of(group: str, recipe: str) -> Setting | VaeSetting:
    """Setting of a group's trainings, before their fault."""
    base = VAE if recipe == "vae" else RECIPES[recipe]
    if not group.startswith("healthy"):
        return base
    number = int(group.removeprefix("healthy"))
    rng = np.random.default_rng([7, number, list(HEALTHY).index(recipe)])
    factor = float(np.exp(rng.uniform(-0.3, 0.5)))
    batch = int(base.batch * rng.choice([0.5, 1.0, 1.5]))
    if isinstance(base, VaeSetting):
        weight = float(rng.choice([0.5, 1.0]))
        latents = int(rng.choice([6, 8, 12]))
        return replace(
            base, rate=factor * base.rate, batch=batch, kl_weight=weight, latents=latents
        )
    objective = base.objective
    if recipe in ("ring", "digits", "dcgan"):
        objective = OBJECTIVES[(number + 1) % len(OBJECTIVES)]
    return replace(
        base,
        objective=objective,
        lr_d=factor * base.lr_d,
        lr_g=factor * base.lr_g,
        batch=batch,
        beta1=float(rng.choice([0.0, 0.5])),
    )


def path_of(member: Member, work: Path) -> Path:
    """File of a training."""
    return work / f"{member.name}.npz"


def train(group: str, recipe: str, work: Path) -> None:
    """Train a group's members that are not there yet: all at once, but for images."""
    wanted = [Member(group, recipe, seed) for seed in range(SEEDS)]
    if all(path_of(member, work).exists() for member in wanted):
        return
    stacks = [wanted] if recipe != "dcgan" else [[member] for member in wanted]
    cls, setting = TRAININGS.get(group), setting_of(group, recipe)
    for stack in stacks:
        seed = zlib.crc32(f"{recipe} {stack[0].seed}".encode())  # that of the twin, too
        training: Game | Vae
        if isinstance(setting, VaeSetting):
            assert cls is None or issubclass(cls, Vae)
            training = (cls or Vae)(setting, seed, len(stack))
        else:
            assert cls is None or issubclass(cls, Game)
            training = (cls or Game)(setting, seed, len(stack))
        for member, recording in zip(stack, training.train(), strict=True):
            recording.write(path_of(member, work))
