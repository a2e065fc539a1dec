"""Documents with known content read back: blocks, formulas, tables, curves, seconds.

    python -m benchmarks.documents --seed HASH   # made papers; needs pdflatex
    python -m benchmarks.documents --folder FOLDER   # counts alone, of documents that lie there

Five papers are drawn from the seed and made as LaTeX, Markdown, HTML, notebook and PDF, the PDFs by
three makers. The seed is the hash of the commit whose reader is judged.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from benchmarks.common import write_result
from benchmarks.papers import pdf_makers, text_makers
from benchmarks.papers.content import Paper, Part, make_paper
from benchmarks.papers.figures import curve_errors, draw_figure
from benchmarks.papers.later import (
    FIGURE_STYLES,
    FORMULAS,
    FORMULAS_OF_THE_SECOND_DRAW,
    LATEX_FORMULAS,
    LATEX_STYLES,
)
from dlcc.records import Block, Formula
from dlcc.stages.consistency.formulas.latex import UnknownFormula, parse_equation
from dlcc.stages.ingestion.documents.figures.figure import read_figure
from dlcc.stages.ingestion.documents.reading import read_documents
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_SAME = 0.95  # similarity of two blocks' letters and digits
_NOT_PARSED = (UnknownFormula, RecursionError, ArithmeticError, TypeError, ValueError)


@dataclass
class Counts:
    """Numbers of things that were there, found and right."""

    counts: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.counts + other.counts)

    def shares(self) -> dict[str, float | int]:
        """Shares in figures, each beside its number."""
        c = self.counts
        pairs = {
            "blocks_found": ("blocks_found", "blocks"),
            "blocks_read_that_are_there": ("blocks_found", "blocks_read"),
            "formulas_found": ("formulas_found", "formulas"),
            "formulas_rebuilt": ("formulas_rebuilt", "formulas"),
            "formulas_parsed": ("formulas_parsed", "formulas_parsable"),
            "tables_right": ("tables_right", "tables"),
        }
        shares = {k: round(c[a] / c[b], 4) for k, (a, b) in pairs.items() if c[b]}
        return {
            **shares,
            **{k: c[k] for k in ("blocks", "formulas", "formulas_parsable", "tables")},
            "formulas_named_as_unread": c["formulas_unread"],
            "formulas_parsed_wrong": c["formulas_wrong"],
        }


def main() -> None:
    """Make papers and figures and read them, or count what a folder's documents hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", default="development", help="hash of the commit that is judged")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", default="", help="part of the makers' names")
    parser.add_argument("--show", action="store_true", help="show what is not found")
    chosen = parser.parse_args()
    if chosen.folder:
        print(json.dumps(count_folder(chosen.folder), indent=1))
        return
    figures: dict[str, object] = {}
    for part, papers in (("known", range(3)), ("later", range(3, 5))):
        for name, make in makers(part == "later").items():
            if chosen.only in name:
                extra = 3 * FORMULAS_OF_THE_SECOND_DRAW + FORMULAS if part == "later" else ()
                extra += LATEX_FORMULAS if part == "later" and "TeX" in name else ()
                made = [make_paper(f"{chosen.seed}/{k}", extra=extra) for k in papers]
                figures[f"{name} ({part})"] = judged(made, make, chosen.show)
                print(name, part, figures[f"{name} ({part})"], flush=True)
    if not chosen.only:
        number = int.from_bytes(hashlib.sha256(chosen.seed.encode()).digest()[:4], "big")
        figures["curves (known)"] = read_curves([(number + k, "default") for k in range(40)])
        late = [(number + k, style) for style in FIGURE_STYLES for k in range(100, 110)]
        figures["curves (later)"] = read_curves(late)
        figures["seconds for a paper of 20 pages"] = seconds_for_twenty(chosen.seed)
        write_result("documents", figures, {"papers": chosen.seed})


def judged(
    papers: Sequence[Paper], make: Callable[[Paper, Path], Path], show: bool
) -> dict[str, float | int]:
    """Make papers, read them back and count."""
    total = Counts()
    for paper in papers:
        total += read_back(paper, make, show=show)
    return total.shares()


def read_curves(figures: Sequence[tuple[int, str]]) -> dict[str, object]:
    """Draw figures and read them back: the share that is read, errors, names."""
    errors: list[float] = []
    reasons: Counter[str] = Counter()
    named = right = read = 0
    for seed, style in figures:
        figure = draw_figure(seed, style)
        try:
            curves = read_figure(figure.content)
        except UnreadableDocument as reason:
            reasons[str(reason)] += 1
            continue
        read += 1
        its = [(c.name, np.array(c.steps), np.array(c.values)) for c in curves]
        errors += curve_errors(figure, its)
        named += sum(bool(c.series) for c in curves)
        right += sum(c.series in SERIES.values() for c in curves)
    if not figures:
        return {}
    return {
        "figures": len(figures),
        "figures_read": read,
        "curves": len(errors),
        "median_error": round(float(np.median(errors)), 5) if errors else None,
        "errors_over_1_percent": sum(e > 0.01 for e in errors),
        "errors_over_5_percent": sum(e > 0.05 for e in errors),
        "curves_with_a_series": named,
        "curves_with_a_series_that_was_drawn": right,
        "not_read": dict(reasons),
    }


def seconds_for_twenty(seed: str) -> dict[str, float]:
    """Seconds that a paper of 20 pages takes, of one and of two columns."""
    found = {}
    for style in ("one column", "two columns"):
        paper = make_paper(f"{seed}/long", sections=10)
        while len(paper.parts) < 900:
            paper.parts += paper.parts
        with tempfile.TemporaryDirectory() as name:
            path = pdf_makers.by_latex(paper, style, Path(name))
            pages = _pages(path)
            started = time.perf_counter()
            read_documents({}, {path.name: path})
            found[style] = round(20 * (time.perf_counter() - started) / pages, 2)
    return found


def read_back(paper: Paper, make: Callable[[Paper, Path], Path], show: bool) -> Counts:
    """Make a paper, read it and count."""
    with tempfile.TemporaryDirectory() as name:
        path = make(paper, Path(name))
        if path.suffix == ".pdf":
            files, others = {}, {path.name: path}
        else:
            files, others = {path.name: path.read_text(encoding="utf-8")}, {}
        read = read_documents(files, others)
        blocks, formulas, left_out = read.blocks, read.formulas, read.left_out
    if show and left_out:
        print("left out", left_out)
    parts = [p for p in paper.parts if not (path.name == "reportlab.pdf" and p.kind == "formula")]
    return compare(parts, blocks, formulas, paper.title, show=show)


def compare(
    parts: Sequence[Part],
    blocks: Sequence[Block],
    formulas: Sequence[Formula],
    title: str,
    *,
    show: bool,
) -> Counts:
    """Count which parts are among the blocks, and which of them are right."""
    counts: Counter[str] = Counter()
    unused = [*blocks]
    unread = {(f.line, f.latex) for f in formulas if f.unread}
    if title and unused and bare(unused[0].text) == bare(title):
        del unused[0]
    counts["blocks_read"] = len(unused)
    expected = _expected(parts)
    read = [b for b in unused if b.kind == "formula"]
    matched = match_formulas([text for kind, text, _ in expected if kind == "formula"], read)
    for kind, text, part in expected:
        counts["blocks"] += 1
        if kind == "formula":
            found = matched.pop(0)
            _judge_formula(text, found, counts, unread, show)
        else:
            found = next((b for b in unused if b.kind == kind and _same(kind, text, b)), None)
        if found is not None:
            counts["blocks_found"] += 1
            unused.remove(found)
        elif show:
            print("MISSING", kind, repr(text[:150]))
        if kind == "table":
            counts["tables"] += 1
            right = found is not None and [*found.rows] == [*part.rows]
            counts["tables_right"] += right
            if show and found is not None and not right:
                print("TABLE", part.rows, found.rows)
    if show:
        for block in unused:
            print("LEFT", block.kind, block.line, repr(block.text[:150]))
    return Counts(counts)


def match_formulas(wanted: Sequence[str], read: Sequence[Block]) -> list[Block | None]:
    """Match formulas with those that were read: equal ones first, then by their letters."""
    left = [*read]
    matched: list[Block | None] = [None] * len(wanted)
    for k, latex in enumerate(wanted):
        matched[k] = next((b for b in left if canonical(b.text) == canonical(latex)), None)
        if matched[k] is not None:
            left.remove(matched[k])
    for k, latex in enumerate(wanted):
        if matched[k] is None and left:
            letters = sorted(_signs(latex))
            scores = [SequenceMatcher(None, letters, sorted(_signs(b.text))).ratio() for b in left]
            best = max(range(len(left)), key=lambda j: scores[j])
            if scores[best] >= 0.75:
                matched[k] = left.pop(best)
    return matched


def _expected(parts: Sequence[Part]) -> list[tuple[str, str, Part]]:
    """Blocks that a paper's parts make: kind, text, part."""
    found = []
    for part in parts:
        if part.kind == "list":
            found += [("list", item, part) for item in part.items]
        elif part.kind == "table":
            found.append(("table", " ".join(" ".join(row) for row in part.rows), part))
        else:
            found.append((part.kind, part.text, part))
    return found


def _same(kind: str, text: str, block: Block) -> bool:
    a, b = bare(text), bare(block.text)
    if kind == "heading":
        b = re.sub(r"^\d+", "", b)
    if kind == "formula" or abs(len(a) - len(b)) > 0.1 * len(a) + 3:
        return False
    return a == b or SequenceMatcher(None, a, b, autojunk=False).ratio() >= _SAME


_GREEK = {
    "λ": "lambda", "β": "beta", "θ": "theta", "σ": "sigma", "μ": "mu", "ϵ": "epsilon",
    "ε": "epsilon", "γ": "gamma", "α": "alpha",
}  # fmt: skip


def bare(text: str) -> str:
    """Letters and digits of a text, formulas in it as they are read aloud."""
    text = re.sub(r"\\(?:hat|sim|mathrm|\||leq|cdot)", "", text)
    for letter, name in _GREEK.items():
        text = text.replace(f"\\{name}", name[0]).replace(letter, name[0])
    return re.sub(r"[\W_]", "", text).lower()


def _signs(latex: str) -> str:
    """Letters and digits of a formula, without commands that only arrange them."""
    return re.sub(
        r"\\(?:frac|binom|begin|end|underbrace|sqrt|mathbb|mathcal|quad)|{\w+}", "", bare(latex)
    )


def _judge_formula(
    latex: str,
    found: Block | None,
    counts: Counter[str],
    unread: set[tuple[int, str]],
    show: bool,
) -> None:
    """Count whether a formula is found, rebuilt and parsed."""
    counts["formulas"] += 1
    parsed = _parsed(latex)
    counts["formulas_parsable"] += parsed is not None
    if found is None:
        return
    counts["formulas_found"] += 1
    if (found.line, found.text) in unread:
        counts["formulas_unread"] += 1
        if show:
            print("UNREAD", latex, "|", found.text)
        return
    right = canonical(found.text) == canonical(latex)
    counts["formulas_rebuilt"] += right
    if show and not right:
        print("REBUILT", latex, "|", found.text)
    again = _parsed(found.text)
    if parsed is not None:
        counts["formulas_parsed"] += again == parsed
    if again is not None and again != parsed:
        counts["formulas_wrong"] += 1


def _parsed(latex: str) -> object:
    try:
        equation = parse_equation(latex)
    except _NOT_PARSED:
        return None
    return equation.name, equation.value


def canonical(latex: str) -> str:
    """LaTeX without what does not change how it looks."""
    latex = re.sub(r"\\(?:left|right|quad|,|;|!| )", "", latex)
    latex = re.sub(r"\s+", "", latex)
    latex = re.sub(r"\\(?:mathrm|text|operatorname)\{(\w+)\}", r"\1", latex)
    latex = re.sub(r"([_^])\{(\\?\w+|.)\}", r"\1\2", latex)
    both = re.compile(r"\^((?:\{[^{}]*\})|\\?\w|.)_((?:\{[^{}]*\})|\\?\w|.)")
    return both.sub(r"_\2^\1", latex).replace("'", "^\\prime").strip(".,;")


def _pages(path: Path) -> int:
    from pdfminer.pdfpage import PDFPage

    with path.open("rb") as stream:
        return sum(1 for _ in PDFPage.get_pages(stream))


def count_folder(folder: Path) -> dict[str, object]:
    """Count what is read in each document of a folder; no text of them is kept."""
    figures: dict[str, object] = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        is_text = path.suffix in (".md", ".txt", ".tex", ".html", ".ipynb")
        files = {path.name: path.read_text(encoding="utf-8")} if is_text else {}
        started = time.perf_counter()
        read = read_documents(files, {} if is_text else {path.name: path})
        blocks, formulas, left_out = read.blocks, read.formulas, read.left_out
        figures[path.stem] = {
            "blocks": dict(Counter(block.kind for block in blocks)),
            "sentences": sum(len(block.sentences) for block in blocks),
            "formulas": len(formulas),
            "formulas_unread": sum(bool(f.unread) for f in formulas),
            "left_out": len(left_out),
            "seconds": round(time.perf_counter() - started, 2),
        }
    return figures


def _written(name: str, write: Callable[[Paper], str]) -> Callable[[Paper, Path], Path]:
    def make(paper: Paper, folder: Path) -> Path:
        path = folder / name
        path.write_text(write(paper), encoding="utf-8")
        return path

    return make


SERIES = {
    "generator": "generator/loss", "discriminator": "discriminator/loss", "loss": "model/loss",
    "FID": "metrics/fid", "validation loss": "validation/loss", "KL": "model/kl",
}  # fmt: skip


def makers(later: bool) -> dict[str, Callable[[Paper, Path], Path]]:
    """Makers of documents by name; LaTeX's styles that were written later, or those before."""
    found: dict[str, Callable[[Paper, Path], Path]] = {
        "markdown": _written("paper.md", text_makers.markdown),
        "notebook": _written("paper.ipynb", text_makers.notebook),
        "html": _written("paper.html", text_makers.hypertext),
        "latex": _written("paper.tex", text_makers.latex),
    }
    for style in LATEX_STYLES if later else text_makers.STYLES:
        found[f"pdf by pdfTeX, {style}"] = functools.partial(_by_latex, style)
    found["pdf by ReportLab"] = pdf_makers.by_reportlab
    for fonts in ("cm", "stix", "dejavusans"):
        found[f"pdf by matplotlib, {fonts}"] = functools.partial(_by_matplotlib, fonts)
    return found


def _by_latex(style: str, paper: Paper, folder: Path) -> Path:
    return pdf_makers.by_latex(paper, style, folder)


def _by_matplotlib(fonts: str, paper: Paper, folder: Path) -> Path:
    return pdf_makers.by_matplotlib(paper, folder, fonts)


if __name__ == "__main__":
    main()
