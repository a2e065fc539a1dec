"""Role: which player's which quantity a column is."""

from __future__ import annotations

from dataclasses import dataclass

METRICS = "metrics"
"""Player of quality metrics, such as `metrics/fid`."""
NOT_SERIES = frozenset(
    ("time", "lr", "setting", "augmentation", "auxiliary", "axis", "count", "part")
)
"""Quantities that are known and are no series that a training is judged by."""


@dataclass(frozen=True)
class Role:
    """Role of a column.

    >>> Role("discriminator", "loss").name, Role("model", "loss", validation=True).name
    ('discriminator/loss', 'validation/loss')
    """

    player: str
    """Player, such as `generator` or `generator_a`; `metrics` for quality metrics; empty for
    quantities of no player."""
    quantity: str
    """Quantity: `loss`, `adversarial`, `real`, `fake`, `kl`, `fid`, ..."""
    validation: bool = False
    """Whether it was measured on data kept from the training."""

    @property
    def name(self) -> str:
        """Name of the series, `player/quantity`."""
        if self.validation:
            of_player = self.player not in ("model", METRICS, "")
            return (
                f"validation/{self.player}_{self.quantity}"
                if of_player
                else f"validation/{self.quantity}"
            )
        return f"{self.player}/{self.quantity}" if self.player else self.quantity

    @property
    def is_series(self) -> bool:
        """Whether a training can be judged by it."""
        return self.quantity not in NOT_SERIES


@dataclass(frozen=True)
class RoleOfColumn:
    """Role that a column was taken for, and why."""

    column: str
    role: Role | None
    """Role; None where none could be told."""
    confidence: float
    """Rank of the evidence: 1 the user's word, .95 a name, .85 the values. It orders columns that
    claim one role, and is no measured share."""
    why: str
    """Reason in words, for `dlcc inspect`."""
    used: bool = True
    """Whether the column is read as the role's series: of several, one is."""
