"""Texts that came with a run, made safe to show."""

from __future__ import annotations

import unicodedata
from typing import Any

from dlcc.estimate import Number


def printable(value: Any, lines: bool = False) -> Any:
    """Replace control and format characters in the texts of a value by U+FFFD.

    A terminal obeys escape sequences, and a line break in a name can forge a line of the report:
    only where `lines` is set (tracebacks, output) do line breaks and tabs stay, else they are
    spaces.
    """
    if isinstance(value, str):
        return "".join(_shown(character, lines) for character in value)
    if isinstance(value, dict):
        return {printable(k, lines): printable(v, lines) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(printable(v, lines) for v in value)
    return value


def one_line(text: str) -> str:
    """Make a text printable, on one line and without repeated spaces."""
    return " ".join(str(printable(text)).split())


def percent(number: Number) -> str:
    """Write a probability with its interval, as in reports.

    >>> from dlcc.estimate import Number
    >>> percent(Number(0.034, 0.011, 0.08))
    '3 % (1 to 8)'
    >>> percent(Number(0.0001, 0.0, 0.004)), percent(Number(0.9999, 0.996, 1.0))
    ('under 1 %', 'over 99 %')
    """
    if number.high < 0.01:
        return "under 1 %"
    if number.low > 0.99:
        return "over 99 %"
    low, mean, high = (round(100 * share) for share in (number.low, number.mean, number.high))
    return f"{mean} % ({low} to {high})"


def percent_alone(share: float) -> str:
    """Write a share without an interval, never as none or all of it.

    >>> percent_alone(0.34), percent_alone(0.0004), percent_alone(1.0)
    ('34 %', 'under 1 %', 'over 99 %')
    """
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else f"{round(100 * share)} %"


def _shown(character: str, lines: bool) -> str:
    if character in "\n\t":
        return character if lines else " "
    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character
