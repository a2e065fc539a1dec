"""Reading of plain YAML, as tools write their options: nested keys, values and lists of values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dlcc.runs.formats.log_config import scalar_of

_KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s#:\[\]{}&*!|>-][^:#\[\]{}]*?)\s*:(?:\s+(\S.*))?$""")
_COMMENT = re.compile(r"\s+#.*$")
_MOST_LINES = 20_000
_DEEPEST = 20
_BESIDE_VALUES = ("wandb_version", "_wandb")


@dataclass
class _Level:
    """Mapping that is open, and the last key in it."""

    indent: int
    content: dict[str, object]
    key: str = ""


def mapping_of_yaml(text: str) -> dict[str, object]:
    """Read the keys of a YAML document; what is not plain is left out.

    Args:
        text: Document.

    Returns:
        Values by key: scalars, lists of scalars and mappings; never raises.

    >>> mapping_of_yaml("lr: 0.1\\nnet:\\n  sizes: [3, 4]\\n  act: 'relu'")
    {'lr': 0.1, 'net': {'sizes': [3, 4], 'act': 'relu'}}
    """
    levels = [_Level(0, {})]
    for line in text.splitlines()[:_MOST_LINES]:
        body = _COMMENT.sub("", line.strip())
        if not body or body.startswith(("#", "---", "%")):
            continue
        indent = len(line) - len(line.lstrip(" "))
        while len(levels) > 1 and levels[-1].indent > indent:
            levels.pop()
        top = levels[-1]
        if body.startswith("- "):
            _append(top, body[2:].strip())
            continue
        pair = _KEY.match(body)
        if pair is None or len(body) > 2_000:
            continue
        if indent > top.indent:
            if top.content.get(top.key, "") is not None or len(levels) > _DEEPEST:
                continue  # within a block of text, or a list of mappings
            inner: dict[str, object] = {}
            top.content[top.key] = inner
            top = _Level(indent, inner)
            levels.append(top)
        top.key = pair[1].strip("'\"")
        top.content[top.key] = _value(pair[2]) if pair[2] else None
    return _unwrapped(levels[0].content)


def _append(level: _Level, item: str) -> None:
    """Add an item to the list of the last key."""
    items = level.content.get(level.key, "")
    if items is None:
        items = level.content[level.key] = []
    if isinstance(items, list) and not _KEY.match(item):
        items.append(_value(item))


def _value(text: str) -> object:
    if text.startswith("[") and text.endswith("]"):
        inner = text[1:-1].strip()
        return [scalar_of(item) for item in inner.split(",")] if inner else []
    return scalar_of(text)


def _unwrapped(content: Mapping[str, object]) -> dict[str, object]:
    """Mapping without the `value` below each key, as wandb writes its configuration."""
    own = {key: value for key, value in content.items() if key not in _BESIDE_VALUES}
    wrapped = {
        key: value["value"]
        for key, value in own.items()
        if isinstance(value, Mapping) and "value" in value and set(value) <= {"value", "desc"}
    }
    return wrapped if own and len(wrapped) == len(own) else dict(content)
