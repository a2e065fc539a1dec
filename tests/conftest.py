"""What tests share: a small run recorded for this session, and one cache for all of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: tests share their cores as it is

ROOT = Path(__file__).parent.parent
EXAMPLES = ("digits-healthy", "digits-collapsed", "ring-oscillating")


def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of this session, the same for all of its processes."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"


@pytest.fixture(autouse=True)
def _shared_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are cached by content, so that tests of the same run need not evaluate it again."""
    monkeypatch.setenv("DLCC_CACHE_DIR", str(session_cache(tmp_path_factory)))
    # nobody's own runs and reviews come in, and none of a test's stay behind
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path_factory.getbasetemp() / "none" / "own.npz"))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for tests of caching itself."""
    monkeypatch.setenv("DLCC_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages run in this process, uncached: one of its own would cost each half a second."""
    monkeypatch.setattr("dlcc.pipeline.runner._travels", lambda stage: False)


@pytest.fixture(scope="session")
def _recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dlcc.recipes.train import train

    folder = tmp_path_factory.mktemp("recorded") / "small-ring"
    train("ring", folder, {"steps": 200, "seed": 3})
    return folder


@pytest.fixture
def small_run(_recorded: Path, tmp_path: Path) -> Path:
    """A ring GAN of 200 steps, recorded whole; a copy that the test may spoil."""
    copy = tmp_path / "small-ring"
    shutil.copytree(_recorded, copy)
    return unlisted(copy)


def unlisted(run: Path) -> Path:
    """A run without the list of its files' digests, as a forger leaves it: changes go unnoticed."""
    (run / "digests.txt").unlink()
    return run


def example(name: str) -> Path:
    """The folder of an example run."""
    return ROOT / "runs" / name
