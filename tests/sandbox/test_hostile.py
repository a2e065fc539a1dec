"""Code that does its worst is held at each level, and the host is as it was."""

from __future__ import annotations

import os
import socket
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from dlcc.sandbox import Bounds, Session
from tests.sandbox.conftest import SECRET, Host

# Each raises RuntimeError('got ...') where it succeeds. What the code says proves nothing by
# itself: the fixture compares the host before and after, and `SECRET` must not come out.
ESCAPES = {
    "read a file of the host": "raise RuntimeError('got ' + open(SECRET).read())",
    "read the users": "raise RuntimeError('got ' + open('/etc/passwd').read())",
    "read it by a link": """
        import os
        for folder in ('/tmp', '.', 'source', '/dev/shm'):
            try:
                os.symlink(SECRET, folder + '/link')
                raise RuntimeError('got ' + open(folder + '/link').read())
            except OSError: pass
        """,
    "read it by the root of another process": """
        for pid in (1, PARENT, 'self'):
            try: raise RuntimeError('got ' + open(f'/proc/{pid}/root{SECRET}').read())
            except OSError: pass
        """,
    "read it by its handle": """
        import ctypes
        libc = ctypes.CDLL(None)
        handle = ctypes.create_string_buffer(136)
        handle[0] = 128
        if libc.name_to_handle_at(-100, b'/usr', handle, ctypes.byref(ctypes.c_int()), 0) == 0:
            raise RuntimeError('got a handle')
        """,
    "read the environment of others": """
        for pid in (1, PARENT):
            try: text = open(f'/proc/{pid}/environ', 'rb').read()
            except OSError: continue
            if b'PYTEST' in text or b'DLCC_CACHE_DIR' in text: raise RuntimeError('got it')
        """,
    "find something in its own environment": """
        import os
        extra = set(os.environ) - {'PATH', 'HOME', 'TMPDIR', 'LANG', 'MPLCONFIGDIR',
                                   'TORCHINDUCTOR_CACHE_DIR', 'DLCC_TREE', 'PWD', 'LC_CTYPE'}
        if extra: raise RuntimeError(f'got {extra}')
        """,
    "write beside the secret": """
        open(FOLDER + '/planted', 'w').write('x'); raise RuntimeError('got to write')
        """,
    "write over the secret": "open(SECRET, 'w').write('x')",
    "write into the run": """
        import os
        for folder in (RUN, RUN + '/source', '.', 'source', os.path.dirname(__file__)):
            try: open(folder + '/planted', 'w').write('x'); raise RuntimeError('got to write')
            except OSError: pass
        """,
    "change modes, owners and times": """
        import os
        for change in (lambda p: os.chmod(p, 0o777), lambda p: os.chown(p, 0, 0), os.utime,
                       lambda p: os.setxattr(p, 'user.x', b'1'), lambda p: os.truncate(p, 0)):
            for path in (SECRET, __file__, '/usr'):
                try: change(path); raise RuntimeError(f'got to change {path}')
                except OSError: pass
        """,
    "truncate, rename and remove": """
        import os
        for change in (os.unlink, lambda p: os.rename(p, p + '2'), lambda p: os.link(p, p + '3'),
                       lambda p: os.mkdir(p + '4'), lambda p: os.mkfifo(p + '5')):
            for path in (SECRET, __file__):
                try: change(path); raise RuntimeError(f'got to change {path}')
                except OSError: pass
        """,
    "signal its parent and all others": """
        import os, signal
        for pid in (PARENT, os.getppid()):
            try: os.kill(pid, signal.SIGTERM)
            except OSError: pass
        try: os.kill(PARENT, 0); raise RuntimeError('got to signal')
        except OSError: pass
        """,
    "limit and slow its parent": """
        import os, resource
        for harm in (lambda: resource.prlimit(PARENT, resource.RLIMIT_NOFILE, (3, 3)),
                     lambda: os.setpriority(os.PRIO_PROCESS, PARENT, 19),
                     lambda: os.sched_setaffinity(PARENT, {0})):
            try: harm(); raise RuntimeError('got to harm')
            except OSError: pass
        """,
    "trace its parent": """
        import ctypes
        if ctypes.CDLL(None).ptrace(16, PARENT, 0, 0) == 0: raise RuntimeError('got to trace')
        """,
    "read the memory of its parent": """
        import ctypes
        libc = ctypes.CDLL(None)
        buffer = ctypes.create_string_buffer(8)
        class Part(ctypes.Structure):
            _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
        part = Part(ctypes.addressof(buffer), 8)
        libc.process_vm_readv(PARENT, ctypes.byref(part), 1, ctypes.byref(part), 1, 0)
        try: open(f'/proc/{PARENT}/mem', 'rb'); raise RuntimeError('got memory')
        except OSError: pass
        """,
    "mount": """
        import ctypes
        if ctypes.CDLL(None).mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None) == 0:
            raise RuntimeError('got to mount')
        """,
    "unshare and join namespaces": """
        import ctypes
        libc = ctypes.CDLL(None)
        if libc.unshare(0x10000000) == 0 or libc.unshare(0x20000) == 0:
            raise RuntimeError('got a namespace')
        """,
    "change its root": """
        import os
        os.chroot('/usr'); raise RuntimeError('got to change the root')
        """,
    "become root": """
        import os
        if os.getuid() != 0: os.setuid(0); raise RuntimeError('got root')
        for call in (lambda: os.setuid(1), lambda: os.setgroups([1])):
            try: call(); raise RuntimeError('got capabilities')
            except OSError: pass
        """,
    "use io_uring, bpf, keys, userfaultfd and memfd": """
        import ctypes
        libc = ctypes.CDLL(None)
        buffer = ctypes.create_string_buffer(256)
        for number in (425, 321, 250, 323, 319, 298, 463, 469):
            if libc.syscall(number, 1, buffer, 0, 0, 0) >= 0: raise RuntimeError(f'got {number}')
        """,
    "use the calls of another architecture": """
        import ctypes, mmap, platform
        if platform.machine() != 'x86_64': raise SystemExit
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes.fromhex('b814000000cd80c3'))  # mov eax, 20 (getpid of i386); int 0x80
        run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        if run() > 0: raise RuntimeError('got past the filter')
        """,
    "reach the terminal": """
        import fcntl
        for descriptor in range(8):
            try: fcntl.ioctl(descriptor, 0x5412, b'x'); raise RuntimeError('got to type')
            except OSError: pass
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_there_is_no_way_out(host: Host, name: str) -> None:
    said = host.attempt(ESCAPES[name])
    assert "got" not in said.split("RuntimeError:")[-1], said
    assert SECRET not in said
    assert "raised" in said or "ended its process" in said, said  # it ran, and built nothing


_STEP = """
import torch
import dlcc

net = torch.nn.Linear(2, 1)
adam = torch.optim.Adam(net.parameters())


def step(x):
    got = []
    for name, code in ESCAPES.items():
        try:
            exec(code, {**globals(), "__file__": __file__})
        except BaseException as error:
            if "got" in str(error):
                got.append(f"{name}: {error}")
    adam.zero_grad()
    net(x).mean().backward()
    adam.step()
    if got:
        raise ValueError(str(got))
    return {}


def build(config):
    return dlcc.Training.from_step(
        {"net": net}, step, sample=lambda n: net(torch.ones(n, 2)), data=torch.ones(8, 2), batch=4
    )
"""


def test_there_is_no_way_out_of_a_step_that_is_traced(host: Host) -> None:
    deadly = "use the calls of another architecture"  # which the filter answers by a kill
    escapes = {name: textwrap.dedent(code) for name, code in ESCAPES.items() if name != deadly}
    files = {"train.py": f"{host.names}ESCAPES = {escapes!r}\n{_STEP}"}
    with Session(host.staged(files), host.level, Bounds(60, 2 << 30)) as session:
        session.build("source/train.py:build", {})
        graph, tensors = session.trace(0)
    assert [update.players for update in graph.updates] == [("net",)]
    assert SECRET.encode() not in b"".join(array.tobytes() for array in tensors.values())


def test_the_network_is_out_of_reach(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        host.attempt(
            f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)"
        )
        with pytest.raises(TimeoutError):
            server.accept()


def test_sockets_in_the_file_system_are_out_of_reach(host: Host, tmp_path: Path) -> None:
    path = str(host.run) + ".sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        try:
            server.listen()
            server.settimeout(0.3)
            host.attempt(f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})")
            with pytest.raises(TimeoutError):
                server.accept()
        finally:
            os.unlink(path)


def test_a_fork_bomb_is_small_and_dies(host: Host) -> None:
    before = set(psutil.Process().children(recursive=True))  # of other tests, as resource trackers
    host.attempt("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", seconds=1)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_children_that_detach_themselves_die(host: Host) -> None:
    host.attempt(
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0: time.sleep(300)
            os._exit(0)
        """
    )
    mine = [p for p in psutil.process_iter(["cmdline"]) if "child.py" in str(p.info["cmdline"])]
    assert [p for p in mine if psutil.Process().pid in [q.pid for q in p.parents()]] == []


def test_a_memory_bomb_is_stopped(host: Host) -> None:
    said = host.attempt("x = []\nwhile True: x.append(bytearray(1 << 24))", memory=256 << 20)
    assert "MB and was stopped" in said or "MemoryError" in said
    assert host.session is not None
    assert host.session.ended is not None
    assert host.session.ended.peak_memory < 1 << 30


def test_a_bomb_of_files_is_bounded(host: Host) -> None:
    said = host.attempt(
        """
        import os
        for folder in ('/tmp', '/dev/shm', '/', '/dev', '.'):
            try:
                with open(folder + '/fill', 'wb') as file:
                    for _ in range(200): file.write(bytes(1 << 20))
                raise RuntimeError('got 200 MB')
            except OSError: pass
        """
    )
    assert "got" not in said.split("RuntimeError:")[-1]


@pytest.mark.parametrize(
    "code",
    ["while True: pass",
     "import signal, time\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
     "    except (OSError, ValueError): pass\nwhile True:\n    try: time.sleep(9)\n"
     "    except BaseException: pass",
     "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
     "import os, sys, time; os.close(int(sys.argv[2])); time.sleep(99)"],
    ids=["a loop", "ignored signals", "inside C", "closed answers"],
)  # fmt: skip
def test_what_does_not_end_is_ended(host: Host, code: str) -> None:
    started = time.monotonic()
    said = host.attempt(code, seconds=1)
    assert "was stopped" in said
    assert time.monotonic() - started < 6


def test_ending_the_process_is_an_error_and_no_success(host: Host) -> None:
    said = host.attempt("import os\nos.write(1, b'so long')\nos._exit(0)")
    assert said == "the run's code ended its process with status 0; it said: so long"


def test_endless_output_is_drained_and_dropped(host: Host) -> None:
    before = psutil.Process().memory_info().rss
    said = host.attempt("import os\nwhile True: os.write(1, b'x' * 65536)", seconds=1)
    assert "was stopped" in said
    assert psutil.Process().memory_info().rss - before < 64 << 20


# The descriptor for answers is the last argument of child.py.
_FORGE = "import os, struct, sys\nfd = int(sys.argv[2])\n"


@pytest.mark.parametrize(
    "code",
    ["os.write(fd, struct.pack('<QQ', 1 << 60, 0))",
     "os.write(fd, struct.pack('<QQ', 2, 1 << 60) + b'{}')",
     "os.write(fd, struct.pack('<QQ', 100_000, 0) + b'[' * 100_000)",
     "os.write(fd, struct.pack('<QQ', 15, 0) + b'{\"a\":1,\"a\":2}  ')",
     "os.write(fd, struct.pack('<QQ', 9, 0) + b'{\"a\":NaN}')",
     "os.write(fd, struct.pack('<QQ', 2, 0) + b'[]')",
     "os.write(fd, struct.pack('<QQ', 2, 0) + b'{}')",
     "os.write(fd, struct.pack('<QQ', 2, 16) + b'{}' + bytes(16))",
     "h = b'{\"x\":{\"dtype\":\"F64\",\"shape\":[99999999],\"data_offsets\":[0,799999992]}}'\n"
     "os.write(fd, struct.pack('<QQ', 2, 8 + len(h)) + b'{}' + struct.pack('<Q', len(h)) + h)",
     "os.write(fd, os.urandom(4096))"],
    ids=["size of text", "size of tensors", "depth", "repeated key", "NaN", "no object",
         "no players", "no tensors", "lying tensors", "noise"],
)  # fmt: skip
def test_forged_frames_end_the_session(host: Host, code: str) -> None:
    said = host.attempt(_FORGE + code + "\nimport time; time.sleep(60)", seconds=8)
    assert "answers for the process that runs it" in said, said
    assert host.session is not None
    assert not host.session.alive
    assert psutil.Process().is_running()


def test_what_it_says_is_made_safe_to_show(host: Host) -> None:
    said = host.attempt("raise ValueError('\\x1b[2Jcleared\\nsecond\\u202eline' + 'x' * 5000)")
    assert "\x1b" not in said
    assert "\n" not in said
    assert "\u202e" not in said
    assert len(said) < 600


def test_a_torch_of_its_own_does_not_pass_for_torch(host: Host) -> None:
    said = host.attempt(
        "import torch\nraise ValueError(torch.__version__)",
        **{"torch.py": "__version__ = 'forged'", "json.py": "raise SystemExit"},
    )
    assert "forged" not in said
    assert "raised ValueError" in said


def test_neighbours_can_be_imported(host: Host) -> None:
    said = host.attempt(
        "import models\nraise ValueError(models.NAME)", **{"models.py": "NAME = 'm'"}
    )
    assert said == "the run's code raised ValueError: m"
