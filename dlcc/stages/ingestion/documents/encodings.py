"""Text of documents whatever its encoding: UTF-8, UTF-16, Windows-1252, and UTF-8 read as it."""

from __future__ import annotations

import codecs
import re

from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MOST_CONTROLS, _MOST_FOREIGN = 0.01, 0.25  # share of characters; of letters that are not ASCII
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_FEWEST_MISREAD = 2
_FEWEST_LETTERS = 40  # that tell an encoding


def decode_text(content: bytes) -> str:
    """Decode a document that may be in any of the encodings that texts in Latin letters have.

    Raises:
        UnreadableDocument: It is no text, or in an encoding that cannot be told.

    >>> decode_text("Größe".encode("utf-16")), decode_text("Größe".encode("cp1252"))
    ('Größe', 'Größe')
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return mended(content[len(mark) :].decode(name, "replace"))
    wide = _wide(content)
    if wide:
        return mended(content.decode(wide, "replace"))
    if len(_CONTROLS.findall(content)) > _MOST_CONTROLS * len(content):
        raise UnreadableDocument("it is no text")
    try:
        return mended(content.decode())
    except UnicodeDecodeError as error:
        if error.start > len(content) - 4 and error.reason == "unexpected end of data":
            return mended(content[: error.start].decode())  # cut where reading ended
        return mended(_western(content))


def mended(text: str) -> str:
    """Undo what a program did that read UTF-8 as Windows-1252, where it did so more than once.

    >>> mended("The lossâ€™s weight Î» and Âµ"), mended("Ã alone")
    ('The loss’s weight λ and µ', 'Ã alone')
    """
    found = [m for m in _MISREAD.finditer(text) if _reread(m) != m[0]]
    return _MISREAD.sub(_reread, text) if len(found) >= _FEWEST_MISREAD else text


def _code_page() -> dict[int, str]:
    """Byte -> character of Windows-1252; bytes that it leaves out are those of Latin-1."""
    return {
        byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0x100)
    }


_CHARACTERS = _code_page()
_BYTES = {character: byte for byte, character in _CHARACTERS.items()}
_FOLLOWING = "".join(re.escape(_CHARACTERS[b]) for b in range(0x80, 0xC0))
_MISREAD = re.compile(rf"[Â-ô][{_FOLLOWING}]{{1,3}}")


def _reread(match: re.Match[str]) -> str:
    raw = bytes(_BYTES[character] for character in match[0])
    for end in range(len(raw), 1, -1):
        try:
            return raw[:end].decode() + match[0][end:]
        except UnicodeDecodeError:
            continue
    return match[0]


def _wide(content: bytes) -> str:
    """Name of the encoding of two bytes a character, where every other byte is zero."""
    part = content[:4_000]
    half = max(1, len(part) // 2)
    if part[1::2].count(0) > 0.6 * half and part[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if part[0::2].count(0) > 0.6 * half and part[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return ""


def _western(content: bytes) -> str:
    """Decode Windows-1252, and UTF-8 between; what would be mostly foreign letters is none."""
    text = content.decode("utf-8", _AS_CODE_PAGE)
    letters = [c for c in text if c.isalpha()]
    foreign = sum(not c.isascii() for c in letters)
    if len(letters) > _FEWEST_LETTERS and foreign > _MOST_FOREIGN * len(letters):
        raise UnreadableDocument("its encoding cannot be told; save it as UTF-8")
    return text


def _as_code_page(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return "".join(_CHARACTERS.get(byte, chr(byte)) for byte in bad), error.end


_AS_CODE_PAGE = "dlcc-windows-1252"
codecs.register_error(_AS_CODE_PAGE, _as_code_page)
