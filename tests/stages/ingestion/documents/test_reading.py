"""Documents of every format that is read, and the reason for every other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dlcc
from dlcc.records import Documents
from dlcc.runs import Run
from dlcc.stages.ingestion.documents.reading import read_documents

NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Losses\n", "We minimise\n\n$$L_D = -E[D(x)]$$\n"]},
        {
            "cell_type": "code",
            "source": "train()",
            "outputs": [
                {"output_type": "stream", "text": ["step 10 loss 0.5\n"]},
                {
                    "output_type": "display_data",
                    "data": {"text/plain": "<Figure>", "image/png": "x"},
                },
            ],
        },
        "nonsense",
    ]
}


def test_notebooks_give_text_formulas_code_and_what_was_printed() -> None:
    read = read_documents({"a.ipynb": json.dumps(NOTEBOOK)})
    blocks, formulas, left_out = read.blocks, read.formulas, read.left_out
    kinds = [(block.kind, block.line) for block in blocks]
    assert kinds == [
        ("heading", 1), ("paragraph", 1), ("formula", 1), ("code", 2), ("code", 2), ("code", 2),
    ]  # fmt: skip
    assert (formulas[0].latex, left_out) == ("L_D = -E[D(x)]", ())
    assert "loss 0.5" in blocks[4].text


def test_losses_that_a_notebook_printed_become_series() -> None:
    lines = "".join(f"epoch {k} loss_D {1 / (k + 1):.4f} loss_G {k / 10}\n" for k in range(8))
    cell = {
        "cell_type": "code",
        "source": "",
        "outputs": [{"output_type": "stream", "text": lines}],
    }
    series = read_documents({"a.ipynb": json.dumps({"cells": [cell]})}).series
    assert [(s.series, s.unit, len(s.steps)) for s in series] == [
        ("discriminator/loss", "epoch", 8),
        ("generator/loss", "epoch", 8),
    ]
    assert (series[0].values[1], series[0].tolerance) == (0.5, 0.00005)


def test_an_output_without_end_is_cut_and_named() -> None:
    output = {"output_type": "stream", "text": "loss 1.0\n" * 1_000_000}
    cell = {"cell_type": "code", "source": "", "outputs": [output]}
    read = read_documents({"a.ipynb": json.dumps({"cells": [cell]})})
    assert len(read.blocks[0].text) == 200_000
    assert "was cut" in read.left_out[0][1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": 3}', "[" * 100_000, "not json"])
def test_what_is_no_notebook_is_named(text: str) -> None:
    left_out = read_documents({"a.ipynb": text}).left_out
    assert "not a notebook" in left_out[0][1]


def test_html_gives_headings_paragraphs_tables_lists_and_formulas() -> None:
    text = """<html><head><title>no</title><style>p{}</style></head><body>
    <h1>Method</h1><p>We <b>train</b> with \\(x\\) &amp; noise. It works.</p>
    <script type="math/tex; mode=display">L_D = -E[D(x)]</script>
    <script>var hidden = 1;</script>
    <table><tr><th>key</th><th>value</th></tr><tr><td>lr</td><td>0.1</td></tr></table>
    <ul><li>one<li>two</ul><pre>code  here</pre>tail"""
    read = read_documents({"a.html": text})
    blocks, formulas, left_out = read.blocks, read.formulas, read.left_out
    found = [(block.kind, block.text) for block in blocks]
    assert found == [
        ("heading", "Method"),
        ("paragraph", "We train with $x$ & noise. It works."),
        ("formula", "L_D = -E[D(x)]"),
        ("table", "key\tvalue\nlr\t0.1"),
        ("list", "one"),
        ("list", "two"),
        ("code", "code  here"),
        ("paragraph", "tail"),
    ]
    assert [f.latex for f in formulas if f.displayed] == ["L_D = -E[D(x)]"]
    assert left_out == ()


@pytest.mark.parametrize("text", ["<", "<table>", "</p>" * 1000, "<script>" * 50, "<td>x", "$$a"])
def test_broken_html_is_still_text(text: str) -> None:
    read = read_documents({"a.html": text})
    blocks, left_out = read.blocks, read.left_out
    assert len(blocks) < 5
    assert left_out == ()


def test_files_that_are_not_read_are_named_with_the_reason(tmp_path: Path) -> None:
    documents = []
    for name, content in (("a.pdf", b"%PDF-1.4 \xff"), ("b.png", b"\x89PNG\xff"), ("c.md", b"# C"),
                          ("d.doc", b"\xff\xfe")):  # fmt: skip
        documents.append(tmp_path / name)
        documents[-1].write_bytes(content)
    with dlcc.Recorder(tmp_path / "run", length=2, documents=documents) as recorder:
        recorder.log(0, {"generator/loss": 1.0})
    found = Documents.of(Run.open(tmp_path / "run"), None)
    assert found is not None
    assert list(found.files) == ["documents/c.md"]
    left_out = read_documents(found.files, found.others).left_out
    assert {name.rpartition("/")[2]: reason for name, reason in left_out} == {
        "a.pdf": "it is no whole PDF (PDFSyntaxError)",
        "b.png": "it is no whole picture",
        "d.doc": "files of this kind are not read as documents",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.ipynb", json.dumps({"cells": [{"cell_type": "code", "source": "x", "outputs": 5}]})),
        ("a.ipynb", '{"cells": [{"cell_type": "markdown", "source": "\\ud800"}]}'),
        ("a.tex", "\\begin{center}" * 5_000),
        ("a.tex", "\\newcommand{\\a}{" * 5_000),
        ("a.tex", "\\newcommand{\\a}{" + "x" * 10_000 + "}" + "\\a " * 5_000),
        ("a.html", "<!--" * 30_000),
        ("a.html", "<a b=" * 30_000),
        ("a.html", "<![x"),
    ],
)  # fmt: skip
def test_one_hostile_document_leaves_the_others_readable(name: str, text: str) -> None:
    read = read_documents({name: text, "z.md": "# Still read"})
    blocks, left_out = read.blocks, read.left_out
    assert blocks[-1].text == "Still read"
    for block in blocks:
        block.text.encode()
    assert len(left_out) <= 1
