"""Reader of HTML: headings, paragraphs, lists, tables, code, and LaTeX in scripts and texts."""

from __future__ import annotations

import base64
import contextlib
import re
from html.parser import HTMLParser

from dlcc.stages.ingestion.documents.page import MATHS, Page

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BREAKS = frozenset(("p", "div", "li", "section", "article", "blockquote", "br", "ul", "ol", "dd"))
_SILENT = frozenset(("script", "style", "head", "template"))
_DISPLAYED = re.compile(r"\$\$(.{1,4000}?)\$\$|\\\[(.{1,4000}?)\\\]", re.DOTALL)
_IN_LINE = re.compile(r"\\\((.{1,400}?)\\\)|(?<!\$)\$([^$\n]{1,400})\$(?!\$)")


def read_html(page: Page, text: str) -> None:
    """Read HTML into a page; whatever is broken in it is still text.

    >>> page = Page("documents/a.html")
    >>> read_html(page, "<h2>Loss</h2><p>We use $$L_D = 1$$ here.</p>")
    >>> [(block.kind, block.text) for block in page.blocks]
    [('heading', 'Loss'), ('paragraph', 'We use'), ('formula', 'L_D = 1'), ('paragraph', 'here.')]
    """
    reader = _Reader(page)
    reader.feed(text)
    reader.close()
    reader.end_of_block()


class _Reader(HTMLParser):
    """Reader of tags that keeps what stands between them until a block ends."""

    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self._page = page
        self._text: list[str] = []
        self._line = 1
        self._silent: list[str] = []
        self._maths = ""
        self._rows: list[list[str]] | None = None
        self._listed = self._code = False
        self._heading = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("type") or ""
        if tag == "img":
            self._picture(dict(attrs).get("src") or "")
        elif tag == "script" and kind.startswith("math/tex"):
            self._maths = "displayed" if "display" in kind else "in line"
        elif tag in _SILENT:
            self._silent.append(tag)
        elif tag == "table":
            self.end_of_block()
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th"):
            self._text = []
        elif tag in _HEADINGS or tag in _BREAKS or tag == "pre":
            self.end_of_block()
            self._heading, self._code = _HEADINGS.get(tag, 0), tag == "pre"
            self._listed = tag == "li"

    def _picture(self, source: str) -> None:
        """Keep a picture that stands in the document itself."""
        head, _, coded = source.partition(";base64,")
        if head in ("data:image/png", "data:image/jpeg"):
            with contextlib.suppress(ValueError):
                self._page.pictures.append((self.getpos()[0], base64.b64decode(coded)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._maths:
            self._maths = ""
        elif self._silent and tag == self._silent[-1]:
            self._silent.pop()
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].append(" ".join("".join(self._text).split()))
            self._text = []
        elif tag == "table" and self._rows is not None:
            rows, self._rows = [row for row in self._rows if row], None
            if rows:
                self._page.table(rows, self.getpos()[0])
        elif tag in _HEADINGS or tag in _BREAKS or tag == "pre":
            self.end_of_block()

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if not "".join(self._text).strip():
            self._line = self.getpos()[0]
        if self._maths:
            data = f"$${data}$$" if self._maths == "displayed" else f"\\({data}\\)"
        self._text.append(data)

    def end_of_block(self) -> None:
        """Make a block of what was read since the last one."""
        text, self._text = "".join(self._text), []
        if self._rows is not None or not text.strip():
            self._text = [text] if self._rows is not None else []
            return
        if self._heading:
            self._page.heading(self._heading, " ".join(text.split()), self._line)
        elif self._code:
            self._page.block("code", self._line, text)
        else:
            self._prose(text)
        self._heading, self._code = 0, False

    def _prose(self, text: str) -> None:
        at = 0
        for match in _DISPLAYED.finditer(text):
            self._paragraph(text[at : match.start()])
            self._page.formula(match[1] or match[2], self._line)
            at = match.end()
        self._paragraph(text[at:])

    def _paragraph(self, text: str) -> None:
        if text.strip():
            plain, maths = in_line_maths(text)
            its = [(latex, self._line) for latex in maths]
            self._page.prose(self._line, " ".join(plain.split()), its, listed=self._listed)


def in_line_maths(text: str) -> tuple[str, list[str]]:
    """Take inline formulas out of a text: the text with marks for them, and their LaTeX."""
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        found.append((match[1] or match[2]).strip())
        return MATHS

    return _IN_LINE.sub(take, text.replace(MATHS, "")), found
