"""System calls that code from a run may not make, as compiled filters.

A filter is a classic BPF program, `<kind>.<machine>.bpf`, that the kernel runs before each system
call. `contained` goes with bubblewrap; `locked` goes with Landlock, which hides neither other
processes nor the metadata of files, so it denies more. `build.py` makes the files.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Literal

Kind = Literal["contained", "locked"]


def program(kind: Kind) -> bytes:
    """Read the filter for this machine, as `struct sock_filter[n]`.

    Raises:
        FileNotFoundError: There is none for this kind of processor.
    """
    return (Path(__file__).parent / f"{kind}.{platform.machine()}.bpf").read_bytes()
