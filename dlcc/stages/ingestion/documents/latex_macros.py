"""Macros and included files of LaTeX: text without either, with the place of each line."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_DEEPEST, _MOST_PASSES, _LONGEST = 10, 40, 4_000_000
_MOST_LINES, _MOST_DEFINITIONS, _LONGEST_GROUP = 100_000, 1_000, 20_000
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*$")
_INCLUDED = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}]{1,300})\}")
_DEFINED = re.compile(
    r"\\(?:re|provide)?(?:newcommand|command)\*?\s{0,9}\{?\\([A-Za-z]+)\}?\s{0,9}(?:\[(\d)\])?\s{0,9}(?:\[[^\]]*\])?\s{0,9}(?=\{)"
    r"|\\def\s{0,9}\\([A-Za-z]+)((?:#\d)*)\s{0,9}(?=\{)"
    r"|\\DeclareMathOperator(\*?)\s{0,9}\{?\\([A-Za-z]+)\}?\s{0,9}(?=\{)"
)


@dataclass(frozen=True)
class Source:
    """LaTeX without comments, included files and macros of its own."""

    text: str
    origins: tuple[tuple[str, int], ...]
    """File and line that each line of the text is from."""


def resolved(file: str, files: Mapping[str, str]) -> Source:
    """Put included files in and macros out.

    Args:
        file: Document to begin with.
        files: Text of every document by its path, where included ones are looked for.

    Raises:
        UnreadableDocument: Files include each other, or macros expand without end.

    >>> files = {"documents/a.tex": "\\\\newcommand{\\\\D}{D_\\\\theta} % ours\\n$\\\\D(x)$"}
    >>> resolved("documents/a.tex", files).text
    '  \\n$D_\\\\theta(x)$'
    """
    lines = list(itertools.islice(_lines(file, files, 0), _MOST_LINES + 1))
    if len(lines) > _MOST_LINES:
        raise UnreadableDocument(f"more than {_MOST_LINES:,} lines with what it includes")
    text = "\n".join(line for _, _, line in lines)
    return Source(_without_macros(text), tuple((name, number) for name, number, _ in lines))


def included(files: Mapping[str, str]) -> set[str]:
    """Documents that other ones include, which are read as parts of these."""
    return {
        target
        for name, text in files.items()
        if name.endswith(".tex")
        for match in _INCLUDED.finditer(text)
        if (target := _target(name, match[1], files)) is not None
    }


def _lines(file: str, files: Mapping[str, str], depth: int) -> Iterator[tuple[str, int, str]]:
    if depth > _DEEPEST:
        raise UnreadableDocument(f"files that include each other, more than {_DEEPEST} deep")
    for number, line in enumerate(files[file].split("\n"), start=1):
        bare = _COMMENT.sub(r"\1", line)
        at = 0
        for match in _INCLUDED.finditer(bare):
            yield file, number, bare[at : match.start()]
            at = match.end()
            target = _target(file, match[1], files)
            if target is not None:
                yield from _lines(target, files, depth + 1)
        yield file, number, bare[at:]


def _target(file: str, named: str, files: Mapping[str, str]) -> str | None:
    """Document that an `\\input` names; None for one that is not among the documents."""
    folder = posixpath.dirname(file)
    for candidate in (named.strip(), f"{named.strip()}.tex"):
        path = posixpath.normpath(posixpath.join(folder, candidate))
        if path in files and path != file:
            return path
    return None


def _without_macros(text: str) -> str:
    text, macros = _taken_out(text)
    if not macros:
        return text
    names = "|".join(sorted(macros, key=len, reverse=True))
    used = re.compile(rf"\\({names})(?![A-Za-z])")
    for _ in range(_MOST_PASSES):
        if used.search(text) is None:
            return text
        text = _expanded_once(text, used, macros)
        if len(text) > _LONGEST:
            break
    raise UnreadableDocument("macros that expand without end")


def _taken_out(text: str) -> tuple[str, dict[str, tuple[int, str]]]:
    """Take definitions out: the rest, and name -> (number of arguments, body)."""
    macros: dict[str, tuple[int, str]] = {}
    parts, at = [], 0
    for number, match in enumerate(_DEFINED.finditer(text)):
        if number > _MOST_DEFINITIONS:
            raise UnreadableDocument(f"more than {_MOST_DEFINITIONS:,} macros")
        if match.start() < at:
            continue
        body, end = group(text, match.end())
        if body is None:
            continue
        name = match[1] or match[3] or match[6]
        count = int(match[2] or 0) if match[1] else len(match[4] or "") // 2
        plain = " ".join(body.split())
        macros[name] = (count, f"\\operatorname{{{plain}}}" if match[6] else plain)
        parts += [text[at : match.start()], "\n" * text.count("\n", match.start(), end), " "]
        at = end
    return "".join([*parts, text[at:]]), macros


def _expanded_once(text: str, used: re.Pattern[str], macros: Mapping[str, tuple[int, str]]) -> str:
    parts, at, length = [], 0, 0
    for match in used.finditer(text):
        length += len(macros[match[1]][1])
        if length > _LONGEST:
            raise UnreadableDocument("macros that expand without end")
        if match.start() < at:
            continue
        count, body = macros[match[1]]
        end = match.end()
        for k in range(1, count + 1):
            argument, end = group(text, end)
            body = body.replace(f"#{k}", " ".join((argument or "").split()))
        parts += [text[at : match.start()], body]
        lost = text.count("\n", match.start(), end)
        parts.append("\n" * lost)
        at = end
    return "".join([*parts, text[at:]])


def group(text: str, at: int) -> tuple[str | None, int]:
    """Read what stands in braces at a place, and where it ends; one token without braces."""
    while at < len(text) and text[at].isspace():
        at += 1
    if at >= len(text):
        return None, at
    if text[at] != "{":
        match = re.compile(r"\\[A-Za-z]+|.", re.DOTALL).match(text, at)
        assert match is not None
        return match[0], match.end()
    depth, start = 0, at + 1
    last = min(len(text), start + _LONGEST_GROUP)
    while at < last:
        if text[at] == "\\":
            at += 1
        elif text[at] in "{}":
            depth += 1 if text[at] == "{" else -1
            if depth == 0:
                return text[start:at], at + 1
        at += 1
    return None, len(text)
