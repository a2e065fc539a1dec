"""Reading of all documents of a run, each by its format's reader; what is not read is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcc.errors import RunError
from dlcc.records import Block, DocumentSeries, Formula
from dlcc.runs.files import opened_regular, read_regular
from dlcc.stages.ingestion.documents.encodings import decode_text, mended
from dlcc.stages.ingestion.documents.figures.reading import read_figures
from dlcc.stages.ingestion.documents.hypertext import read_html
from dlcc.stages.ingestion.documents.latex_document import read_latex
from dlcc.stages.ingestion.documents.latex_macros import included
from dlcc.stages.ingestion.documents.markdown import read_markdown
from dlcc.stages.ingestion.documents.notebook import read_notebook
from dlcc.stages.ingestion.documents.page import Page
from dlcc.stages.ingestion.documents.pdf.pdf_document import read_pdf
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_MARKDOWN = (".md", ".markdown", ".txt", ".rst")
_HTML = (".html", ".htm")
_TEXTS = (*_MARKDOWN, *_HTML, ".tex", ".ipynb")
_FIGURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
_OTHERS = "files of this kind are not read as documents"
_BROKEN = (
    RecursionError,
    MemoryError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    AttributeError,
)
_LARGEST = 2_000_000  # characters of a document
_LARGEST_NOTEBOOK = 40_000_000  # for it holds pictures
_LARGEST_PICTURE = 20 << 20  # bytes
_MOST_TAGS = 20_000
_WITH_TEX = (".bib", ".cls", ".sty", ".bst", ".bbl")


@dataclass(frozen=True)
class ReadDocuments:
    """Content of all documents of a run."""

    blocks: tuple[Block, ...]
    formulas: tuple[Formula, ...]
    series: tuple[DocumentSeries, ...]
    left_out: tuple[tuple[str, str], ...]
    """Pairs (file, reason) of what was not read."""


def read_documents(
    files: Mapping[str, str], others: Mapping[str, Path] | None = None
) -> ReadDocuments:
    """Read documents to blocks and formulas, in order.

    Args:
        files: Text of every document by its path.
        others: Place on the disk by path, of documents that are no text in UTF-8.

    Returns:
        Blocks, formulas, series, and what was left out with the reason.

    >>> found = read_documents({"a.md": "# Loss", "b.csv": "1,2"})
    >>> [block.kind for block in found.blocks], found.left_out
    (['heading'], (('b.csv', 'files of this kind are not read as documents'),))
    """
    others = dict(others or {})
    left_out: list[tuple[str, str]] = []
    texts = {file: mended(text) for file, text in files.items()} | _decoded(others, left_out)
    pages: list[Page] = []
    parts = included(texts)
    for file in [*texts, *others]:
        page = Page(file)
        try:
            if file in parts or file.endswith(_WITH_TEX):
                continue
            if file in texts:
                _read(page, texts[file], texts)
            elif file.lower().endswith(".pdf"):
                read_pdf(page, others[file])
            elif file.lower().endswith(_FIGURES):
                page.pictures.append((1, _content(others[file])))
            else:
                raise UnreadableDocument(_OTHERS)
            read_figures(page)
        except UnreadableDocument as reason:
            left_out.append((file, str(reason)))
            continue
        except _BROKEN as error:  # whatever it is, the other documents are read
            left_out.append((file, f"it cannot be read ({type(error).__name__})"))
            continue
        pages.append(page)
        left_out += [(file, note) for note in page.notes]
    return ReadDocuments(
        blocks=tuple(block for page in pages for block in page.blocks),
        formulas=tuple(formula for page in pages for formula in page.formulas),
        series=tuple(series for page in pages for series in page.series),
        left_out=tuple(left_out),
    )


def _decoded(others: dict[str, Path], left_out: list[tuple[str, str]]) -> dict[str, str]:
    """Take texts in other encodings than UTF-8 out of what is no text in UTF-8."""
    texts = {}
    for file in [name for name in others if name.lower().endswith(_TEXTS)]:
        try:
            with opened_regular(others.pop(file), RunError) as stream:
                texts[file] = decode_text(stream.read(4 * _LARGEST))
        except UnreadableDocument as reason:
            left_out.append((file, str(reason)))
        except RunError:
            left_out.append((file, "it cannot be opened"))
    return texts


def _content(path: Path) -> bytes:
    """Content of a picture."""
    try:
        return read_regular(path, _LARGEST_PICTURE, RunError)
    except RunError:
        raise UnreadableDocument(
            f"larger than {_LARGEST_PICTURE >> 20} MB, or not readable"
        ) from None


def _read(page: Page, text: str, files: Mapping[str, str]) -> None:
    """Read a document by its format."""
    name = page.file.lower()
    largest = _LARGEST_NOTEBOOK if name.endswith(".ipynb") else _LARGEST
    if len(text) > largest or (name.endswith(_HTML) and text.count("<") > _MOST_TAGS):
        raise UnreadableDocument("it is too large to be a document")
    if name.endswith(_MARKDOWN):
        read_markdown(page, text)
    elif name.endswith(".tex"):
        read_latex(page, files)
    elif name.endswith(".ipynb"):
        read_notebook(page, text)
    elif name.endswith(_HTML):
        read_html(page, text)
    else:
        raise UnreadableDocument(_OTHERS)
