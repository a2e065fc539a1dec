"""Makers of a paper's PDF: pdfTeX, ReportLab and matplotlib."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

from benchmarks.papers.content import Paper, Part
from benchmarks.papers.text_makers import latex, without_dollars

_GREEK = {"lambda": "λ", "beta": "β", "theta": "θ", "sigma": "σ", "mu": "μ", "epsilon": "ε"}


def by_latex(paper: Paper, style: str, folder: Path) -> Path:
    """Make a PDF by pdfTeX."""
    source = folder / "paper.tex"
    source.write_text(latex(paper, style), encoding="utf-8")
    command = ["pdflatex", "-interaction=batchmode", "-halt-on-error", source.name]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return source.with_suffix(".pdf")


def by_reportlab(paper: Paper, folder: Path) -> Path:
    """Make a PDF by ReportLab: no formulas but simple ones, grids around the cells of tables."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import (
        ListFlowable,
        Paragraph,
        Preformatted,
        SimpleDocTemplate,
        Spacer,
        Table,
        TableStyle,
    )

    path = folder / "reportlab.pdf"
    styles = getSampleStyleSheet()
    flow = [Paragraph(paper.title, styles["Title"])]
    for part in paper.parts:
        if part.kind == "heading":
            flow.append(Paragraph(part.text, styles[f"Heading{part.level + 1}"]))
        elif part.kind == "table":
            grid = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)])
            flow += [
                Spacer(1, 8),
                Table([list(row) for row in part.rows], style=grid),
                Spacer(1, 8),
            ]
        elif part.kind == "list":
            items = [Paragraph(_marked(item), styles["BodyText"]) for item in part.items]
            flow.append(ListFlowable(items, bulletType="bullet", start="•"))
        elif part.kind == "code":
            flow.append(Preformatted(part.text, styles["Code"]))
        elif part.kind == "paragraph":
            flow.append(Paragraph(_marked(part.text), styles["BodyText"]))
    SimpleDocTemplate(str(path), pagesize=A4).build(flow)
    return path


def _marked(text: str) -> str:
    """Text with formulas in line as italics, for ReportLab's paragraphs."""
    import html

    found = ""
    for piece, is_formula in without_dollars(text):
        found += f"<i>{simple(piece)}</i>" if is_formula else html.escape(piece)
    return found


def simple(latex_: str) -> str:
    """A formula in line as letters alone, which is all that plain fonts have."""
    for name in _GREEK:
        latex_ = latex_.replace(f"\\{name}", name[0])
    for sign in ("\\sim", "\\hat", "\\|", "_", "^", "{", "}"):
        latex_ = latex_.replace(sign, "")
    return latex_


def by_matplotlib(paper: Paper, folder: Path, fonts: str) -> Path:
    """Make a PDF by matplotlib: formulas by its own TeX-like layout, tables with boxes of cells."""
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    matplotlib.rcParams["mathtext.fontset"] = fonts
    matplotlib.rcParams["font.family"] = "serif"
    path = folder / "matplotlib.pdf"
    with PdfPages(path) as pages:
        sheet = _Sheet(pages)
        sheet.text(paper.title, 16, bold=True)
        for part in paper.parts:
            sheet.add(part)
        sheet.close()
    return path


class _Sheet:
    """Page of matplotlib's that is filled from its top."""

    def __init__(self, pages: object) -> None:
        self._pages = pages
        self._figure = None
        self._y = 0.0

    def _room(self, height: float) -> None:
        import matplotlib.pyplot as plt

        if self._figure is None or self._y - height < 60:
            self.close()
            self._figure = plt.figure(figsize=(8.27, 11.69))
            self._y = 790.0

    def close(self) -> None:
        import matplotlib.pyplot as plt

        if self._figure is not None:
            self._pages.savefig(self._figure)
            plt.close(self._figure)
            self._figure = None

    def text(self, text: str, size: float, x: float = 70, *, bold: bool = False, mono: bool = False,
             leading: float = 1.3) -> None:  # fmt: skip
        self._room(size * leading)
        self._figure.text(
            x / 595.4, self._y / 841.7, text, fontsize=size, va="baseline",
            fontweight="bold" if bold else "normal", family="monospace" if mono else "serif",
        )  # fmt: skip
        self._y -= size * leading

    def add(self, part: Part) -> None:
        """Draw a part below the ones before."""
        self._y -= 6
        if part.kind == "heading":
            self._room(60)
            self._y -= 6
            self.text(part.text, 15 - 2 * part.level, bold=True)
        elif part.kind == "formula":
            self._room(50)
            self._y -= 18
            self.text(f"${part.text}$", 11, 150)
            self._y -= 16
        elif part.kind == "code":
            for line in part.text.split("\n"):
                self.text(line, 9, mono=True)
        elif part.kind == "list":
            for item in part.items:
                for k, line in enumerate(_wrapped(item, 84)):
                    self.text(f"• {line}" if k == 0 else line, 10, 80 if k == 0 else 89)
        elif part.kind == "table":
            self._table(part)
        else:
            for line in _wrapped(part.text, 88):
                self.text(line, 10)

    def _table(self, part: Part) -> None:
        height, width = 16.0, 85.0
        self._room(height * len(part.rows) + 30)
        top = self._y
        count = len(part.rows[0])
        box = [70 / 595.4, (top - height * len(part.rows)) / 841.7, count * width / 595.4,
               height * len(part.rows) / 841.7]  # fmt: skip
        axes = self._figure.add_axes(box)
        axes.axis("off")
        axes.table([list(row) for row in part.rows], bbox=[0, 0, 1, 1], cellLoc="left")
        self._y = top - height * len(part.rows) - 14


def _wrapped(text: str, width: int) -> list[str]:
    """Wrap a text without cutting its formulas, which are shown longer than they are."""
    held = text
    pieces = without_dollars(text)
    for piece, is_formula in pieces:
        if is_formula:
            held = held.replace(f"${piece}$", f"${piece.replace(' ', chr(7))}$", 1)
    return [
        line.replace(chr(7), " ") for line in textwrap.wrap(held, width, break_on_hyphens=False)
    ]
