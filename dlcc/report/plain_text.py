"""Plain texts in pictures: matplotlib would read formulas into the names of a run."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from dlcc.report.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatterSciNotation

_POWER = re.compile(r"10\^\{(-?\d+)\}")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def show_as_written(figure: Figure) -> None:
    """Show every text of a figure as plain text, control characters left out.

    Ticks of logarithmic axes, whose labels matplotlib writes as formulas, get plain ones.
    """
    from matplotlib.text import Text

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() in ("log", "symlog"):
                axis.set_major_formatter(_powers()())
            if axis.get_scale() == "log":
                axis.set_minor_formatter(_powers()(labelOnlyBase=False))
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
        text.set_text(printable(text.get_text()))


@cache
def _powers() -> type[LogFormatterSciNotation]:
    from matplotlib.ticker import LogFormatterSciNotation

    class Powers(LogFormatterSciNotation):
        """Formatter with labels such as 10⁻³ and 2×10⁵, where matplotlib would write formulas."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return without_formula(super().__call__(x, pos))

    return Powers


def without_formula(label: str) -> str:
    r"""Write out the formula in the label of a tick.

    >>> without_formula(r"$\mathdefault{2\times10^{-5}}$")
    '2×10⁻⁵'
    """
    plain = label.replace("$", "").replace(r"\mathdefault", "").replace(r"\times", "×")
    raised = _POWER.sub(lambda power: f"10{power[1].translate(_RAISED)}", plain)
    return raised.replace("{", "").replace("}", "").replace("-", "−")
