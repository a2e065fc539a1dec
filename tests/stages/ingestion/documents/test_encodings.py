"""Texts in the encodings that people's files have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.stages.ingestion.documents.encodings import decode_text, mended
from dlcc.stages.ingestion.documents.reading import read_documents
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

TEXT = "The généralisation of “losses” – naïve – costs 5 €.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_each_encoding_gives_the_text(encoding: str) -> None:
    assert decode_text(TEXT.encode(encoding)) == TEXT


def test_windows_bytes_within_utf_8() -> None:
    assert (
        decode_text("naïve λ, said ".encode() + "naïve".encode("cp1252")) == "naïve λ, said naïve"
    )


def test_a_text_that_was_read_wrongly_once_is_mended() -> None:
    wrong = (TEXT + "λ = 10").encode().decode("cp1252", "ignore")
    assert "â€" in wrong
    assert "λ = 10" in mended(wrong)
    assert "généralisation" in mended(wrong)


@given(
    st.text(
        alphabet=st.characters(min_codepoint=32, max_codepoint=0x250, exclude_characters="\x7f")
    )
)
def test_utf_8_is_never_changed_but_where_it_was_read_wrongly(text: str) -> None:
    assert decode_text(text.encode()) == mended(text)


@pytest.mark.parametrize(
    "content", [bytes(range(256)) * 20, ("текст на русском " * 5).encode("cp1251")]
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        decode_text(content)


def test_documents_in_other_encodings_are_read_or_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes("# Größe".encode("utf-16"))
    (tmp_path / "b.txt").write_bytes(bytes(range(256)) * 20)
    files = {name: tmp_path / name for name in ("a.md", "b.txt")}
    read = read_documents({}, files)
    blocks, left_out = read.blocks, read.left_out
    assert [b.text for b in blocks] == ["Größe"]
    assert left_out == (("b.txt", "it is no text"),)
