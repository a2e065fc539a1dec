"""LaTeX: what a paper holds comes out block by block, and hostile sources are refused in a word."""

from __future__ import annotations

import time

import pytest

from dlcc.records import Block, Formula
from dlcc.stages.consistency.formulas.paper_losses import paper_losses
from dlcc.stages.ingestion.documents.reading import read_documents

PAPER = r"""\documentclass[11pt]{article}
\usepackage{amsmath,booktabs}  % the usual
\newcommand{\E}{\mathbb{E}}
\newcommand{\loss}[1]{\mathcal{L}_{#1}}
\DeclareMathOperator{\KL}{KL}
\def\G{G(z)}
\title{A GAN}
\begin{document}
\maketitle
\begin{abstract}
We train a \emph{GAN}. It is small, e.g. of two layers.
\end{abstract}

\section{Method}\label{sec:method}
The discriminator~\cite{goodfellow2014} sees $x$ and \(\G\) and minimises
\begin{equation}\label{eq:d}
  \loss{D} = -\E_x[\log D(x)] - \E_z[\log(1 - D(\G))]
\end{equation}
while the generator has
\[ \loss{G} = -\E_z[\log D(\G)]. \]
\input{tables/settings}

\subsection{Variational}
\begin{align*}
  \loss{VAE} &= \E\|x - \hat{x}\|^2 \\
      &\quad + \beta \KL(q(z|x) \| p(z)) \nonumber \\
  z &= \mu + \sigma \epsilon
\end{align*}
\begin{itemize}
  \item Rates are 2\,\% lower.
  \item Batches have 64 rows.
\end{itemize}
\begin{verbatim}
loss = \section{not a heading}
\end{verbatim}
\end{document}
ignored
"""
TABLE = r"""\begin{table}
\caption{Settings.}
\begin{tabular}{l|r}
\toprule
key & value \\ \midrule
lr\_d & 0.002 \\  % learning rate
\multicolumn{1}{l}{batch} & 64 \\[2pt]
\bottomrule
\end{tabular}
\end{table}
"""


@pytest.fixture(scope="module")
def read() -> tuple[tuple[Block, ...], tuple[Formula, ...], tuple[tuple[str, str], ...]]:
    read = read_documents({"documents/a.tex": PAPER, "documents/tables/settings.tex": TABLE})
    return read.blocks, read.formulas, read.left_out


def of_kind(blocks: tuple[Block, ...], kind: str) -> list[Block]:
    return [block for block in blocks if block.kind == kind]


def test_headings_and_sections(read: tuple[tuple[Block, ...], object, object]) -> None:
    assert [b.text for b in of_kind(read[0], "heading")] == ["Method", "Variational"]
    assert of_kind(read[0], "list")[0].section == "Method > Variational"


def test_paragraphs_are_text_with_their_sentences(
    read: tuple[tuple[Block, ...], object, object],
) -> None:
    first, second, *_ = of_kind(read[0], "paragraph")
    assert first.sentences == ("We train a GAN.", "It is small, e.g. of two layers.")
    assert second.text == "The discriminator sees $x$ and $G(z)$ and minimises"


def test_formulas_are_whole_and_in_their_place(
    read: tuple[object, tuple[Formula, ...], object],
) -> None:
    displayed = [f for f in read[1] if f.displayed]
    assert [f.latex for f in displayed] == [
        r"\mathcal{L}_{D} = -\mathbb{E}_x[\log D(x)] - \mathbb{E}_z[\log(1 - D(G(z)))]",
        r"\mathcal{L}_{G} = -\mathbb{E}_z[\log D(G(z))].",
        r"\mathcal{L}_{VAE} = \mathbb{E}\|x - \hat{x}\|^2"
        r" + \beta \operatorname{KL}(q(z|x) \| p(z))",
        r"z = \mu + \sigma \epsilon",
    ]
    lines = PAPER.split("\n")
    assert [lines[f.line - 1].split()[0] for f in displayed] == [
        r"\begin{equation}\label{eq:d}", r"\[", r"\loss{VAE}", "z",
    ]  # fmt: skip
    assert [f.latex for f in read[1] if not f.displayed] == ["x", "G(z)"]


def test_losses_of_a_paper_are_understood(
    read: tuple[object, tuple[Formula, ...], object],
) -> None:
    found = {loss.player: loss.expression for loss in paper_losses(read[1])}
    assert set(found) == {"discriminator", "generator", "training"}
    assert all(expression is not None for expression in found.values())


def test_tables_of_included_files_are_read_where_they_lie(
    read: tuple[tuple[Block, ...], object, tuple[object, ...]],
) -> None:
    (table,) = of_kind(read[0], "table")
    assert table.rows == (("key", "value"), ("lr_d", "0.002"), ("batch", "64"))
    assert (table.file, read[2]) == ("documents/tables/settings.tex", ())


def test_lists_and_listings(read: tuple[tuple[Block, ...], object, object]) -> None:
    assert [b.text for b in of_kind(read[0], "list")] == [
        "Rates are 2 % lower.", "Batches have 64 rows.",
    ]  # fmt: skip
    assert "not a heading" in of_kind(read[0], "code")[0].text


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.tex": r"\newcommand{\a}{\a\a} \a"}, "without end"),
        ({"a.tex": r"\newcommand{\a}{\b}\newcommand{\b}{\a} \a"}, "without end"),
        ({"a.tex": r"\def\a{xx\b}\def\b{\a\a\a\a} \a"}, "without end"),
        (
            {"a.tex": r"\input{b}", "b.tex": r"\input{c}", "c.tex": r"\input{b}"},
            "include each other",
        ),
    ],
)
def test_loops_end_in_a_sentence(files: dict[str, str], reason: str) -> None:
    started = time.process_time()
    left_out = read_documents({**files, "z.md": "# Still read"}).left_out
    assert time.process_time() - started < 20  # a guard against no end, not a measurement
    assert all(reason in why for _, why in left_out)
    assert left_out or "c.tex" in files


@pytest.mark.parametrize(
    "text",
    ["", "\\", "{" * 5000, "\\begin{equation}", "\\begin{tabular}{ll} a & b", "$$", "\\section{",
     "\\newcommand{\\a}[9]{#1} \\a{", "\\item \\item", "\\begin{itemize}" * 200, "%", "\x00 $a$"],
)  # fmt: skip
def test_broken_sources_are_still_text(text: str) -> None:
    read = read_documents({"a.tex": text})
    blocks, formulas, left_out = read.blocks, read.formulas, read.left_out
    assert isinstance(blocks, tuple)
    assert len(left_out) <= 1
    assert len(formulas) < 10


def test_no_file_outside_of_the_documents_is_read() -> None:
    blocks = read_documents({"documents/a.tex": "\\input{/etc/passwd} \\input{../../x} hi"}).blocks
    assert [block.text for block in blocks] == ["hi"]
