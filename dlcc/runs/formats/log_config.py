"""Configuration that a text states: options tables, Namespace(...), dictionaries, key: value."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping

from dlcc.runs.raw_table import Scalar, flat

_NAMESPACE = re.compile(r"Namespace\((.*)\)", re.DOTALL)
_KEY_VALUE = re.compile(r"^[\s>#*|-]*([A-Za-z_][\w.\- ]{0,48}?)\s*[:=|]\s+(\S.*?)\s*$")
_DEFAULT = re.compile(r"\s*\[default:.*\]\s*$")
_PREFIX = re.compile(
    r"^\W*(?:INFO|DEBUG)?\W*[\d\-/:,. T]{8,}\W*(?:-?\s*(?:INFO|DEBUG)\b)?[\s:>\-\]]*"
)
_LONGEST = 60_000  # characters of one literal
_SAID = re.compile(r"(?i)\b(loss|objective|gan|vae|hinge|wasserstein|lsgan|bce|diffusion)\b")
SAID = "said in the log"
"""Key under which sentences of a log that speak of its loss are kept."""


def config_of_text(text: str) -> dict[str, Scalar]:
    """Find the configuration that a text states.

    Args:
        text: Beginning of a log, or a file of options.

    Returns:
        Values by key, as far as anything could be read; never raises.

    >>> config_of_text("Namespace(lr=0.0002, model='dcgan')")
    {'lr': 0.0002, 'model': 'dcgan'}
    >>> config_of_text("  batch_size: 16       [default: 1]")
    {'batch_size': 16}
    """
    found: dict[str, Scalar] = {}
    said: list[str] = []
    for raw in text.splitlines()[:5_000]:
        line = _PREFIX.sub("", raw).strip()
        namespace = _NAMESPACE.search(line) if "Namespace(" in line else None
        if namespace:
            found |= _keywords(namespace[1])
        elif line[:1] == "{" and line[-1:] == "}":
            found |= flat(_literal(line))
        else:
            pair = _KEY_VALUE.match(_DEFAULT.sub("", line))
            if pair and len(line) < 300:
                found.setdefault(pair[1].strip(), scalar_of(pair[2]))
            elif (
                _SAID.search(line)
                and len(line) < 200
                and not re.search(r"\d\.\d", line)
                and len(said) < 20
            ):
                said.append(line)
    for block in _json_blocks(text):
        found |= flat(block)
    if said:
        found[SAID] = "; ".join(said)
    return found


def scalar_of(text: str) -> Scalar:
    """Read one value: a number, a truth value, None, or the text itself.

    >>> scalar_of("0.5"), scalar_of("True"), scalar_of("'lsgan'")
    (0.5, True, 'lsgan')
    """
    bare = text.strip().rstrip(",")
    words: Mapping[str, Scalar] = {"True": True, "true": True, "False": False, "false": False}
    if bare in words:
        return words[bare]
    if bare in ("None", "null", "N/A", "~", ""):
        return None
    for kind in (int, float):
        try:
            return kind(bare)
        except ValueError:
            continue
    return bare.strip("'\"")[:1_000]


def _keywords(text: str) -> dict[str, Scalar]:
    """Keywords of `Namespace(key=value, ...)`, those alone that are plain values."""
    if len(text) > _LONGEST:
        return {}
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {
            key: scalar_of(value) for key, value in re.findall(r"(\w+)=('[^']*'|[^,()\s]+)", text)
        }
    found: dict[str, object] = {}
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        try:
            found[keyword.arg or ""] = ast.literal_eval(keyword.value)
        except (ValueError, RecursionError, MemoryError):
            continue
    return flat(found)


def _literal(text: str) -> dict[str, object]:
    """Content of a printed dictionary; empty where it is none."""
    if len(text) > _LONGEST or max(text.count("{"), text.count("[")) > 2_000:
        return {}
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return {}
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _json_blocks(text: str) -> list[dict[str, object]]:
    """JSON objects that a log prints over several lines."""
    found, at = [], 0
    decoder = json.JSONDecoder()
    for _ in range(20):
        match = re.compile(r"\{\s*\n").search(text, at)
        if match is None:
            break
        try:
            value, at = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            at = match.end()
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
