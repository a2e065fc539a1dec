"""Letters drawn from fonts: as large as the image takes them, and only where a font has them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from dlcc.errors import RunError
from dlcc.recipes import image_classifier
from dlcc.recipes.data.images import count_images, load_images, load_labels
from dlcc.recipes.data.letters import LETTERS, draw_letters, main, write_letters

spec = find_spec("matplotlib")
assert spec is not None
assert spec.origin is not None
FONTS = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


@pytest.fixture
def fonts(tmp_path: Path) -> Path:
    """Two faces; one of them twice, and one of mathematics, which has no A, B, C."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    for name in ("DejaVuSans.ttf", "DejaVuSerif.ttf", "STIXSizOneSymReg.ttf"):
        copy(FONTS / name, folder)
    copy(FONTS / "DejaVuSans.ttf", folder / "again.ttf")
    (folder / "broken.otf").write_bytes(b"no font")
    return folder


def test_faces_that_have_the_letters_are_drawn_once(fonts: Path) -> None:
    images, classes = draw_letters(fonts)
    assert images.shape == (20, 28, 28)
    assert np.bincount(classes).tolist() == [2] * len(LETTERS)
    assert np.array_equal(draw_letters(fonts)[0], images)


def test_letters_lie_in_the_middle_and_fill_the_image(fonts: Path) -> None:
    for image in draw_letters(fonts)[0]:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert 21 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 25  # edges fade
        assert abs(rows.mean() - 13.5) <= 1.5
        assert abs(columns.mean() - 13.5) <= 1.5


def test_the_shipped_classifier_names_letters_that_were_written(
    fonts: Path, tmp_path: Path
) -> None:
    assert write_letters(fonts, tmp_path / "made") == 20
    assert count_images("letters", str(tmp_path / "made")) == 20
    images = load_images("letters", str(tmp_path / "made"))
    assert (images.min(), images.max()) == (-1, 1)
    seen = image_classifier.see("letters", images)
    assert (
        seen.histogram.tolist()
        == np.bincount(load_labels("letters", str(tmp_path / "made"))).tolist()
    )


def test_what_cannot_be_drawn_is_said_in_a_sentence(
    fonts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RunError, match="draws the letters ABCDEFGHIJ"):
        draw_letters(tmp_path / "none")
    assert main([str(fonts), str(tmp_path / "made")]) == 0
    assert main([str(fonts), str(tmp_path / "made")]) == 2
    assert "is there already" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main([str(fonts), str(tmp_path / "file")]) == 2
    assert main([]) == 2
