"""Makers of a paper's LaTeX, Markdown, HTML and notebook."""

from __future__ import annotations

import html
import json
import re

from benchmarks.papers.content import Paper, Part
from benchmarks.papers.later import LATEX_STYLES

STYLES = {
    "one column": r"\documentclass{article}\usepackage{amsmath,amssymb,booktabs}",
    "two columns": r"\documentclass[twocolumn]{article}\usepackage{amsmath,amssymb,booktabs}"
    r"\usepackage[margin=2cm,columnsep=0.6cm]{geometry}\usepackage{times}",
    "times": r"\documentclass[11pt]{article}\usepackage{amsmath,amssymb,booktabs}"
    r"\usepackage{mathptmx}\usepackage[a4paper,margin=3cm]{geometry}",
    "headers": r"\documentclass[twoside]{article}\usepackage{amsmath,amssymb}"
    r"\usepackage{fancyhdr}\pagestyle{fancy}\fancyhead[LE,RO]{A made paper on \thepage}"
    r"\setlength{\parindent}{0pt}\setlength{\parskip}{7pt plus 1pt}",
}


def latex(paper: Paper, style: str = "one column") -> str:
    """Write a paper as LaTeX."""
    ruled = style in ("headers", "times")
    parts = [_latex_part(part, ruled, style.startswith("two columns")) for part in paper.parts]
    head = (STYLES | LATEX_STYLES)[style] + "\n\\begin{document}"
    title = f"\\begin{{center}}\\Large\\bfseries {paper.title}\\end{{center}}"
    return "\n\n".join([head, title, *parts, "\\end{document}\n"])


def _broken(latex_: str) -> str:
    """Formula cut into two lines at its last sum outside of brackets, where it is long."""
    depth, at = 0, 0
    for k, character in enumerate(latex_):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and latex_[k : k + 3] in (" + ", " - "):
            at = k
    return f"{latex_[:at]} \\\\ {latex_[at:]}" if at else latex_


def _latex_part(part: Part, ruled: bool, narrow: bool) -> str:
    if part.kind == "heading":
        return f"\\{'sub' * (part.level - 1)}section{{{part.text}}}"
    if part.kind == "formula":
        if narrow and len(part.text) > 75 and _broken(part.text) != part.text:
            return f"\\begin{{multline}}\n{_broken(part.text)}\n\\end{{multline}}"
        return f"\\begin{{equation}}\n{part.text}\n\\end{{equation}}"
    if part.kind == "list":
        items = "\n".join(f"\\item {item}" for item in part.items)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
    if part.kind == "code":
        return f"\\begin{{verbatim}}\n{part.text}\n\\end{{verbatim}}"
    if part.kind == "table":
        count = len(part.rows[0])
        lines = [" & ".join(cell.replace("_", "\\_") for cell in row) for row in part.rows]
        if ruled:
            columns = "|" + "l|" + "r|" * (count - 1)
            body = "\\hline\n" + "\\\\ \\hline\n".join(lines) + "\\\\ \\hline"
        else:
            columns = "l" + "r" * (count - 1)
            body = f"\\toprule\n{lines[0]}\\\\ \\midrule\n" + "\\\\\n".join(lines[1:])
            body += "\\\\ \\bottomrule"
        body = f"\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}"
        return f"\\begin{{center}}{body}\\end{{center}}"
    return part.text


def markdown(paper: Paper) -> str:
    """Write a paper as Markdown."""
    found = [f"# {paper.title}"]
    for part in paper.parts:
        if part.kind == "heading":
            found.append("#" * (part.level + 1) + f" {part.text}")
        elif part.kind == "formula":
            found.append(f"$$\n{part.text}\n$$")
        elif part.kind == "list":
            found.append("\n".join(f"- {item}" for item in part.items))
        elif part.kind == "code":
            found.append(f"```python\n{part.text}\n```")
        elif part.kind == "table":
            rule = "|" + "---|" * len(part.rows[0])
            lines = ["| " + " | ".join(row) + " |" for row in part.rows]
            found.append("\n".join([lines[0], rule, *lines[1:]]))
        else:
            found.append(part.text)
    return "\n\n".join(found) + "\n"


def notebook(paper: Paper) -> str:
    """Write a paper as a notebook: text in cells, code in cells of its own."""
    cells = []
    for part in paper.parts:
        if part.kind == "code":
            cells.append({"cell_type": "code", "source": part.text, "outputs": []})
        else:
            text = markdown(Paper("", [part])).partition("\n\n")[2]
            cells.append({"cell_type": "markdown", "source": text.splitlines(keepends=True)})
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


def hypertext(paper: Paper) -> str:
    """Write a paper as HTML with LaTeX between dollars, as a static site has it."""
    found = [f"<html><head><title>x</title></head><body><h1>{html.escape(paper.title)}</h1>"]
    for part in paper.parts:
        text = html.escape(part.text)
        if part.kind == "heading":
            found.append(f"<h{part.level + 1}>{text}</h{part.level + 1}>")
        elif part.kind == "formula":
            found.append(f"<p>$${text}$$</p>")
        elif part.kind == "list":
            items = "".join(f"<li>{html.escape(item)}</li>" for item in part.items)
            found.append(f"<ul>{items}</ul>")
        elif part.kind == "code":
            found.append(f"<pre><code>{text}</code></pre>")
        elif part.kind == "table":
            rows = ["".join(f"<td>{html.escape(c)}</td>" for c in row) for row in part.rows]
            found.append("<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")
        else:
            found.append(f"<p>{text}</p>")
    return "\n".join([*found, "</body></html>"])


def without_dollars(text: str) -> list[tuple[str, bool]]:
    """Cut a text at its dollars: pieces, and whether each is a formula."""
    return [(piece, k % 2 == 1) for k, piece in enumerate(re.split(r"\$", text))]
