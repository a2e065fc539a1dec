"""Lock on this process with Landlock and seccomp: rights given up here never come back.

Needs no package and no privilege, only Linux 6.2 or later (Landlock ABI 3). Called by the process
itself, while it has one thread and before it runs anything foreign.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

LANDLOCK_ABI_NEEDED = 3  # truncation is a right of its own from here on

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_ABI_OF_FILE_RIGHTS = ((1, 13), (2, 14), (3, 15), (5, 16))  # ABI -> how many rights it knows
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_NET_TCP = 0b11  # bind and connect, from ABI 4
_SCOPED = 0b11  # abstract sockets and signals, from ABI 6

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
_SECCOMP_MODE_FILTER = 2
_NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)


class _RulesetAttr(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def landlock_abi() -> int:
    """Version of Landlock that the kernel offers, 0 for none."""
    version: int = _libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    return max(0, version)


def lock(readable: Sequence[str], seccomp: bytes, parent: int) -> None:
    """Give up every right but to compute and to read the files and folders of `readable`.

    Raises:
        OSError: The kernel refused a step; the process must end then.
    """
    abi = landlock_abi()
    if abi < LANDLOCK_ABI_NEEDED:
        raise OSError(f"Landlock ABI {LANDLOCK_ABI_NEEDED} is needed, the kernel has {abi}")
    _drop_privileges(readable)
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        raise OSError("the parent has died")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    _restrict_files(readable, abi)
    _load_seccomp(seccomp)


def bound(memory: int, seconds: float, processes: int) -> None:
    """Set the kernel's limits on memory, time and processes, as a second line of defence.

    Args:
        memory: Bytes of address space of one process; torch alone needs 0.8 GiB.
        seconds: Seconds of processor time.
        processes: Number of processes and threads that the user may have; does not bind real root.
    """
    hard = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: int(seconds) + 1,
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_FSIZE: memory,
    }
    for which, value in hard.items():
        ceiling = resource.getrlimit(which)[1]
        value = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
        resource.setrlimit(which, (value, value))


def _drop_privileges(readable: Sequence[str]) -> None:
    """Become nobody, as root, where nobody can read the environment, and lose all capabilities."""
    if os.geteuid() != 0:
        return
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    with suppress(PermissionError):  # in a container that has but one user
        os.setgroups([])
        if all(_open_to_all(Path(path)) for path in readable):
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)  # which drops the capabilities, too
            return
    version_3 = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.syscall(_CAPSET[os.uname().machine], version_3, nothing), "capset")


def _open_to_all(path: Path) -> bool:
    """Whether others may pass every folder above `path` and enter `path`."""
    with suppress(OSError):
        real = path.resolve()
        folders = [real, *real.parents] if real.is_dir() else real.parents
        return all(folder.stat().st_mode & 0o001 for folder in folders)
    return True  # what is not there stops nobody


def _restrict_files(readable: Sequence[str], abi: int) -> None:
    rights = max(count for since, count in _ABI_OF_FILE_RIGHTS if since <= abi)
    handled = _RulesetAttr(
        (1 << rights) - 1, _NET_TCP if abi >= 4 else 0, _SCOPED if abi >= 6 else 0
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _check(
        _libc.syscall(_CREATE_RULESET, ctypes.byref(handled), size, 0), "landlock_create_ruleset"
    )
    for name in readable:
        with suppress(FileNotFoundError):
            _allow_reading(ruleset, name)
    _check(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _allow_reading(ruleset: int, name: str) -> None:
    descriptor = os.open(name, os.O_PATH | os.O_CLOEXEC)
    try:
        folder = os.path.isdir(f"/proc/self/fd/{descriptor}")
        allowed = _EXECUTE | _READ_FILE | (_READ_DIR if folder else 0)
        rule = _PathBeneathAttr(allowed, descriptor)
        added = _libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        _check(added, "landlock_add_rule")
    finally:
        os.close(descriptor)


def _load_seccomp(program: bytes) -> None:
    filter_ = _Program(len(program) // 8, program)
    status = _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0)
    _check(status, "PR_SET_SECCOMP")


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
