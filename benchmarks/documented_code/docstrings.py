"""Docstrings in reStructuredText as the prose and formulas of an ordinary document."""

from __future__ import annotations

import re
import textwrap
from typing import Literal

_SECTION = re.compile(r"^([A-Z][A-Za-z /()]{2,40}?)\s*::?\s*$")
_RULE = re.compile(r"^\s*[-=~]{3,}\s*$")
_KEPT = (
    "note",
    "notes",
    "details",
    "description",
    "mathematical details",
    "mathematical formulation",
)
_FIELD = re.compile(r"^\s*:(?:param|type|return|returns|rtype|raises|ivar|var|keyword)\b")
_DIRECTIVE = re.compile(r"^(\s*)\.\.\s+([\w-]+)::\s*(.*)$")
_PROSE = ("note", "tip", "important", "warning", "rubric", "admonition", "seealso")
_MATH_ROLE = re.compile(r":math:`([^`]*)`")
_ROLE = re.compile(r":(?:py:)?(?:\w+:)?\w+:`~?\.?([^`<]*?)(?:\s*<[^`>]*>)?`")
_LITERAL = re.compile(r"``([^`]+)``|(?<![`\w$])`([^`]+)`_{0,2}")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|\.")
_REFERENCE = re.compile(r"\[[^\]]{1,40}\]_")


Names = Literal["code", "words", "none"]
"""How a document speaks of code: by its names, by these as plain words, or not at all."""


def as_markdown(docstring: str, names: Names) -> str:
    """Write a docstring's prose and formulas as Markdown, without lists of parameters and
    examples."""
    lines = _displayed(_prose(textwrap.dedent(docstring).expandtabs().splitlines()))
    return "\n".join(_inline(line, names) for line in lines).strip()


def called(name: str, names: Names) -> str:
    """What a document calls a name of code."""
    if names == "none":
        return "it"
    return (
        name
        if names == "code"
        else " ".join(_CAMEL.sub(" ", name.replace("_", " ")).split()).lower()
    )


def _prose(lines: list[str]) -> list[str]:
    """Lines outside of sections of parameters, results and examples."""
    found: list[str] = []
    keep, inside = True, 0
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        indent = len(line) - len(line.lstrip())
        title = None
        if _RULE.match(following) and line.strip() and indent == 0:
            title = line.strip()
        elif (match := _SECTION.match(line)) and not line.startswith(".."):
            title = match[1]
        if title is not None:
            keep, inside = title.lower().strip() in _KEPT, 1
            continue
        if (
            inside
            and line.strip()
            and indent == 0
            and not _RULE.match(line)
            and not _is_numpy(lines)
        ):
            keep, inside = True, 0  # a section of Google's style ends where its indent does
        if _RULE.match(line) or _FIELD.match(line):
            keep = keep and not _FIELD.match(line)
            continue
        if keep and not line.lstrip().startswith((">>>", "...")):
            found.append(line)
    return found


def _is_numpy(lines: list[str]) -> bool:
    return any(_RULE.match(line) for line in lines)


def _displayed(lines: list[str]) -> list[str]:
    """Lines with directives resolved: maths between double dollars, notes as prose, no others."""
    found: list[str] = []
    i = 0
    while i < len(lines):
        match = _DIRECTIVE.match(lines[i])
        if match is None:
            if not lines[i].lstrip().startswith(".. "):
                found.append(lines[i].strip())
            i += 1
            continue
        indent, name, rest = len(match[1]), match[2], match[3]
        body: list[str] = []
        i += 1
        while i < len(lines) and (not lines[i].strip() or _indent(lines[i]) > indent):
            body.append(lines[i].strip())
            i += 1
        if name == "math":
            found += _maths([rest.strip(), *body])
        elif name in _PROSE:
            found += [rest, *_displayed(body)]
    return found


def _maths(body: list[str]) -> list[str]:
    """Lines of a display, one a paragraph of the directive."""
    body = [line for line in body if not re.match(r":\w+:", line)]
    found: list[str] = []
    for part in "\n".join(body).split("\n\n"):
        latex = " ".join(part.split())
        if latex:
            found += ["", "$$", latex, "$$", ""]
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _inline(line: str, names: Names) -> str:
    line = _MATH_ROLE.sub(lambda m: f"${m[1].strip()}$", line)
    if line.startswith("$$"):
        return line
    line = _ROLE.sub(lambda m: called(m[1].rpartition(".")[2], names), line)
    parts = re.split(r"(\$[^$]+\$)", line)
    for k in range(0, len(parts), 2):
        parts[k] = _LITERAL.sub(lambda m: called(m[1] or m[2], names), parts[k])
        parts[k] = _REFERENCE.sub("", parts[k])
    return "".join(parts)
