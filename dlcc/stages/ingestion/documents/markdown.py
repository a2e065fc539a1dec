"""Reader of Markdown (CommonMark, tables, $ maths)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from dlcc.records import Block, Formula
from dlcc.stages.ingestion.documents.page import MATHS, Page, with_maths

_BREAKS = ("softbreak", "hardbreak")
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
    return (
        MarkdownIt("commonmark")
        .enable("table")
        .use(dollarmath_plugin, allow_space=True, double_inline=True)
    )


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
        if "heading" in self.inside:
            text, maths = _flatten(token.children or (), line, self.only_line)
            plain = with_maths(text, [latex for latex, _ in maths])
            self.page.heading(self.heading_level, plain, line)
        elif self.inside[-1:] in (["td"], ["th"]):
            text, maths = _flatten(token.children or (), line, self.only_line)
            self.rows[-1].append(with_maths(text, [latex for latex, _ in maths]))
        else:
            self._prose(token.children or (), line)

    def _prose(self, children: Sequence[Token], line: int) -> None:
        """Add a paragraph; what stands in it between double dollars is displayed."""
        part: list[Token] = []
        for child in [*children, None]:
            if child is not None and child.type != "math_inline_double":
                part.append(child)
                continue
            text, maths = _flatten(part, line, self.only_line)
            if text.strip():
                self.page.prose(line, text.strip(), maths, listed="list_item" in self.inside)
            if child is not None:
                breaks = sum(c.type in _BREAKS for c in part)
                line += 0 if self.only_line else breaks
                self.page.formula(child.content, line)
            part = []


def _flatten(
    children: Sequence[Token], line: int, only_line: int | None
) -> tuple[str, list[tuple[str, int]]]:
    """Flatten tokens to text with marks for formulas, and pairs (LaTeX, line)."""
    parts: list[str] = []
    maths: list[tuple[str, int]] = []
    for child in children:
        if child.type in _BREAKS:
            parts.append(" ")
            line += 0 if only_line else 1
        elif child.type.startswith("math_inline"):
            parts.append(MATHS)
            maths.append((child.content.strip(), line))
        else:
            parts.append(child.content.replace(MATHS, ""))
    return "".join(parts), maths
