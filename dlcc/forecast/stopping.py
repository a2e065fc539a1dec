"""Advice whether to stop a training early, by what it is expected to save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dlcc.errors import OptionError
from dlcc.estimate import Estimate

COST = 3.0
"""Usual cost of stopping a healthy run, in whole trainings."""
Action = Literal["stop", "go on", "look"]


@dataclass(frozen=True)
class Stopping:
    """Advice on a run of which a share is seen.

    Stopping now saves the rest of the training for sure. It loses a run that would have ended
    healthy with P(healthy), and that costs as much as some whole trainings.
    """

    action: Action
    """`stop` where this saves over the whole 90 % interval of P(healthy), `go on` where it costs,
    and `look` in between."""
    saving: float
    """Expected saving of stopping now, in whole trainings of this length; below 0 it costs."""
    interval: tuple[float, float]
    """Saving at both ends of the 90 % interval of P(healthy)."""
    cost: float
    """Cost of stopping a healthy run, in whole trainings."""

    @property
    def words(self) -> str:
        """Advice in a few words."""
        low, high = self.interval
        size = f"{abs(self.saving):.2f} trainings ({low:+.2f} to {high:+.2f})"
        says = f"would save {size}" if self.saving > 0 else f"would cost {size}"
        return f"{self.action}: stopping {says}, if a healthy run is worth {self.cost:g}"


def stopping(p_healthy: Estimate, seen: float, cost: float = COST) -> Stopping:
    """Advise whether to stop a run.

    Args:
        p_healthy: Forecast of P(healthy).
        seen: Share of the configured length that is done, 0 to 1.
        cost: Cost of stopping a run that would have ended healthy, in whole trainings, above 0.

    Returns:
        The advice, with what stopping is expected to save.

    Raises:
        OptionError: The cost is not above 0.

    >>> stopping(Estimate.beta(2, 98), seen=0.1).words
    'stop: stopping would save 0.84 trainings (+0.76 to +0.89), if a healthy run is worth 3'
    >>> stopping(Estimate.beta(60, 40), seen=0.1).action, stopping(Estimate.beta(3, 7), 0.2).action
    ('go on', 'look')
    """
    if not cost > 0:
        raise OptionError(f"cost {cost:g}: expected a number above 0")
    left = max(0.0, 1 - seen)
    low, high = p_healthy.interval(0.9)
    least, most = left - high * cost, left - low * cost
    action: Action = "stop" if least > 0 else "go on" if most < 0 or not left else "look"
    return Stopping(action, left - p_healthy.mean * cost, (least, most), cost)
