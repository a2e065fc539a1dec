"""Reading of all documents of a run, each by its format's reader; what is not read is named."""

from __future__ import annotations

from collections.abc import Mapping

from dlcc.records import Block, Formula
from dlcc.stages.ingestion.documents.hypertext import read_html
from dlcc.stages.ingestion.documents.latex_document import read_latex
from dlcc.stages.ingestion.documents.latex_macros import included
from dlcc.stages.ingestion.documents.markdown import read_markdown
from dlcc.stages.ingestion.documents.notebook import UnreadableDocument, read_notebook
from dlcc.stages.ingestion.documents.page import Page

_MARKDOWN = (".md", ".markdown", ".txt", ".rst")
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
_MOST_TAGS = 20_000
_WITH_TEX = (".bib", ".cls", ".sty", ".bst", ".bbl")

Documents = tuple[tuple[Block, ...], tuple[Formula, ...], tuple[tuple[str, str], ...]]
"""Blocks, formulas, and pairs (file, reason) of what was not read."""


def read_documents(files: Mapping[str, str]) -> Documents:
    """Read documents to blocks and formulas, in order.

    Args:
        files: Text of every document by its path.

    Returns:
        Blocks, formulas, and what was left out with the reason.

    >>> blocks, formulas, left_out = read_documents({"a.md": "# Loss", "b.csv": "1,2"})
    >>> [block.kind for block in blocks], left_out
    (['heading'], (('b.csv', 'files of this kind are not read as documents'),))
    """
    blocks: list[Block] = []
    formulas: list[Formula] = []
    left_out = []
    parts = included(files)
    for file, text in files.items():
        page = Page(file)
        try:
            if file in parts or file.endswith(_WITH_TEX):
                continue
            if not _read(page, text, files):
                left_out.append((file, "files of this kind are not read as documents"))
        except UnreadableDocument as reason:
            left_out.append((file, str(reason)))
            continue
        except _BROKEN as error:  # whatever it is, the other documents are read
            left_out.append((file, f"it cannot be read ({type(error).__name__})"))
            continue
        blocks += page.blocks
        formulas += page.formulas
    return tuple(blocks), tuple(formulas), tuple(left_out)


def _read(page: Page, text: str, files: Mapping[str, str]) -> bool:
    """Read a document by its format; False where no reader knows it."""
    name = page.file.lower()
    if len(text) > _LARGEST or (name.endswith((".html", ".htm")) and text.count("<") > _MOST_TAGS):
        raise UnreadableDocument("it is too large to be a document")
    if name.endswith(_MARKDOWN):
        read_markdown(page, text)
    elif name.endswith(".tex"):
        read_latex(page, files)
    elif name.endswith(".ipynb"):
        read_notebook(page, text)
    elif name.endswith((".html", ".htm")):
        read_html(page, text)
    else:
        return False
    return True
