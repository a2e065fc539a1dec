"""Reader of Markdown (CommonMark, tables, $ maths)."""

from __future__ import annotations

from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from dlcc.records import Block, Formula
from dlcc.stages.ingestion.documents.page import MATHS, Page, with_maths

_PRINTED = ("", "text", "txt", "log", "console", "output")


def parse_markdown(file: str, text: str) -> tuple[list[Block], list[Formula]]:
    """Parse a document to its blocks and formulas, in order; broken Markdown is still text."""
    page = Page(file)
    read_markdown(page, text)
    return page.blocks, page.formulas


def read_markdown(page: Page, text: str, line: int | None = None) -> None:
    """Read Markdown into a page; where a line is given, all of it lies there, as a cell does."""
    reader = _Reader(page, line)
    for token in _parser().parse(text):
        reader.take(token)


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, allow_space=True)


@dataclass
class _Reader:
    """Reader of one document's tokens that keeps its place."""

    page: Page
    only_line: int | None
    inside: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    heading_level: int = 1
    table_line: int = 1

    def take(self, token: Token) -> None:
        line = token.map[0] + 1 if token.map else 1
        line = line if self.only_line is None else self.only_line
        if token.type.endswith("_open"):
            self.inside.append(token.type.removesuffix("_open"))
            if token.type == "table_open":
                self.rows, self.table_line = [], line
            if token.type == "tr_open":
                self.rows.append([])
            if token.type == "heading_open":
                self.heading_level = int(token.tag.removeprefix("h"))
        elif token.type == "table_close":
            self.page.table(self.rows, self.table_line)
            self.inside.pop()
        elif token.type.endswith("_close"):
            self.inside.pop()
        elif token.type == "inline":
            self._inline(token, line)
        elif token.type in ("math_block", "math_block_label"):
            self.page.formula(token.content, line)
        elif token.type in ("fence", "code_block"):
            printed = token.type == "fence" and token.info.strip().lower() in _PRINTED
            (self.page.printed if printed else self._code)(line, token.content)

    def _code(self, line: int, text: str) -> None:
        self.page.block("code", line, text)

    def _inline(self, token: Token, line: int) -> None:
        text, offsets = _flatten(token)
        maths = [(latex, line + (0 if self.only_line else offset)) for latex, offset in offsets]
        plain = with_maths(text, [latex for latex, _ in maths])
        if "heading" in self.inside:
            self.page.heading(self.heading_level, plain, line)
        elif self.inside[-1:] in (["td"], ["th"]):
            self.rows[-1].append(plain)
        else:
            self.page.prose(line, text, maths, listed="list_item" in self.inside)


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
            parts.append(MATHS)
            maths.append((child.content.strip(), line))
        else:
            parts.append(child.content.replace(MATHS, ""))
    return "".join(parts), maths
