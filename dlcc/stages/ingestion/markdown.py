"""Parser of Markdown to blocks, sentences, tables and formulas (CommonMark, tables, $ maths)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from dlcc.records import Block, BlockKind, Formula

# A full stop ends a sentence unless it follows one of these or a single capital letter.
_NO_END = re.compile(r"(?:\b(?:e\.g|i\.e|cf|et al|Fig|Eq|Sec|vs|resp|No|approx)|\b[A-Z])\.$")
_END = re.compile(r"(?<=[.!?:])\s+(?=[^\s])")
_MATHS = "\x00"  # stands for an inline formula while a text is cut into sentences


def parse_markdown(file: str, text: str) -> tuple[list[Block], list[Formula]]:
    """Parse a document to its blocks and formulas, in order; broken Markdown is still text."""
    reader = _Reader(file)
    for token in _parser().parse(text):
        reader.take(token)
    return reader.blocks, reader.formulas


def split_sentences(text: str) -> tuple[str, ...]:
    """Split a paragraph into sentences; abbreviations and initials do not end one."""
    sentences: list[str] = []
    for part in _END.split(" ".join(text.split())):
        if sentences and _NO_END.search(sentences[-1]):
            sentences[-1] += f" {part}"
        elif part:
            sentences.append(part)
    return tuple(sentences)


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, allow_space=True)


@dataclass
class _Reader:
    """Reader of one document's tokens that keeps its place."""

    file: str
    blocks: list[Block] = field(default_factory=list)
    formulas: list[Formula] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    heading_level: int = 1
    table_line: int = 1
    last_sentence: str = ""

    def take(self, token: Token) -> None:
        line = token.map[0] + 1 if token.map else 1
        if token.type.endswith("_open"):
            self.inside.append(token.type.removesuffix("_open"))
            if token.type == "table_open":
                self.rows, self.table_line = [], line
            if token.type == "tr_open":
                self.rows.append([])
            if token.type == "heading_open":
                self.heading_level = int(token.tag.removeprefix("h"))
        elif token.type == "table_close":
            self._table()
            self.inside.pop()
        elif token.type.endswith("_close"):
            self.inside.pop()
        elif token.type == "inline":
            self._inline(token, line)
        elif token.type in ("math_block", "math_block_label"):
            self._formula(token.content, line, self.last_sentence)
        elif token.type in ("fence", "code_block"):
            self._block("code", line, token.content)

    def _inline(self, token: Token, line: int) -> None:
        text, maths = _flatten(token)
        plain = _with_maths(text, [latex for latex, _ in maths])
        if "heading" in self.inside:
            self._heading(plain, line)
        elif self.inside[-1:] in (["td"], ["th"]):
            self.rows[-1].append(plain)
        else:
            self._prose(text, plain, maths, line)

    def _prose(self, text: str, plain: str, maths: list[tuple[str, int]], line: int) -> None:
        kind: BlockKind = "list" if "list_item" in self.inside else "paragraph"
        sentences, taken = [], 0
        for cut in split_sentences(text):
            its = maths[taken : taken + cut.count(_MATHS)]
            taken += len(its)
            sentence = _with_maths(cut, [latex for latex, _ in its])
            sentences.append(sentence)
            self.formulas += [
                Formula(self.file, line + offset, latex, False, sentence) for latex, offset in its
            ]
        if sentences:
            self.last_sentence = sentences[-1]
        self._block(kind, line, " ".join(plain.split()), sentences=tuple(sentences))

    def _heading(self, text: str, line: int) -> None:
        level = self.heading_level
        self.headings = [h for h in self.headings if h[0] < level] + [(level, text)]
        self._block("heading", line, text)

    def _formula(self, latex: str, line: int, context: str) -> None:
        latex = latex.strip()
        self.formulas.append(Formula(self.file, line, latex, True, context))
        self._block("formula", line, latex)

    def _table(self) -> None:
        rows = tuple(tuple(row) for row in self.rows)
        text = "\n".join("\t".join(row) for row in rows)
        self._block("table", self.table_line, text, rows=rows)

    def _block(
        self,
        kind: BlockKind,
        line: int,
        text: str,
        *,
        sentences: tuple[str, ...] = (),
        rows: tuple[tuple[str, ...], ...] = (),
    ) -> None:
        section = " > ".join(text for _, text in self.headings)
        self.blocks.append(Block(kind, self.file, line, text, section, sentences, rows))


def _flatten(token: Token) -> tuple[str, list[tuple[str, int]]]:
    """Flatten an inline token to text with marks for formulas, and pairs (LaTeX, lines below the
    token's first)."""
    parts: list[str] = []
    maths: list[tuple[str, int]] = []
    line = 0
    for child in token.children or ():
        if child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
            line += 1
        elif child.type.startswith("math_inline"):
            parts.append(_MATHS)
            maths.append((child.content.strip(), line))
        else:
            parts.append(child.content.replace(_MATHS, ""))
    return "".join(parts), maths


def _with_maths(text: str, latex: Sequence[str]) -> str:
    parts = text.split(_MATHS)
    return "".join(p + (f"${m}$" if m else "") for p, m in zip(parts, [*latex, ""], strict=False))
