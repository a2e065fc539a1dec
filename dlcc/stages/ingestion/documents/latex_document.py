"""Reader of LaTeX documents: sections, paragraphs, lists, displayed formulas, tables, listings."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping

from dlcc.stages.ingestion.documents.hypertext import in_line_maths
from dlcc.stages.ingestion.documents.latex_macros import Source, group, resolved
from dlcc.stages.ingestion.documents.page import Page

_FORMULAS = frozenset(
    [
        "equation",
        "align",
        "gather",
        "multline",
        "eqnarray",
        "displaymath",
        "math",
        "flalign",
        "alignat",
        "dmath",
    ]
)
_TABLES = frozenset(["tabular", "tabularx", "longtable", "tabulary"])
_LISTS = frozenset(["itemize", "enumerate", "description"])
_LISTINGS = frozenset(["verbatim", "lstlisting", "minted", "Verbatim"])
_LEFT_OUT = frozenset(["tikzpicture", "thebibliography", "comment", "filecontents", "pgfpicture"])
_LEVELS = {"part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3}
_NEXT = re.compile(
    r"\\begin\s*\{(?P<env>[A-Za-z]+)\*?\}"
    r"|\\(?P<sec>part|chapter|(?:sub){0,2}section|paragraph)\*?\s*(?:\[[^\]]*\])?(?=\{)"
    r"|(?P<square>\\\[)|(?P<dollars>\$\$)|(?P<gap>\n[ \t]*\n)"
)
_NOTES = re.compile(
    r"\\(?:label|tag|cite[a-z]*|ref|eqref|vspace|hspace)\*?(?:\[[^\]]*\])*\{[^{}]*\}"
)
_BARE = re.compile(r"\\(?:nonumber|notag|displaystyle|quad|qquad|[,;:!])")
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline")
_RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|cline\{[^}]*\}|cmidrule(?:\([^)]*\))?\{[^}]*\})"
)
_SPANS = re.compile(r"\\multi(?:column|row)\s*\{[^{}]*\}\s*(?:\{[^{}]*\}|\*)\s*(?=\{)")
_INNER = re.compile(r"\\(?:begin|end)\{(?:aligned|split|gathered|alignedat)\}(?:\{\d+\})?")
_DROPPED = re.compile(
    r"\\(?:cite[a-z]*|ref|eqref|label|footnote|footnotetext|vspace|hspace|includegraphics"
    r"|bibliography|bibliographystyle|usepackage|documentclass|author|date|thanks|pagestyle"
    r"|setlength)\*?(?:\[[^\]]*\])*(?:\{(?:[^{}]|\{[^{}]*\})*\})?"
)
_LINK = re.compile(r"\\href\s*\{[^{}]*\}\s*(?=\{)")
_COMMAND = re.compile(r"\\[A-Za-z]+\*?(?:\[[^\]]*\])?|\\(?=\s)")
_ESCAPED = re.compile(r"\\([%&_#$\{\}])")


def read_latex(page: Page, files: Mapping[str, str]) -> None:
    """Read a LaTeX document, with the files that it includes, into a page.

    Args:
        page: Page whose file is the document.
        files: Text of every document by its path.

    Raises:
        UnreadableDocument: Files include each other, or macros expand without end.

    >>> page = Page("a.tex")
    >>> text = "\\\\section{Loss} The loss is \\n\\\\begin{equation}L_D = 1\\\\end{equation}"
    >>> read_latex(page, {"a.tex": text})
    >>> [(block.kind, block.text, block.line) for block in page.blocks]
    [('heading', 'Loss', 1), ('paragraph', 'The loss is', 1), ('formula', 'L_D = 1', 2)]
    """
    source = resolved(page.file, files)
    begin, end = "\\begin{document}", "\\end{document}"
    start = source.text.find(begin)
    stop = source.text.find(end)
    start = 0 if start < 0 else start + len(begin)
    main = page.file
    _Reader(page, source).read(start, len(source.text) if stop < start else stop)
    page.file = main


class _Reader:
    """Reader of a text between two places."""

    def __init__(self, page: Page, source: Source) -> None:
        self._page, self._text = page, source.text
        self._origins = source.origins
        self._starts = [0, *(m.end() for m in re.finditer("\n", source.text))]

    def read(self, at: int, end: int, *, listed: bool = False) -> None:
        """Read a part of the text, environment after environment."""
        while at < end:
            match = _NEXT.search(self._text, at, end)
            if match is None:
                self._prose(at, end, listed)
                return
            self._prose(at, match.start(), listed)
            at = self._next(match, end)

    def _next(self, match: re.Match[str], end: int) -> int:
        """Read what a match begins; returns where it ends."""
        if match["gap"]:
            return match.end() - 1  # the next gap may begin with this line
        if match["sec"]:
            title, after = group(self._text, match.end())
            self._place(match.start())
            level = _LEVELS.get(match["sec"], 4)
            self._page.heading(level, plain_text(title or "")[0], self._line)
            return after
        if match["square"] or match["dollars"]:
            closing = "\\]" if match["square"] else "$$"
            after = self._text.find(closing, match.end(), end)
            after = end if after < 0 else after
            self._formulas(match.end(), after)
            return min(end, after + len(closing))
        return self._environment(match["env"], match.end(), end)

    def _environment(self, name: str, at: int, end: int) -> int:
        stop, after = self._end_of(name, at, end)
        if name in _FORMULAS:
            self._formulas(at, stop)
        elif name in _TABLES:
            self._table(at, stop)
        elif name in _LISTS:
            self._items(at, stop)
        elif name in _LISTINGS:
            self._place(at)
            self._page.block("code", self._line, self._text[at:stop])
        elif name not in _LEFT_OUT:
            self.read(at, stop)
        return after

    def _end_of(self, name: str, at: int, end: int) -> tuple[int, int]:
        """Find where an environment ends, others of its name within it left out."""
        depth = 1
        for match in re.compile(rf"\\(begin|end)\s*\{{{name}\*?\}}").finditer(self._text, at, end):
            depth += 1 if match[1] == "begin" else -1
            if depth == 0:
                return match.start(), match.end()
        return end, end

    def _items(self, at: int, end: int) -> None:
        places = [m.end() for m in re.compile(r"\\item(?![a-z])").finditer(self._text, at, end)]
        for start, following in zip(places, [*places[1:], end + 5], strict=False):
            self.read(start, following - 5 if following <= end else end, listed=True)

    def _formulas(self, at: int, end: int) -> None:
        rows: list[tuple[int, str]] = []
        for start, row in _rows(_INNER.sub(_blank, self._text[at:end])):
            latex = " ".join(_BARE.sub(" ", _NOTES.sub("", row.replace("&", " "))).split())
            if not latex:
                continue
            if rows and (not latex.partition("=")[0].strip() or latex[0] in "+-="):
                rows[-1] = (rows[-1][0], f"{rows[-1][1]} {latex}")
            else:
                rows.append((at + start, latex))
        for start, latex in rows:
            self._place(start + len(self._text[start:]) - len(self._text[start:].lstrip()))
            self._page.formula(latex, self._line)

    def _table(self, at: int, end: int) -> None:
        if self._text[at : at + 1] == "[":
            at = self._text.find("]", at, end) + 1
        while self._text[at:end].lstrip().startswith("{"):  # width and columns
            _, at = group(self._text, at)
        rows = []
        for _, row in _rows(_RULES.sub(_blank, self._text[at:end])):
            cells = [plain_text(_SPANS.sub("", c))[0] for c in re.split(r"(?<!\\)&", row)]
            if any(cells):
                rows.append(cells)
        if rows:
            self._place(at)
            self._page.table(rows, self._line)

    def _prose(self, at: int, end: int, listed: bool) -> None:
        raw = self._text[at:end]
        text, maths = plain_text(raw)
        if re.sub(r"[\s{}]", "", text):
            self._place(at + len(raw) - len(raw.lstrip()))
            its = [(latex, self._line) for latex in maths]
            self._page.prose(self._line, text, its, listed=listed)

    def _place(self, at: int) -> None:
        """Take the place of what comes next as the page's."""
        number = bisect_right(self._starts, at) - 1
        self._page.file, self._line = self._origins[min(number, len(self._origins) - 1)]


def plain_text(latex: str) -> tuple[str, list[str]]:
    """Turn LaTeX of a paragraph to text: with marks for inline formulas, and their LaTeX.

    >>> plain_text(r"We \\emph{use} \\textbf{Adam} at 5\\,\\%~\\cite{adam} -- $L$")
    ('We use Adam at 5 % -- \\x00', ['L'])
    """
    text, maths = in_line_maths(latex.replace("\\$", "\x01"))
    text = _DROPPED.sub("", _LINK.sub("", text))
    text = _ESCAPED.sub(r"\1", _BARE.sub(" ", text).replace("\\\\", " "))
    text = _COMMAND.sub("", text).replace("~", " ").replace("``", '"').replace("''", '"')
    text = re.sub(r"[{}]", "", text).replace("\x01", "$")
    return " ".join(text.split()), maths


def _rows(latex: str) -> Iterator[tuple[int, str]]:
    """Split at the ends of rows that stand in no braces and no inner environment."""
    depth, start = 0, 0
    for match in re.finditer(r"\\begin\b|\\end\b|\\[{}]|[{}]|" + _ROW_END.pattern, latex):
        token = match[0]
        if token in ("\\begin", "{"):
            depth += 1
        elif token in ("\\end", "}"):
            depth -= 1
        elif token not in ("\\{", "\\}") and depth <= 0:
            yield start, latex[start : match.start()]
            start = match.end()
    yield start, latex[start:]


def _blank(match: re.Match[str]) -> str:
    """Blank of the same length, so that places stay."""
    return " " * len(match[0])
