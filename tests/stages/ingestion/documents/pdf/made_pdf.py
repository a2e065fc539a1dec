"""Small PDFs that tests write by hand: glyphs of named fonts at places, rules, any objects."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_NAMES = {
    "∑": "summationdisplay", "−": "minus", "λ": "lambda", "∥": "bardbl", "∇": "nabla",
    "ˆ": "circumflex", "=": "equal", "+": "plus", "(": "parenleft", ")": "parenright",
    "[": "bracketleft", "]": "bracketright", "|": "bar", ",": "comma", ".": "period",
    "∼": "similar", "√": "radicalbig", "-": "hyphen", "•": "bullet", " ": "space", ":": "colon",
}  # fmt: skip
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass
class MadePage:
    """Page on which text and rules are put."""

    content: list[str] = field(default_factory=list)
    fonts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Font -> code of each character that it draws."""

    def text(self, x: float, y: float, text: str, font: str = "CMR10", size: float = 10) -> float:
        """Put a text at a place, every glyph half an em wide; returns where it ends."""
        codes = self.fonts.setdefault(font, {})
        shown = "".join(f"{codes.setdefault(c, len(codes) + 1):02x}" for c in text)
        self.content.append(f"BT /{font} {size} Tf 1 0 0 1 {x} {y} Tm <{shown}> Tj ET")
        return x + 0.5 * size * len(text)

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a line."""
        self.content.append(f"0.4 w {x0} {y0} m {x1} {y1} l S")

    def paragraph(self, y: float, lines: Sequence[str], x: float = 100) -> float:
        """Put lines below each other; returns the height of the next."""
        for line in lines:
            self.text(x, y, line, size=10)
            y -= 12
        return y


def write_pdf(path: Path, pages: Sequence[MadePage]) -> Path:
    """Write pages as a PDF."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for page in pages:
        fonts = []
        for name, codes in page.fonts.items():
            objects.append(_font(name, codes))
            fonts.append(f"/{name} {len(objects)} 0 R")
        stream = "\n".join(page.content)
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {len(objects)} 0 R "
            f"/Resources << /Font << {' '.join(fonts)} >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    path.write_bytes(pdf_of([o.encode("latin-1") for o in objects]))
    return path


def pdf_of(objects: Sequence[bytes]) -> bytes:
    """Put objects, the first the catalog, into a file."""
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )
    return bytes(out)


def bomb(size: int) -> bytes:
    """PDF whose page unpacks to many bytes: one packed block over and over."""
    block = b"q " * (1 << 19)
    packer = zlib.compressobj(9)
    packer.compress(block)
    packer.flush(zlib.Z_FULL_FLUSH)
    part = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    check = 1
    for _ in range(size >> 20):
        check = zlib.adler32(block, check)
    end = b"\x03\x00" + check.to_bytes(4, "big")
    packed = b"\x78\xda" + part * (size >> 20) + end
    head = b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(packed)
    return pdf_of([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
        head + packed + b"\nendstream",
    ])  # fmt: skip


def _font(name: str, codes: dict[str, int]) -> str:
    names = " ".join(f"{code} /{_name(character)}" for character, code in codes.items())
    widths = " ".join(["500"] * 256)
    return (
        f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /FirstChar 0 /LastChar 255 "
        f"/Widths [{widths}] /FontDescriptor << /Type /FontDescriptor /FontName /{name} /Flags 4 "
        f"/Ascent 700 /Descent -200 >> /Encoding << /Differences [{names}] >> >>"
    )


def _name(character: str) -> str:
    if character.isdigit():
        return _DIGITS[int(character)]
    return _NAMES.get(character, character)
