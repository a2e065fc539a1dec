"""Action: one change of settings by a controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from dlcc.control.rules import rule_name


@dataclass(frozen=True)
class Action:
    """Change of settings by a controller.

    >>> action = Action(450, 4, {"lr_g": 0.02}, {"lr_g": 0.01}, 0.4)
    >>> action.words
    'step 450, swinging: lr_g 0.02 -> 0.01'
    >>> Action.from_dict(action.to_dict()) == action
    True
    """

    step: int
    """Step after which the action was made; -1 before the first step."""
    rule: int
    """Number of the rule that made it; `dlcc.control.rules.rule_name` gives its name."""
    before: Mapping[str, float]
    """Setting -> value before the change, for all settings that may change."""
    after: Mapping[str, float]
    """Setting -> value after the change."""
    measure: float
    """Measure of the rule when it acted."""

    @property
    def words(self) -> str:
        """Description such as `step 450, swinging: lr_g 0.02 -> 0.01, lr_d 0.04 -> 0.02`."""
        changed = ", ".join(
            f"{field} {self.before[field]:g} -> {value:g}"
            for field, value in self.after.items()
            if value != self.before[field]
        )
        when = "before the first step" if self.step < 0 else f"step {self.step:,}"
        return f"{when}, {rule_name(self.rule)}: {changed}"

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values, for a state.

        Returns:
            Name of a field -> its value.
        """
        return asdict(self) | {"before": dict(self.before), "after": dict(self.after)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the action of `to_dict` again.

        Args:
            values: Plain values.

        Returns:
            The action.
        """
        return cls(**values)
