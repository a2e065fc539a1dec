"""Rule for text in a run: the recorder refuses to write what the reader refuses to read.

Names end up on terminals, which obey escape sequences, and in HTML and SVG, which hold no control
characters at all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

LONGEST_NAME = 1_000  # characters; the longest names of classes and parameters have some 200
LONGEST_TEXT = 100_000  # characters of a value of the configuration
_LINES = "\n\r\t"
# they show what follows in another order than it has
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def problem_of(text: str, *, value: bool = False) -> str | None:
    """Fault of a name, or of a text that is a value, as `expected ..., found ...`; None without
    one.

    A name has one line of at most `LONGEST_NAME` characters, a value lines of at most
    `LONGEST_TEXT`; neither has control characters, lone surrogates or marks that turn the
    direction of writing.

    >>> problem_of("evil\\x1b[2J")
    "expected text without control characters, found 'evil\\\\x1b[2J'"
    """
    longest = LONGEST_TEXT if value else LONGEST_NAME
    if len(text) > longest:
        return f"expected at most {longest:,} characters, found {len(text):,}"
    if text.isascii() and text.isprintable():
        return None
    if all(_is_shown(c) or (value and c in _LINES) for c in text):
        return None
    return f"expected text without control characters, found {_cut(text)}"


def bad_text(content: object, *, values: bool = True) -> str | None:
    """Find the first text in plain values that breaks the rule: `key config.note: expected ...`.

    Args:
        content: Value that JSON holds; keys of mappings are names.
        values: Whether texts that are no keys are values, which may have lines; else names.
    """
    names: list[object] = []  # of what is being looked at, from the outside in
    waiting = [_items(content)]
    while waiting:  # no recursion: a file may nest its values deeper than Python its calls
        name, found = next(waiting[-1], (None, None))
        if name is None:
            waiting.pop()
            del names[-1:]
        elif isinstance(name, str) and (problem := problem_of(name)):
            return f"{_place(names)}as a key {problem}"
        elif isinstance(found, str) and (problem := problem_of(found, value=values)):
            return f"{_place([*names, name])}{problem}"
        elif isinstance(found, Mapping | list | tuple):
            names.append(name)
            waiting.append(_items(found))
    return None


def _items(content: object) -> Iterator[tuple[object, object]]:
    """Pairs of key or index and value of a container; other values have none."""
    if isinstance(content, Mapping):
        return iter(content.items())
    return enumerate(content) if isinstance(content, list | tuple) else iter(())


def _place(names: Sequence[object]) -> str:
    if not names:
        return ""
    place = ".".join(str(name) for name in names[-8:])
    return f"key {place if len(place) <= 80 else f'...{place[-77:]}'}: "


def _is_shown(character: str) -> bool:
    forbidden = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    return not forbidden and character not in _DIRECTIONS


def _cut(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
