"""Series as witnesses of their roles: identities between columns, ranges and signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlcc.runs.raw_table import RawTable
from dlcc.typing import Floats

_FEWEST = 4
_ROUNDING = 0.02  # median deviation of a sum from its parts, relative to its size


@dataclass(frozen=True)
class Witness:
    """Columns of a table, compared with each other."""

    table: RawTable

    def together(self, *names: str) -> list[Floats]:
        """Read columns at the rows at which all of them are finite.

        Args:
            names: Columns of the table.

        Returns:
            Values [k] of each.
        """
        dense = [self.table.dense(name) for name in names]
        there = np.all([np.isfinite(values) for values in dense], axis=0)
        return [values[there] for values in dense]

    def is_sum(self, total: str, parts: Mapping[str, float]) -> bool:
        """Whether a column is a sum of others, but for rounding.

        Args:
            total: Column of the sum.
            parts: Columns to their factors.

        Returns:
            True where the median deviation is under 2 % of the sum's spread and size.
        """
        first, *others = self.together(total, *parts)
        if len(first) < _FEWEST:
            return False
        added = np.sum([f * o for f, o in zip(parts.values(), others, strict=True)], axis=0)
        size = float(np.median(np.abs(first))) or 1.0
        spread = float(np.std(first)) or size
        off = np.median(np.abs(first - added))
        return bool(off <= _ROUNDING * min(size, 10 * spread))


def side_is_a_loss(
    witness: Witness, sides: Sequence[str], named: Mapping[str, str]
) -> tuple[bool | None, str]:
    """Tell whether columns such as `D_real` and `D_fake` are parts of the loss, or outputs.

    Args:
        witness: Table of the columns.
        sides: Columns in question.
        named: Series that are known by name to their columns.

    Returns:
        True for parts of the loss, False for outputs, None where nothing tells; and the reason.
    """
    values = np.concatenate([witness.table.columns[name].values for name in sides])
    values = values[np.isfinite(values)]
    if any(name.startswith("discriminator/loss_") for name in named):
        return False, "the parts of the loss have columns of their own"
    total = named.get("discriminator/loss")
    if total is not None and len(sides) == 2:
        for factor in (1.0, 0.5):
            if witness.is_sum(total, dict.fromkeys(sides, factor)):
                return True, f"{factor:g} × ({sides[0]} + {sides[1]}) is {total}"
        if witness.is_sum(total, {sides[0]: -1.0, sides[1]: 1.0}):
            return False, f"{total} is their difference"
    if len(values) and (values < 0).any():
        return False, "negative values are no loss of a side"
    if total is None and "generator/adversarial" in named and len(values):
        return True, "no other column holds the discriminator's loss, and none is negative"
    if len(values) and values.max() <= 1 and len(sides) == 2 and total is not None:
        real, fake = witness.together(*sides)
        if len(real) >= _FEWEST and (real > fake).mean() > 0.9:
            return False, "shares between 0 and 1, higher for real rows"
    return None, "an output or a part of the loss: neither name nor values tell"
