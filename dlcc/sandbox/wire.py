"""Wire format between the inside and the outside: frames of JSON and safetensors.

A frame is 16 bytes, the sizes of its two parts as little-endian uint64, then the JSON, then the
tensors. The inside may be hostile: the outside believes no size, no nesting and no key before it
has checked it.
"""

from __future__ import annotations

import json
import struct
from typing import Any

HEADER = struct.Struct("<QQ")
MAX_JSON_BYTES = 4 << 20  # of what comes out
_MAX_DEPTH = 64


class WireError(ValueError):
    """Error for a frame that is malformed; the message ends a sentence that names the sender."""


def encode(message: dict[str, Any], tensors: bytes = b"") -> bytes:
    """Encode a frame; ValueError where the message holds a NaN or an infinity."""
    text = json.dumps(message, allow_nan=False).encode()
    return HEADER.pack(len(text), len(tensors)) + text + tensors


def parse_sizes(header: bytes, max_tensor_bytes: int) -> tuple[int, int]:
    """Parse the sizes of the JSON and of the tensors; WireError where they exceed what was asked
    for."""
    text, tensors = HEADER.unpack(header)
    if text > MAX_JSON_BYTES or tensors > max_tensor_bytes:
        raise WireError(
            f"claims an answer of {text} + {tensors} bytes; "
            f"at most {MAX_JSON_BYTES} + {max_tensor_bytes} were asked for"
        )
    return text, tensors


def parse_message(text: bytes) -> dict[str, Any]:
    """Parse the JSON object of a frame; WireError for deep nesting, repeated keys and NaN."""
    if _depth(text) > _MAX_DEPTH:
        raise WireError(f"sends JSON nested deeper than {_MAX_DEPTH}")
    try:
        message = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"sends invalid JSON ({str(error)[:80]})") from None
    if not isinstance(message, dict):
        raise WireError("sends JSON that is no object")
    return message


def shown(text: object, limit: int = 400) -> str:
    """Make text from inside safe to show: one line, no control characters, bounded."""
    line = " ".join(str(text)[: 4 * limit].split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _depth(text: bytes) -> int:
    """Deepest nesting of brackets outside of strings."""
    deepest = depth = 0
    in_string = escaped = False
    for byte in text:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:  # backslash
                escaped = True
            elif byte == 0x22:  # quote
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key occurs twice")
    return mapping


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
