"""Text that a run brought along, made safe to show."""

from __future__ import annotations

import unicodedata
from typing import Any

_KEPT = "\n\t"


def printable(value: Any) -> Any:
    """The same value with control and format characters of its texts shown as U+FFFD.

    A terminal obeys escape sequences, and a line break in a name can forge a line of the report;
    only long texts (tracebacks, output) keep their line breaks, and they are not shown as lines.
    """
    if isinstance(value, str):
        return "".join(map(_shown, value))
    if isinstance(value, dict):
        return {printable(k): printable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(printable(v) for v in value)
    return value


def one_line(text: str) -> str:
    """Printable, and on one line."""
    return " ".join(str(printable(text)).split())


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in ("Cc", "Cf", "Cs"):
        return character
    return "\ufffd"
