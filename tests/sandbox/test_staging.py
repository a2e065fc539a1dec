"""What the inside is shown, as seen from outside: what code says of its files is not believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcc.sandbox import Level
from dlcc.sandbox.staging import Staged

LEVELS = (Level.BUBBLEWRAP, Level.BUBBLEWRAP_AS_ROOT, Level.LANDLOCK, Level.NONE)


@pytest.fixture(params=LEVELS, ids=lambda level: level.name.lower())
def staged(request: pytest.FixtureRequest, tmp_path: Path) -> Staged:
    """Staged code that is shown one file of data, at each level of isolation."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shown.txt").touch(mode=0o644)
    (tmp_path / "train.py").touch()
    made = Staged(tmp_path / "subject", request.param, tmp_path / "data")
    made.fill({"source/train.py": tmp_path / "train.py"})
    return made


def test_files_that_are_shown_are_not_lacking(staged: Staged) -> None:
    assert staged.data is not None
    outside = str(staged.data / "shown.txt")
    ours = ("source/train.py", "data/shown.txt", "source/../source", "", ".", staged.root)
    for name in (*ours, outside, np.__file__, "/usr", "/proc/1/mem", "/dev/sda", "/sys/x"):
        assert not staged.lacks(name), name


def test_files_that_are_not_there_are_lacking(staged: Staged, tmp_path: Path) -> None:
    names = ("source/other.py", "data/other.txt", "images.npy", "../../../no/such", "/no/such")
    for name in (*names, str(tmp_path / "data" / "no"), "x" * 5000):
        assert staged.lacks(name), name


def test_files_of_this_machine_are_lacking_where_it_is_hidden(
    staged: Staged, tmp_path: Path
) -> None:
    assert staged.lacks(str(tmp_path / "train.py")) == (staged.level is not Level.NONE)
    (tmp_path / "data" / "secret").touch(mode=0o600)  # inside, the code may be nobody
    assert staged.lacks(str(tmp_path / "data" / "secret")) == (staged.level is not Level.NONE)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_is_no_name_of_a_file_is_none(staged: Staged, name: str) -> None:
    assert not staged.lacks(name)
