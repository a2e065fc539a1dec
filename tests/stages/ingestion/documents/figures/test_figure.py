"""Figures of known series read back; and pictures that are no figures, or hostile."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcc.stages.ingestion.documents.figures import ocr
from dlcc.stages.ingestion.documents.figures.figure import FigureCurve, read_figure
from dlcc.stages.ingestion.documents.reading import read_documents
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument
from tests.stages.ingestion.documents.figures.drawn import draw

needs_ocr = pytest.mark.skipif(shutil.which("tesseract") is None, reason="needs tesseract")

STEPS = np.arange(0, 2000, 5.0)
RANDOM = np.random.default_rng(0)
GENERATOR = 1 + 2 * np.exp(-STEPS / 400) + 0.02 * RANDOM.standard_normal(len(STEPS))
DISCRIMINATOR = 0.7 - 0.3 * np.exp(-STEPS / 300)
CURVES = {"generator": (STEPS, GENERATOR), "discriminator": (STEPS, DISCRIMINATOR)}


def error(curve: FigureCurve, steps: np.ndarray, values: np.ndarray, *, log: bool = False) -> float:
    """Median error of a curve, as a share of the range of values, or of two on a linear axis."""
    at, read = np.array(curve.steps), np.array(curve.values)
    inside = (at >= steps[0]) & (at <= steps[-1])
    drawn = np.interp(at[inside], steps, values)
    a, b, c = (np.log10(v) if log else v for v in (read[inside], drawn, values))
    return float(np.median(np.abs(a - b)) / (np.ptp(c) if log else 2.0))


@needs_ocr
@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("dpi", [80, 150])
def test_curves_of_two_players_are_read_back(grid: bool, dpi: int) -> None:
    curves = {c.series: c for c in read_figure(draw(CURVES, grid=grid, dpi=dpi))}
    assert set(curves) == {"generator/loss", "discriminator/loss"}
    assert error(curves["generator/loss"], STEPS, GENERATOR) < 0.01
    assert error(curves["discriminator/loss"], STEPS, DISCRIMINATOR) < 0.01
    assert {c.unit for c in curves.values()} == {"step"}


@needs_ocr
@pytest.mark.parametrize("least", [1e-3, 0.3])
def test_a_logarithmic_axis_is_read_as_one(least: float) -> None:
    values = least + np.exp(-STEPS / 200)
    (curve,) = read_figure(draw({"loss": (STEPS, values)}, log=True))
    assert error(curve, STEPS, values, log=True) < 0.01


@needs_ocr
def test_a_curve_without_legend_has_the_name_of_its_axis() -> None:
    curves = {"x": (STEPS, GENERATOR)}
    (curve,) = read_figure(draw(curves, legend=False, labels=("epoch", "FID")))
    assert (curve.series, curve.unit) == ("metrics/fid", "epoch")


@needs_ocr
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (draw(CURVES, twin=True), "second vertical axis"),
        (draw(CURVES, panels=2), "axes"),
        (b"\x89PNG nonsense", "no whole picture"),
        (b"", "no whole picture"),
    ],
)
def test_what_is_not_read_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=reason):
        read_figure(content)


@needs_ocr
def test_pictures_of_samples_are_no_figures() -> None:
    buffer = io.BytesIO()
    noise = RANDOM.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    with pytest.raises(UnreadableDocument, match="no axes"):
        read_figure(buffer.getvalue())


def huge_picture() -> bytes:
    """PNG whose header states a picture of 900 million pixels."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1_000)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@needs_ocr
def test_a_picture_that_unpacks_to_gigabytes_gets_one_sentence() -> None:
    data = {"image/png": base64.b64encode(huge_picture()).decode()}
    output = {"output_type": "display_data", "data": data}
    cell = {"cell_type": "code", "source": "", "outputs": [output]}
    read = read_documents({"a.ipynb": json.dumps({"cells": [cell]})})
    assert len(read.left_out) == 1
    assert "picture" in read.left_out[0][1]


@needs_ocr
def test_figures_of_notebooks_html_and_files_become_series(tmp_path: Path) -> None:
    content = draw({"generator": (STEPS, GENERATOR)})
    coded = base64.b64encode(content).decode()
    (tmp_path / "a.png").write_bytes(content)
    cell = {"cell_type": "code", "source": "", "outputs": [{"data": {"image/png": coded}}]}
    files = {
        "a.ipynb": json.dumps({"cells": [cell]}),
        "a.html": f'<p>x</p><img src="data:image/png;base64,{coded}">',
    }
    read = read_documents(files, {"a.png": tmp_path / "a.png"})
    assert [(s.file, s.series, s.drawn) for s in read.series] == [
        ("a.ipynb", "generator/loss", True),
        ("a.html", "generator/loss", True),
        ("a.png", "generator/loss", True),
    ]
    assert read.left_out == ()


def test_without_ocr_figures_are_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.png").write_bytes(draw(CURVES))
    with pytest.raises(UnreadableDocument, match="apt-get install tesseract-ocr"):
        ocr.check_there()
    read = read_documents({}, {"a.png": tmp_path / "a.png"})
    assert "tesseract" in read.left_out[0][1]
