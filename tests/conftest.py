"""What tests share: a small run recorded for this session, and a cache of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ("digits-healthy", "digits-collapsed", "ring-oscillating")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCC_CACHE_DIR", str(tmp_path / "cache"))


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
    return copy


def example(name: str) -> Path:
    """The folder of an example run."""
    return ROOT / "runs" / name
