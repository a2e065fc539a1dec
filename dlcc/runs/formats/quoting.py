"""Foreign names and cells in sentences, at a bounded length."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 12


def short(text: object) -> str:
    """Quote a value with `repr`, cut where it is long."""
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def listed(what: str, names: Sequence[str]) -> str:
    """Name a list in words: what its items are, and the items.

    >>> listed("column", ["step", "errD"])
    'columns step, errD'
    """
    if not names:
        return f"no {what}"
    shown = ", ".join(name if len(name) <= 40 else f"{name[:37]}..." for name in names[:_MOST])
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{what}{'s' if len(names) > 1 else ''} {shown}{more}"


def one_line(name: str) -> str:
    """Bring a foreign name into one line of printable text, at most 160 characters of it.

    >>> one_line("loss\\n D"), one_line(" ")
    ('loss D', '(empty)')
    """
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:160] or "(empty)"
