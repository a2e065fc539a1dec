"""Staging of files that the inside is shown: copies of the run's own, and data the user allows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcc.errors import ForeignCodeError
from dlcc.sandbox import bubblewrap
from dlcc.sandbox.environment import readable_paths
from dlcc.sandbox.levels import Level

_SOURCE_BYTES = 256 << 20
_OF_THE_KERNEL = ("/proc", "/dev", "/sys")  # what is there differs from process to process


@dataclass(frozen=True)
class Staged:
    """Folder of copies in which the code runs, and the data beside it."""

    folder: Path
    level: Level
    data: Path | None = None
    """File or folder that lies inside where it does outside, and in the folder by its name."""

    @property
    def root(self) -> str:
        """Path of the folder as the inside sees it."""
        return bubblewrap.STAGE if self._wrapped else str(self.folder)

    def fill(self, files: Mapping[str, Path]) -> None:
        """Copy the files, readable to whoever the process inside becomes.

        Raises:
            ForeignCodeError: The files are too large.
            ValueError: A name leads out of the folder.
        """
        total = 0
        self.folder.mkdir()
        self.folder.chmod(0o755)
        for name, path in files.items():
            target = self.folder / name
            if not target.resolve().is_relative_to(self.folder.resolve()):
                raise ValueError(f"{name!r} leads out of the staged folder")
            total += path.stat().st_size
            if total > _SOURCE_BYTES:
                raise ForeignCodeError(
                    f"source/ holds more than {_SOURCE_BYTES >> 20} MB, which is not copied; keep "
                    "data out of it"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            target.chmod(0o644)
        if self.data is not None and not (self.folder / self.data.name).exists():
            (self.folder / self.data.name).symlink_to(self.data.resolve())
        for below in (self.folder, *self.folder.rglob("*")):
            if below.is_dir() and not below.is_symlink():
                below.chmod(0o755)

    def lacks(self, name: str) -> bool:
        """Whether the inside cannot read a file of this name, as seen from outside.

        What the code says of itself is not asked: it can raise any error, and name any file.
        """
        try:
            return self._lacks(name)
        except ValueError:  # no name that a file can have
            return False

    def _lacks(self, name: str) -> bool:
        path = Path(os.path.normpath(Path(self.root, name)))
        if any(path.is_relative_to(folder) for folder in _OF_THE_KERNEL):
            return False
        if self.level is Level.NONE:
            return not _is_there(path, for_others=False)
        if self._wrapped and path.is_relative_to(bubblewrap.STAGE):
            path = self.folder / path.relative_to(bubblewrap.STAGE)
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(shown) for shown in self._shown()):
            return True
        return not _is_there(real)

    def _shown(self) -> Iterator[Path]:
        yield from (Path(os.path.realpath(path)) for path in readable_paths())
        yield self.folder.resolve()
        if self.data is not None:
            yield self.data.resolve()

    @property
    def _wrapped(self) -> bool:
        return self.level in (Level.BUBBLEWRAP, Level.BUBBLEWRAP_AS_ROOT)


def _is_there(path: Path, for_others: bool = True) -> bool:
    """Whether a file or folder is there, and open to others: inside, the code may be nobody."""
    try:
        return bool(path.stat().st_mode & 0o004) or not for_others
    except OSError:
        return False
