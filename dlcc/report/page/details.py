"""Details: what a stage or a finding holds, as rows of words and numbers instead of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlcc.charts.geometry import number_text

_MOST_ROWS = 60
_MOST_ITEMS = 8
_LONGEST = 400

Row = tuple[str, str]


def rows(details: Mapping[str, Any], words: Mapping[str, str] | None = None) -> tuple[Row, ...]:
    """Write nested values as rows (name, text), at most 60.

    Args:
        details: Names to numbers, texts, lists and mappings.
        words: Names to what they are called; default the names with spaces.

    >>> rows({"past_runs": 2163, "nearest": ["weak", "healthy"], "by": {"loss": 0.25}})
    (('past runs', '2,163'), ('nearest', 'weak, healthy'), ('by, loss', '0.25'))
    >>> rows({"replays": [{"agrees": True, "step": 0}, {"agrees": False, "step": 40}]})
    (('replays 1', 'agrees yes, step 0'), ('replays 2', 'agrees no, step 40'))
    """
    found = list(_rows("", details, words or {}))
    if len(found) > _MOST_ROWS:
        left = len(found) - _MOST_ROWS
        found = [*found[:_MOST_ROWS], ("more", f"{left:,} rows, in report.json")]
    return tuple(found)


def _rows(prefix: str, details: Mapping[str, Any], words: Mapping[str, str]) -> Iterator[Row]:
    for key, value in details.items():
        own = words.get(str(key)) or str(key).replace("_", " ")
        name = f"{prefix}, {own}" if prefix else own
        if isinstance(value, Mapping) and value:
            yield from _rows(name, value, words)
        elif _is_table(value):
            for i, row in enumerate(value, 1):
                yield f"{name} {i}", _text({k.replace("_", " "): v for k, v in row.items()})
        else:
            yield name, _text(value)


def _is_table(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(row, Mapping) for row in value)
    )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())[:_LONGEST] or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = ", ".join(_text(item) for item in value[:_MOST_ITEMS])
        more = len(value) - _MOST_ITEMS
        return (f"{shown}, and {more:,} more" if more > 0 else shown)[:_LONGEST] or "none"
    return str(value)[:_LONGEST] or "none"
