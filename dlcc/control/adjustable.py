"""Settings that a controller may change of a training, and their bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dlcc.errors import OptionError

if TYPE_CHECKING:
    from dlcc.ensembles import ConvEnsemble, Ensemble
    from dlcc.recipes.image_gans.akde_dcgan import DCGAN
    from dlcc.recipes.image_gans.usual_gan import UsualGAN
    from dlcc.recipes.small_gan.training import SmallGAN

_RATE_FIELDS = {"generator": "lr_g", "discriminator": "lr_d"}
_WHOLE = ("g_every", "d_every")
_USUAL = {
    "lr": (1e-4, 1e-1),
    "r1": (0.0, 10.0),
    "g_every": (1.0, 5.0),
    "d_every": (1.0, 5.0),
}
"""Setting -> (lowest, highest) value where the user sets no bounds, widened to the present value;
`lr` stands for every learning rate."""


class Adjustable(Protocol):
    """Training whose settings may change while it runs: the interface of what a controller steers.

    >>> from dlcc.control import Adjustable
    >>> class OneRate:
    ...     def __init__(self):
    ...         self.rate = 0.01
    ...     def settings(self):
    ...         return {"lr_g": self.rate}
    ...     def adjust(self, lr_g):
    ...         self.rate = lr_g
    >>> steered: Adjustable = OneRate()
    >>> steered.adjust(lr_g=0.005)
    >>> steered.settings()
    {'lr_g': 0.005}
    """

    def settings(self) -> Mapping[str, float]:
        """Read the settings that may change, as they are now.

        Returns:
            Setting -> value: some of `lr_g`, `lr_d`, `r1`, `g_every`, `d_every`, or rates
            `lr_<player>`.
        """
        ...

    def adjust(self, **changes: float) -> None:
        """Change some settings from the next step on.

        Args:
            changes: Setting -> new value in the setting's unit; of those that `settings` gives.

        Raises:
            Exception: A setting is unknown, or a value cannot be set; of what class is the
                training's own choice. A controller stays within bounds and asks for neither.
        """
        ...


@runtime_checkable
class Restartable(Adjustable, Protocol):
    """Training that can also begin anew, with the weights that it began with."""

    def begin_anew(self) -> None:
        """Put weights and optimisers back to what they were at first; settings stay."""
        ...


@dataclass(frozen=True)
class Bounds:
    """Values that a setting may take, both ends included.

    >>> from dlcc.control import Bounds
    >>> Bounds(1e-4, 1e-2).clip(0.05)
    0.01
    """

    low: float
    """Lowest value."""
    high: float
    """Highest value."""

    def clip(self, value: float) -> float:
        """Find the nearest value that is allowed.

        Args:
            value: Value that is wanted.

        Returns:
            `value` where it lies within the bounds, else the nearer bound.
        """
        return min(self.high, max(self.low, value))


def bounds_of(
    settings: Mapping[str, float], given: Mapping[str, tuple[float, float]] | None
) -> dict[str, Bounds]:
    """Determine which settings may change, and between which values.

    Args:
        settings: Setting -> present value.
        given: Setting -> (lowest, highest) value; settings that are not named must stay. None for
            usual bounds of learning rates and R1's weight: how often a player is updated changes
            only where it is named.

    Returns:
        Setting -> bounds, for every setting that may change.

    Raises:
        OptionError: A bound is empty, excludes the present value, or is of no setting.

    >>> from dlcc.control import bounds_of
    >>> bounds_of({"lr_g": 0.001, "lr_d": 0.3, "d_every": 1}, None)
    {'lr_g': Bounds(low=0.0001, high=0.1), 'lr_d': Bounds(low=0.0001, high=0.3)}
    >>> bounds_of({"lr_g": 0.001, "lr_d": 0.004}, {"lr_d": (1e-3, 1e-2)})
    {'lr_d': Bounds(low=0.001, high=0.01)}
    """
    if given is None:
        usual = usual_bounds(settings)
        return {field: Bounds(*usual[field]) for field in settings if field not in _WHOLE}
    found = {}
    for field, (low, high) in given.items():
        if field not in settings:
            raise OptionError(
                f"control: {field!r} is no setting of this training; "
                f"those that may change are {', '.join(settings)}"
            )
        if not (math.isfinite(low) and math.isfinite(high) and 0 <= low <= high):
            raise OptionError(
                f"control: {field} is bounded by {low:g}..{high:g}; give two numbers, "
                "0 <= low <= high"
            )
        value = settings[field]
        if not low <= value <= high:
            raise OptionError(
                f"control: {field} is {value:g}, outside of its bounds {low:g}..{high:g}; widen "
                "them, or begin inside"
            )
        if field in _WHOLE and low < 1:
            raise OptionError(f"control: {field} is bounded by {low:g}..{high:g}; give 1 or more")
        found[field] = Bounds(float(low), float(high))
    if not found:
        raise OptionError("control: no setting may change; give bounds such as lr_d=1e-4..1e-2")
    return found


def parse_bounds(texts: list[str]) -> dict[str, tuple[float, float]] | None:
    """Read bounds from texts `FIELD=LOW..HIGH`; None for no text.

    Raises:
        OptionError: A text is not of this form.
    """
    found = {}
    for text in texts:
        field, equals, span = text.partition("=")
        low, dots, high = span.partition("..")
        try:
            if not (field and equals and dots):
                raise ValueError
            found[field] = float(low), float(high)
        except ValueError:
            raise OptionError(
                f"--bound {text!r}: expected FIELD=LOW..HIGH such as lr_d=1e-4..1e-2"
            ) from None
    return found or None


def usual_bounds(settings: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Usual bounds of all settings, wide enough for their present values."""
    found = {}
    for field, value in settings.items():
        low, high = _USUAL["lr" if field.startswith("lr_") else field]
        found[field] = (min(low, value), max(high, value))
    return found


class OptimizerRates:
    """Learning rates of a training's own optimisers, as a controller steers them.

    Settings are `lr_g` for the player `generator`, `lr_d` for `discriminator`, and `lr_<player>`
    for any other. Where the parameter groups of an optimiser have different rates, the first one is
    set and the others keep their ratios to it.

    Args:
        optimizers: Player -> its `torch.optim` optimiser.

    Raises:
        OptionError: There is no optimiser, or a rate is 0.

    >>> import torch
    >>> from dlcc.control import OptimizerRates
    >>> weight = torch.nn.Parameter(torch.zeros(3))
    >>> rates = OptimizerRates({"discriminator": torch.optim.Adam([weight], lr=0.004)})
    >>> rates.adjust(lr_d=0.002)
    >>> rates.settings()
    {'lr_d': 0.002}
    """

    def __init__(self, optimizers: Mapping[str, Any]) -> None:
        if not optimizers:
            raise OptionError("control: no optimiser; give {'generator': optimiser, ...}")
        self._optimizers = {
            _RATE_FIELDS.get(player, f"lr_{player}"): optimizer
            for player, optimizer in optimizers.items()
        }
        self._base = {
            field: [float(group["lr"]) for group in optimizer.param_groups]
            for field, optimizer in self._optimizers.items()
        }
        for field, rates in self._base.items():
            if not rates[0] > 0:
                raise OptionError(f"control: {field} is {rates[0]:g}; give a rate above 0")

    def settings(self) -> dict[str, float]:
        """Read the rate of each player's first parameter group.

        Returns:
            Setting -> learning rate.
        """
        return {f: float(o.param_groups[0]["lr"]) for f, o in self._optimizers.items()}

    def adjust(self, **changes: float) -> None:
        """Set learning rates; the other parameter groups keep their ratios to the first.

        Args:
            changes: Setting -> new learning rate of the player's first group, above 0.

        Raises:
            KeyError: There is no optimiser for a setting.
        """
        for field, value in changes.items():
            base = self._base[field]
            for group, own in zip(self._optimizers[field].param_groups, base, strict=True):
                rate = value if own == base[0] else own * (value / base[0])
                if hasattr(group["lr"], "fill_"):  # a tensor, where the optimiser is capturable
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate


class SmallGANSettings:
    """Settings of a recipe's training.

    Args:
        training: Training that is steered, before its first step.
    """

    def __init__(self, training: SmallGAN) -> None:
        self.training = training
        self._first = training.state_dict()

    def settings(self) -> dict[str, float]:
        """Read learning rates, R1's weight and how often each player is updated."""
        from dlcc.recipes.small_gan.controlled import settings_of

        return settings_of(self.training)

    def adjust(self, **changes: float) -> None:
        """Change some settings from the next step on."""
        from dlcc.recipes.small_gan.controlled import change_settings

        change_settings(self.training, changes)

    def begin_anew(self) -> None:
        """Put weights and optimisers back to what they were at first; settings stay."""
        now = self.settings()
        self.training.load_state_dict(self._first)
        self.adjust(**now)


class MemberSettings:
    """Settings of one member of an ensemble.

    Args:
        ensemble: Ensemble of trainings, before its first step.
        member: Index of the member that is steered.
    """

    def __init__(self, ensemble: Ensemble | ConvEnsemble, member: int) -> None:
        self.ensemble, self.member = ensemble, member
        self._first: Any = ensemble.member_state(member)

    def settings(self) -> dict[str, float]:
        """Read learning rates, R1's weight and, of small GANs, how often players are updated."""
        from dlcc.recipes.small_gan.controlled import FIELDS

        config = self.ensemble.configs[self.member]
        return {f: getattr(config, f) for f in FIELDS if f in self.ensemble.changeable}

    def adjust(self, **changes: float) -> None:
        """Change some settings from the next step on."""
        whole = {f: round(v) if f in _WHOLE else v for f, v in changes.items()}
        self.ensemble.reconfigure(self.member, **whole)

    def begin_anew(self) -> None:
        """Put weights and optimisers back to what they were at first; settings stay."""
        self.ensemble.load_member_state(self.member, self._first)


class ImageGANSettings:
    """Settings of a GAN on images, as the recipes train it: both rates and R1's weight.

    Args:
        training: Training of `image-gan` or `akde-dcgan`, before its first step.

    >>> from dlcc.recipes.image_gans import usual_gan
    >>> training = usual_gan.build({"width": 4, "batch": 4, "norm": "generator"})
    >>> settings = ImageGANSettings(training)
    >>> settings.adjust(lr_d=1e-3, r1=0.1)
    >>> settings.settings()
    {'lr_g': 0.0002, 'lr_d': 0.001, 'r1': 0.1}
    """

    def __init__(self, training: UsualGAN | DCGAN) -> None:
        self.training = training
        self._rates = OptimizerRates(training.optimizers)
        self._first = training.state_dict()

    def settings(self) -> dict[str, float]:
        """Read learning rates and R1's weight."""
        return {**self._rates.settings(), "r1": self.training.config.r1}

    def adjust(self, **changes: float) -> None:
        """Change some settings from the next step on."""
        config: Any = self.training.config
        if "r1" in changes:
            self.training.config = replace(config, r1=changes["r1"])
        self._rates.adjust(**{f: v for f, v in changes.items() if f != "r1"})

    def begin_anew(self) -> None:
        """Put weights and optimisers back to what they were at first; settings stay."""
        now = self.settings()
        self.training.load_state_dict(self._first)
        self.adjust(**now)
