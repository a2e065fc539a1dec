"""Modes of AKDE-BO, and what each begins with."""

from __future__ import annotations

from dataclasses import dataclass

from dlcc.errors import OptionError, did_you_mean


@dataclass(frozen=True)
class Mode:
    """One way to shape a loss.

    >>> MODES["sculpt"].steers_rate
    True
    """

    penalty: float
    """Strength of the penalty at first."""
    bounds: tuple[float, float]
    """Lowest and highest strength."""
    alpha: float
    """Weight of stability in the objective, 0 to 1."""
    sign: float = 1.0
    """Sign of the penalty."""
    steers_rate: bool = False
    """Whether learning rates are steered too."""
    gate: bool = False
    """Whether settings are left alone while quality is good or rising, and the best state kept."""
    judged_by_rival: bool = True
    """Whether a GAN's quality is what its discriminator believes, as the study has it."""


MODES = {
    "sculpt": Mode(1.0, (1e-3, 1e2), alpha=0.0, steers_rate=True, gate=True, judged_by_rival=False),
    "literal": Mode(0.1, (1e-3, 1e1), alpha=0.5),
    "flipped": Mode(0.1, (1e-3, 1e1), alpha=0.5, sign=-1.0),
    "reweight": Mode(0.1, (1e-3, 0.33), alpha=0.5),
}
"""`literal` is the study's: +λ·I. `flipped` has −λ·I, which draws gradients together. `reweight`
weights rows by 1 + λ o_i. `sculpt` penalises slopes by the data, γ/2 E‖∇ₓ D‖²."""


def mode_of(name: str) -> Mode:
    """Look a mode up.

    Args:
        name: One of `MODES`.

    Raises:
        OptionError: There is no such mode.

    >>> mode_of("flipped").sign
    -1.0
    """
    if name not in MODES:
        raise OptionError(
            f"control: AKDE-BO has no mode {name!r}{did_you_mean(name, MODES)}; choose one of "
            f"{', '.join(MODES)}"
        )
    return MODES[name]
