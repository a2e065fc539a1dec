"""Series in what a program printed, such as the losses of a notebook's training loop."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from dlcc.records import DocumentSeries
from dlcc.runs.axis.step_axis import step_axis
from dlcc.runs.formats.text_log import parse_log
from dlcc.runs.roles import map_roles
from dlcc.typing import Floats

_FEWEST_ROWS, _MOST_ROWS, _MOST_SERIES = 3, 20_000, 20


def printed_series(file: str, line: int, text: str) -> list[DocumentSeries]:
    """Read the series in a text that a program printed.

    Args:
        file: Document that it stands in.
        line: Place in the document.
        text: What was printed.

    Returns:
        Series whose names tell which quantity they are; none where the text is no log.

    >>> text = "step 10 loss_d 0.51\\nstep 20 loss_d 0.42\\nstep 30 loss_d 0.33"
    >>> (found,) = printed_series("a.ipynb", 2, text)
    >>> found.series, found.steps, found.values, found.tolerance
    ('discriminator/loss', (10.0, 20.0, 30.0), (0.51, 0.42, 0.33), 0.005)
    """
    table = parse_log(text.replace("\r", "\n").split("\n"))
    if table is None or not _FEWEST_ROWS <= table.rows <= _MOST_ROWS:
        return []
    axis = step_axis(table)
    found = []
    for series, name in [*map_roles(table, axis.columns).series().items()][:_MOST_SERIES]:
        column = table.columns[name]
        steps, first = np.unique(axis.steps[column.rows], return_index=True)
        values = column.values[first]
        finite = np.isfinite(values)
        if finite.sum() < _FEWEST_ROWS:
            continue
        found.append(
            DocumentSeries(
                file=file,
                line=line,
                name=name,
                series=series,
                unit=axis.unit,
                steps=tuple(float(step) for step in steps[finite]),
                values=tuple(float(value) for value in values[finite]),
                tolerance=_half_of_last_digit(values[finite]),
            )
        )
    return found


def _half_of_last_digit(values: Floats) -> float:
    """Half of the last digit with which numbers are printed, of the finest of them."""
    exponents = [Decimal(repr(float(v))).normalize().as_tuple().exponent for v in values]
    return float(Decimal(5).scaleb(min(int(e) for e in exponents) - 1))
