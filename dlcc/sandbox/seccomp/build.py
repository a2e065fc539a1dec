"""Compiler of the filters: `python -m dlcc.sandbox.seccomp.build`, with pyseccomp 0.1.2 and
libseccomp.

Run it after a change here and commit the files: those who install the package need neither.
Everything is allowed but what stands here and what is younger than this list. A call by the number
of another architecture (i386) kills the process.
"""

from __future__ import annotations

import errno
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyseccomp as seccomp

from dlcc.sandbox.seccomp import Kind

_NAMESPACES = (
    0x80,  # CLONE_NEWTIME
    0x00020000,  # CLONE_NEWNS
    0x02000000,  # CLONE_NEWCGROUP
    0x04000000,  # CLONE_NEWUTS
    0x08000000,  # CLONE_NEWIPC
    0x10000000,  # CLONE_NEWUSER
    0x20000000,  # CLONE_NEWPID
    0x40000000,  # CLONE_NEWNET
)
_CLONE_THREAD = 0x00010000
_FIRST_YOUNGER = 463  # setxattrat; numbers from here on are the same on every architecture
_PR_SET_DUMPABLE = 4
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # type into the terminal that started us

# Never: what reaches other processes, the network, or corners of the kernel where faults are found.
_DENIED = [
    "socket",
    "unshare",
    "setns",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "userfaultfd",
    "add_key",
    "keyctl",
    "request_key",
    "bpf",
    "perf_event_open",
    "fanotify_init",
    "lookup_dcookie",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "kcmp",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "name_to_handle_at",
    "open_by_handle_at",
    "mknod",
    "mknodat",
    "shmget",
    "shmat",
    "shmctl",
    "shmdt",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "semget",
    "semop",
    "semtimedop",
    "semctl",
    "mq_open",
    "mq_unlink",
    "mq_timedsend",
    "mq_timedreceive",
    "mq_notify",
    "mq_getsetattr",
    "memfd_create",
    "memfd_secret",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "quotactl_fd",
    "syslog",
    "vhangup",
    "uselib",
    "sysfs",
    "nfsservctl",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "modify_ldt",
    "personality",
    "migrate_pages",
    "move_pages",
]

# Where Landlock is all there is: it lets metadata be changed and signals be sent to equals.
_DENIED_BESIDE_LANDLOCK = [
    "fork",
    "vfork",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "truncate",
    "utime",
    "utimes",
    "utimensat",
    "futimesat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "inotify_init",
    "inotify_init1",
    "inotify_add_watch",
    "ioprio_set",
]
_ONLY_ON_ITSELF = (  # call, position of the process number, which must be 0
    ("prlimit64", 0),
    ("sched_setaffinity", 0),
    ("sched_setscheduler", 0),
    ("sched_setparam", 0),
    ("sched_setattr", 0),
    ("setpriority", 1),
)


def build(kind: Kind, architecture: Any) -> Any:
    """Build the filter of one kind for one architecture."""
    made = seccomp.SyscallFilter(seccomp.ALLOW)
    if architecture != seccomp.system_arch():
        made.add_arch(architecture)
        made.remove_arch(seccomp.system_arch())
    made.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
    _deny(made, _DENIED)
    # C libraries fall back to clone, whose flags a filter can see.
    made.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    for flag in _NAMESPACES:
        _deny(made, ["clone"], seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    _deny(made, ["prctl"], seccomp.Arg(0, seccomp.EQ, _PR_SET_DUMPABLE))
    for request in (_TIOCSTI, _TIOCLINUX):
        _deny(made, ["ioctl"], seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    if kind == "locked":
        _deny(made, _DENIED_BESIDE_LANDLOCK)
        _deny(made, ["clone"], seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, 0))
        for call, position in _ONLY_ON_ITSELF:
            _deny(made, [call], seccomp.Arg(position, seccomp.NE, 0))
    return made


def _deny(made: Any, calls: Iterable[str], *arguments: Any) -> None:
    for call in calls:
        made.add_rule(seccomp.ERRNO(errno.EPERM), call, *arguments)


def compiled(kind: Kind, architecture: Any) -> bytes:
    """Compile the program of one kind for one architecture, as the kernel takes it."""
    with tempfile.TemporaryFile() as file:
        build(kind, architecture).export_bpf(file)
        file.seek(0)
        return _refuse_younger_calls(file.read())


def _refuse_younger_calls(program: bytes) -> bytes:
    """Change a program to answer ENOSYS to calls that this list has never heard of."""
    load_number = struct.pack("<HBBI", 0x20, 0, 0, 0)
    unless_younger_skip = struct.pack("<HBBI", 0x35, 0, 1, _FIRST_YOUNGER)
    answer_enosys = struct.pack("<HBBI", 0x06, 0, 0, 0x0005_0000 | errno.ENOSYS)
    return load_number + unless_younger_skip + answer_enosys + program


def main() -> None:
    """Write every filter beside this file."""
    folder = Path(__file__).parent
    machines = {"x86_64": seccomp.Arch.X86_64, "aarch64": seccomp.Arch.AARCH64}
    kinds: tuple[Kind, ...] = ("contained", "locked")
    for kind in kinds:
        for machine, architecture in machines.items():
            (folder / f"{kind}.{machine}.bpf").write_bytes(compiled(kind, architecture))


if __name__ == "__main__":
    main()
