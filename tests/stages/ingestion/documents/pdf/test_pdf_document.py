"""PDF of every sort: columns, formulas, tables, running heads; and what is broken or hostile."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcc.records import Block, Formula
from dlcc.stages.ingestion.documents.reading import read_documents
from tests.stages.ingestion.documents.pdf.made_pdf import MadePage, bomb, pdf_of, write_pdf

Read = tuple[tuple[Block, ...], tuple[Formula, ...], tuple[tuple[str, str], ...]]


def read(folder: Path, *pages: MadePage) -> Read:
    found = read_documents({}, {"a.pdf": write_pdf(folder / "a.pdf", pages)})
    return found.blocks, found.formulas, found.left_out


def test_headings_paragraphs_and_words_cut_at_a_lines_end(tmp_path: Path) -> None:
    page = MadePage()
    page.text(100, 720, "1 Method", font="CMBX12", size=14)
    page.paragraph(690, ["We train a genera-", "tor. It works well on a long line."])
    page.paragraph(640, ["Another paragraph follows here."])
    blocks, _, left_out = read(tmp_path, page)
    assert [(b.kind, b.text, b.line) for b in blocks] == [
        ("heading", "1 Method", 1001),
        ("paragraph", "We train a generator. It works well on a long line.", 1002),
        ("paragraph", "Another paragraph follows here.", 1003),
    ]
    assert blocks[1].sentences == ("We train a generator.", "It works well on a long line.")
    assert left_out == ()


def with_formula(page: MadePage, y: float, *, stray: bool = False) -> None:
    """Put `L_D = 1/m sum_i^m |x| (1)` on a page; with `stray`, a sign that belongs to nothing."""
    x = page.text(200, y, "L", "CMMI10")
    x = page.text(x, y - 1.5, "D", "CMMI7", 7)
    x = page.text(x + 3, y, "=", "CMR10") + 4
    page.text(x, y + 6.8, "1")
    page.text(x, y - 6.9, "m", "CMMI10")
    page.rule(x, y + 2.5, x + 5, y + 2.5)
    page.text(x + 8, y + 9.5, "∑", "CMEX10")
    page.text(x + 8.5, y + 12.5, "m", "CMMI7", 7)
    page.text(x + 8.5, y - 11.8, "i", "CMMI7", 7)
    page.text(x + 15, y, "|x|", "CMMI10")
    if stray:
        page.text(x + 31, y + 3, "x", "CMMI10")
    page.text(480, y, "(1)")


def test_a_formula_is_rebuilt_from_the_places_of_its_glyphs(tmp_path: Path) -> None:
    page = MadePage()
    page.paragraph(
        700, ["The loss that we minimise is written over a whole batch of rows as is usual:"]
    )
    with_formula(page, 660)
    page.paragraph(620, ["And so on, until the end of a line that is as long as the first one is."])
    blocks, formulas, left_out = read(tmp_path, page)
    assert [b.kind for b in blocks] == ["paragraph", "formula", "paragraph"]
    assert formulas[0].latex == r"L_{D} = \frac{1}{m} \sum_{i}^{m} | x |"
    assert formulas[0].context.startswith("The loss")
    assert left_out == ()


def test_a_formula_with_a_sign_that_has_no_place_is_named_and_never_cut(tmp_path: Path) -> None:
    page = MadePage()
    page.paragraph(
        700, ["The loss that we minimise is written over a whole batch of rows as is usual:"]
    )
    with_formula(page, 660, stray=True)
    _, formulas, left_out = read(tmp_path, page)
    assert [bool(f.unread) for f in formulas if f.displayed] == [True]
    assert "was found and not read" in left_out[0][1]


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    page = MadePage()
    page.text(150, 740, "A wide title of a paper that spans both", font="CMBX12", size=17)
    left = [f"left line {k:02d} is as wide as it" for k in range(20)]
    right = [f"right line {k:02d} is as wide as" for k in range(20)]
    page.paragraph(700, left, x=80)
    page.paragraph(700, right, x=320)
    blocks, _, _ = read(tmp_path, page)
    text = " ".join(block.text for block in blocks)
    assert blocks[0].text.startswith("A wide title")
    assert text.index("left line 19") < text.index("right line 00")


@pytest.mark.parametrize("boxed", [False, True])
def test_ruled_tables_become_cells(tmp_path: Path, boxed: bool) -> None:
    page = MadePage()
    page.paragraph(720, ["Settings are in the table below, which has two columns and three rows."])
    rows = [("setting", "value"), ("learning rate", "2e-4"), ("batch size", "64")]
    for k, (name, value) in enumerate(rows):
        y = 690 - 14 * k
        page.text(120, y, name)
        page.text(220, y, value)
        if boxed or k < 2:
            page.rule(115, y + 10, 260, y + 10)
        if boxed:
            for x in (115, 200, 260):
                page.rule(x, y - 4, x, y + 10)
    page.rule(115, 690 - 14 * 2 - 4, 260, 690 - 14 * 2 - 4)
    blocks, _, _ = read(tmp_path, page)
    assert [b.kind for b in blocks] == ["paragraph", "table"]
    assert list(blocks[1].rows) == rows


def test_running_heads_and_page_numbers_are_dropped(tmp_path: Path) -> None:
    pages, said = [], ["The first page begins.", "A second one goes on.", "It ends on the third."]
    for number, sentence in enumerate(said, start=1):
        page = MadePage()
        page.text(100, 770, f"A paper of ours  {number}")
        page.paragraph(700, [sentence])
        page.text(300, 30, str(number))
        pages.append(page)
    blocks, _, _ = read(tmp_path, *pages)
    assert [b.text for b in blocks] == said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no whole PDF"),
        (b"%PDF-1.4 \xff", "no whole PDF"),
        (b"nonsense" * 100, "no whole PDF"),
        (pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R] >>"]),
         "no text"),
        (pdf_of([b"<< /Type /Catalog >>", b"[" * 50_000]), "no text"),
    ],
)  # fmt: skip
def test_broken_pdfs_get_one_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    read = read_documents({"z.md": "# Still read"}, {"a.pdf": path})
    blocks, left_out = read.blocks, read.left_out
    assert [block.text for block in blocks] == ["Still read"]
    assert len(left_out) == 1
    assert reason in left_out[0][1]


def test_a_pdf_that_unpacks_to_gigabytes_gets_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(bomb(2 << 30))
    assert path.stat().st_size < 20 << 20
    left_out = read_documents({}, {"a.pdf": path}).left_out
    assert len(left_out) == 1
    assert "memory" in left_out[0][1]
