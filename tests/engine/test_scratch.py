"""Leftovers of a killed process are removed, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dlcc.engine.scratch import scratch_folder

HOLDS = """
import sys, time
from pathlib import Path
from dlcc.engine.scratch import scratch_folder
with scratch_folder(".new-", Path(sys.argv[1])) as folder:
    (folder / "half").write_text("a")
    (folder / "below").mkdir(mode=0o500)
    print(folder, flush=True)
    time.sleep(60)
"""


CLEANS = """
import sys
from pathlib import Path
from dlcc.engine.scratch import remove_leftovers
remove_leftovers(Path(sys.argv[1]), ".new-")
"""


def names_after_cleaning(folder: Path) -> list[str]:
    """The names in a folder once another process has removed what was left there."""
    subprocess.run([sys.executable, "-c", CLEANS, str(folder)], check=True)
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_removed_at_its_end(tmp_path: Path) -> None:
    with scratch_folder("dlcc-x-", tmp_path) as folder:
        (folder / "file").touch()
        assert list(tmp_path.glob("dlcc-x-*"))
        assert [path.name for path in folder.iterdir()] == ["file"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_removed_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_folder(beside=tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert names_after_cleaning(tmp_path) == [folder.parent.name]
        assert (folder / "half").read_text() == "a"
        owner.send_signal(signal.SIGKILL)
    assert names_after_cleaning(tmp_path) == []


def test_the_next_folder_removes_what_was_left(tmp_path: Path) -> None:
    left = leftover(tmp_path)
    with scratch_folder(".new-", tmp_path):
        assert not left.exists()


def leftover(folder: Path) -> Path:
    made = folder / ".new-abc"
    (made / "content").mkdir(parents=True)
    (made / ".dlcc-owner").touch()
    return made


def test_a_folder_without_a_lock_is_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / ".new-x").mkdir()
    (tmp_path / ".new-file").touch()
    assert names_after_cleaning(tmp_path) == [".new-file", ".new-x"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = leftover(elsewhere)
    here = tmp_path / "here"
    here.mkdir()
    (here / ".new-link").symlink_to(target)
    (here / ".new-linked-lock").mkdir()
    (here / ".new-linked-lock" / ".dlcc-owner").symlink_to(target / ".dlcc-owner")
    inner = here / ".new-inner"
    (inner / "content").mkdir(parents=True)
    (inner / ".dlcc-owner").touch()
    (inner / "content" / "link").symlink_to(elsewhere)
    assert names_after_cleaning(here) == [".new-link", ".new-linked-lock"]
    assert target.is_dir()


def test_a_pipe_in_place_of_a_lock_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / ".new-x").mkdir()
    os.mkfifo(tmp_path / ".new-x" / ".dlcc-owner")
    assert names_after_cleaning(tmp_path) == [".new-x"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", [".new-abc", ".new-abc/.dlcc-owner"])
def test_folders_of_others_stay(tmp_path: Path, what: str) -> None:
    leftover(tmp_path)
    os.chown(tmp_path / what, 12345, 12345)
    assert names_after_cleaning(tmp_path) == [".new-abc"]
