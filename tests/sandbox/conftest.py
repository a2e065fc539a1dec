"""A host with things to steal and to break, and a way to let code try."""

from __future__ import annotations

import contextlib
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlcc.errors import ForeignCodeError
from dlcc.sandbox import Bounds, Level, Session, available_levels

SECRET = "the-secret-of-the-host"
REAL_LEVELS = (Level.BUBBLEWRAP, Level.BUBBLEWRAP_AS_ROOT, Level.LANDLOCK)


@dataclass
class Host:
    """What the code is tried against."""

    folder: Path
    """World-readable and world-writable: rights alone protect nothing here."""
    level: Level
    session: Session | None = None

    @property
    def secret(self) -> Path:
        return self.folder / "secret"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def attempt(self, code: str, seconds: float = 10, memory: int = 1 << 30, **others: str) -> str:
        """Let `code` run as the run's training; returns what the outside is told of it.

        In the code, SECRET, FOLDER, PARENT and RUN are the host's secret, folder, process and run.
        It ends in an error: for code that comes to its end torch would be imported, a second each.
        """
        header = self.names
        end = "\nraise ValueError('the end')\n"
        files = {"train.py": header + textwrap.dedent(code) + end, **others}
        self.session = Session(self.staged(files), self.level, Bounds(seconds, memory))
        with self.session as session:
            try:
                return f"built {session.build('source/train.py:build', {})}"
            except ForeignCodeError as error:
                return str(error)

    @property
    def names(self) -> str:
        """Assignments of SECRET, FOLDER, PARENT and RUN."""
        names = {"SECRET": str(self.secret), "FOLDER": str(self.folder), "RUN": str(self.run),
                 "PARENT": os.getpid()}  # fmt: skip
        return "".join(f"{name} = {value!r}\n" for name, value in names.items())

    def staged(self, files: dict[str, str]) -> dict[str, Path]:
        """Write the run's source files, and give them as a session takes them."""
        source = self.run / "source"
        source.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (source / name).write_text(text)
        return {f"source/{name}": source / name for name in files}


@pytest.fixture(params=REAL_LEVELS, ids=lambda level: level.name.lower())
def level(request: pytest.FixtureRequest) -> Level:
    """Each kind of isolation that this machine offers."""
    chosen: Level = request.param
    if chosen not in available_levels():
        pytest.skip(f"{chosen} does not hold on this machine for this user")
    return chosen


@pytest.fixture
def host(level: Level, tmp_path: Path) -> Iterator[Host]:
    """A host with a secret that foreign code must not read."""
    folder = tmp_path / "host"
    folder.mkdir()
    for passable in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        with contextlib.suppress(PermissionError):
            passable.chmod(passable.stat().st_mode | 0o055)
    folder.chmod(0o777)
    host = Host(folder, level)
    host.secret.write_text(SECRET)
    host.secret.chmod(0o666)
    before = host.secret.stat()
    yield host
    after = host.secret.stat()
    assert host.secret.read_text() == SECRET
    assert (after.st_mode, after.st_mtime_ns, after.st_uid) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_uid,
    )
    assert {path.name for path in folder.iterdir()} <= {"secret", "run"}
