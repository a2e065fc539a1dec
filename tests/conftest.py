"""What tests share: a small run recorded for this session, and one cache for all of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

# Modules are compiled once, not once a process of the 500 that tests start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: tests share their cores as it is
# A suite in the background is started with Ctrl-C ignored, and so would be what its tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the other work of a machine than of the example.
hypothesis_settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("busy machine")

ROOT = Path(__file__).parent.parent
EXAMPLES = ("digits-healthy", "digits-collapsed", "ring-oscillating")


LONG = ("test_examples.py", "test_plugin.py", "test_cli.py", "test_conformance.py")
"""Files that begin first, so that no process of the suite is left with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first, the others in the order they had."""
    items.sort(key=lambda item: item.path.name not in LONG)


def pytest_collection_finish() -> None:
    """From here on tests import code of bundled runs, and leave nothing in them."""
    sys.dont_write_bytecode = True


def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session, the same for all of its processes."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of this session, the same for all of its processes."""
    return session_folder(tmp_path_factory) / "cache"


@contextlib.contextmanager
def one_process_at_a_time(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[None]:
    """Within it no other process of this session does what goes by this name."""
    with (session_folder(tmp_path_factory) / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """What `make` leaves at a path, made by the first process of this session that asks for it;
    the others wait. Nobody writes to it."""
    path = session_folder(tmp_path_factory) / name
    with one_process_at_a_time(tmp_path_factory, name):
        if not path.exists():
            make(path.with_name(f"{name}.making"))
            path.with_name(f"{name}.making").rename(path)
    return path


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
    monkeypatch.setattr("dlcc.pipeline.discovery.reachable", lambda kind: False)


@pytest.fixture(scope="session")
def recorded_ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring GAN of 200 steps, recorded whole; nobody writes to it."""

    def record(folder: Path) -> None:
        from dlcc.recipes.train import train

        train("ring", folder, {"steps": 200, "seed": 3})

    return made_once(tmp_path_factory, "small-ring", record)


@pytest.fixture(scope="session")
def recorded_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map trained for 200 epochs, a network alone; nobody writes to it."""

    def record(folder: Path) -> None:
        from dlcc.recipes.train import train

        train("map-f1", folder, {"batch": 800, "epochs": 200})

    return made_once(tmp_path_factory, "map", record)


@pytest.fixture
def small_run(recorded_ring: Path, tmp_path: Path) -> Path:
    """A copy of `recorded_ring` that the test may spoil."""
    copy = tmp_path / "small-ring"
    shutil.copytree(recorded_ring, copy)
    return unlisted(copy)


def unlisted(run: Path) -> Path:
    """A run without the list of its files' digests, as a forger leaves it: changes go unnoticed."""
    (run / "digests.txt").unlink()
    return run


def example(name: str) -> Path:
    """The folder of an example run."""
    return ROOT / "runs" / name


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a module."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright here")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as made:
        opened = made.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()
