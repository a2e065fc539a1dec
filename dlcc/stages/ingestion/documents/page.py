"""Page of a document as it is read: blocks, formulas and series, with the headings above them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dlcc.records import Block, BlockKind, DocumentSeries, Formula
from dlcc.stages.ingestion.documents.printed_series import printed_series

# A full stop ends a sentence unless it follows one of these or a single capital letter.
_NO_END = re.compile(r"(?:\b(?:e\.g|i\.e|cf|et al|Fig|Eq|Sec|vs|resp|No|approx)|\b[A-Z])\.$")
_END = re.compile(r"(?<=[.!?:])\s+(?=[^\s])")
MOST_PRINTED = 200_000
MATHS = "\x00"
"""Stand-in for an inline formula while a text is cut into sentences."""


@dataclass
class Page:
    """Blocks and formulas of one document, as a reader adds them.

    >>> page = Page("documents/paper.md")
    >>> page.heading(1, "Method", 1)
    >>> page.prose(3, f"We minimise {MATHS}. It works.", [("L_D", 3)])
    >>> [(b.kind, b.section, len(b.sentences)) for b in page.blocks], page.formulas[0].context
    ([('heading', 'Method', 0), ('paragraph', 'Method', 2)], 'We minimise $L_D$.')
    """

    file: str
    blocks: list[Block] = field(default_factory=list)
    formulas: list[Formula] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    last_sentence: str = ""
    series: list[DocumentSeries] = field(default_factory=list)
    pictures: list[tuple[int, bytes]] = field(default_factory=list)
    """Line and content of each picture."""
    notes: list[str] = field(default_factory=list)
    """Sentences about what was found and not read."""

    def heading(self, level: int, text: str, line: int) -> None:
        """Add a heading of a level, 1 the highest."""
        self.headings = [h for h in self.headings if h[0] < level] + [(level, text)]
        self.block("heading", line, text)

    def prose(
        self, line: int, text: str, maths: Sequence[tuple[str, int]], *, listed: bool = False
    ) -> None:
        """Add a paragraph or an item of a list.

        Args:
            line: Line on which it begins.
            text: Text with `MATHS` for each inline formula.
            maths: Pairs (LaTeX, line) of the inline formulas.
            listed: Whether it is an item of a list.
        """
        sentences, taken = [], 0
        for cut in split_sentences(text):
            its = maths[taken : taken + cut.count(MATHS)]
            taken += len(its)
            sentence = with_maths(cut, [latex for latex, _ in its])
            sentences.append(sentence)
            self.formulas += [Formula(self.file, at, latex, False, sentence) for latex, at in its]
        if sentences:
            self.last_sentence = sentences[-1]
        plain = " ".join(with_maths(text, [latex for latex, _ in maths]).split())
        self.block("list" if listed else "paragraph", line, plain, sentences=tuple(sentences))

    def formula(self, latex: str, line: int) -> None:
        """Add a displayed formula."""
        latex = latex.strip()
        self.formulas.append(Formula(self.file, line, latex, True, self.last_sentence))
        self.block("formula", line, latex)

    def unread_formula(self, signs: str, line: int, reason: str) -> None:
        """Add a displayed formula that was found and not read: its signs, and the reason."""
        found = Formula(self.file, line, signs, True, self.last_sentence, unread=reason)
        self.formulas.append(found)
        self.block("formula", line, signs)

    def table(self, rows: Sequence[Sequence[str]], line: int) -> None:
        """Add a table, its header first."""
        cells = tuple(tuple(row) for row in rows)
        self.block("table", line, "\n".join("\t".join(row) for row in cells), rows=cells)

    def printed(self, line: int, text: str) -> None:
        """Add what a program printed: as code, and as series where it is a log."""
        if len(text) > MOST_PRINTED:
            self.notes.append(
                f"what stands at {line} is longer than {MOST_PRINTED:,} characters and was cut"
            )
            text = text[:MOST_PRINTED]
        self.block("code", line, text)
        self.series += printed_series(self.file, line, text)

    def block(
        self,
        kind: BlockKind,
        line: int,
        text: str,
        *,
        sentences: tuple[str, ...] = (),
        rows: tuple[tuple[str, ...], ...] = (),
    ) -> None:
        """Add a block below the headings so far."""
        section = " > ".join(text for _, text in self.headings)
        self.blocks.append(Block(kind, self.file, line, text, section, sentences, rows))


def split_sentences(text: str) -> tuple[str, ...]:
    """Split a paragraph into sentences; abbreviations and initials do not end one."""
    sentences: list[str] = []
    for part in _END.split(" ".join(text.split())):
        if sentences and _NO_END.search(sentences[-1]):
            sentences[-1] += f" {part}"
        elif part:
            sentences.append(part)
    return tuple(sentences)


def with_maths(text: str, latex: Sequence[str]) -> str:
    """Put inline formulas back into a text, between dollars."""
    parts = text.split(MATHS)
    return "".join(p + (f"${m}$" if m else "") for p, m in zip(parts, [*latex, ""], strict=False))
