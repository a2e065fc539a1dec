"""Command that starts a program inside bubblewrap."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dlcc.sandbox import seccomp
from dlcc.sandbox.environment import ENVIRONMENT, python_paths

STAGE = "/run/subject"
"""Place of the staged folder inside."""
TMPFS_BYTES = 64 << 20
"""Size of /tmp and of /dev/shm in bytes; what is written there is memory."""

_NOBODY = 65534
_FIRST_UID = 1_000_000_000  # users that no machine has; one a sandbox, so that limits are its own
_UNSHARED = ("ipc", "pid", "net", "uts")


@contextmanager
def seccomp_file() -> Iterator[IO[bytes]]:
    """Open a file of the filter for `command`; the caller passes its descriptor on."""
    with tempfile.TemporaryFile() as file:
        file.write(seccomp.program("contained"))
        file.seek(0)
        yield file


def command(
    program: Sequence[str], staged: Path, seccomp_fd: int, as_root: bool, data: Path | None = None
) -> list[str]:
    """Build the command that starts `program` in namespaces of its own, all that it sees read-only.

    `staged` lies at `STAGE` inside, and `data` where they lie outside.

    As real root, user namespaces would leave the program root to the kernel: bubblewrap keeps the
    three capabilities that setpriv needs to become a nobody, and loses them there.
    """
    line = [shutil.which("bwrap") or "bwrap"]
    if not as_root:
        line += ["--unshare-user", "--disable-userns", "--uid", str(_NOBODY), "--gid", str(_NOBODY)]
    line += [f"--unshare-{what}" for what in _UNSHARED]
    line += ["--unshare-cgroup-try", "--new-session", "--die-with-parent", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        line += ["--setenv", name, value]
    line += ["--ro-bind", "/usr", "/usr", *_top_folders()]
    line += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp"):
        line += ["--perms", "1777", "--size", str(TMPFS_BYTES), "--tmpfs", folder]
    line += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    line += ["--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu"]
    shown = {**{path: path for path in python_paths()}, STAGE: str(staged)}
    if data is not None:
        shown |= {str(path): str(data.resolve()) for path in (data.absolute(), data.resolve())}
    line += _passable_parents(shown)
    for inside, outside in shown.items():
        line += ["--ro-bind", outside, inside]
    line += ["--chdir", STAGE]
    line += ["--remount-ro", "/dev", "--remount-ro", "/", "--cap-drop", "ALL"]
    if as_root:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            line += ["--cap-add", capability]
    line += ["--seccomp", str(seccomp_fd), "--"]
    return [*line, *(_become_nobody() if as_root else ()), *program]


def _top_folders() -> list[str]:
    """Arguments for /lib and the like as they are here: links into /usr, or folders of older
    systems."""
    arguments = []
    for name in ("lib", "lib64", "lib32", "bin", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    return arguments


def _passable_parents(paths: Iterable[str]) -> list[str]:
    """Folders above `paths`; bubblewrap would make them for their owner alone."""
    parents = {parent for path in paths for parent in Path(path).parents} - {
        Path("/"),
        Path("/tmp"),
    }
    folders = sorted(parents - {Path(path) for path in paths}, key=lambda p: len(p.parts))
    return [word for folder in folders for word in ("--perms", "0755", "--dir", str(folder))]


def _become_nobody() -> list[str]:
    uid = str(_FIRST_UID + os.getpid())
    return [
        "setpriv",
        "--reuid",
        uid,
        "--regid",
        uid,
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--no-new-privs",
        "--",
    ]
