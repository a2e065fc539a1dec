"""A session without a process: what is replayed and compared is the same, importing torch is not
waited for. Only for code that does no harm; what harm meets is tested with the real one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import torch

from dlcc.engine.scratch import scratch_folder
from dlcc.runs.random_state import random_state, restore_random_state
from dlcc.sandbox import Level, Session, wire
from dlcc.sandbox.child import Subject
from dlcc.sandbox.staging import Staged


class InProcessSession(Session):
    """A session whose code is run by this process, in which all is put back at its end."""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(scratch_folder("dlcc-subject-"))
            self._staged = Staged(folder / "subject", Level.NONE, self._data)
            self._staged.fill(self._files)
            stack.enter_context(_put_back(folder))
            self._subject = Subject(self._staged.folder)
            self.alive = True
            self._stack = stack.pop_all()
        return self

    def exchange(self, frame: bytes, largest: int) -> tuple[dict[str, Any], bytes]:
        """Let the code answer, by the same frames as between processes."""
        answer = self._subject.answer(*_parts(frame, len(frame)))
        return _parts(answer, largest)


def _parts(frame: bytes, largest: int) -> tuple[dict[str, Any], bytes]:
    text, tensors = wire.parse_sizes(frame[: wire.HEADER.size], largest)
    content = frame[wire.HEADER.size :]
    return wire.parse_message(content[:text]), content[text : text + tensors]


@contextlib.contextmanager
def _put_back(folder: Path) -> Iterator[None]:
    """Whatever foreign code changes of this process: modules, paths, threads, random states."""
    path, threads, random = list(sys.path), torch.get_num_threads(), random_state()
    try:
        yield
    finally:
        sys.path[:] = path
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder):
                del sys.modules[name]
        torch.set_num_threads(threads)
        restore_random_state(random)
