"""Placeholder of torch's compiler, which takes as long to import as torch itself.

torch imports it with the first optimiser, only to say of its own functions that they are not to be
compiled. Where nothing is compiled there is nothing to say.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

_NAME = "torch._dynamo"


def postpone_compiler() -> None:
    """Let torch's compiler be imported when something is compiled, and not with an optimiser.

    No number changes: before it is imported nothing can be compiled. It may be called before torch
    is imported, which it does not do.

    >>> import subprocess, sys
    >>> program = '''
    ... import sys
    ... from dlcc.engine.compiler import postpone_compiler
    ... postpone_compiler()
    ... import torch
    ... net = torch.nn.Linear(2, 1)
    ... torch.optim.Adam(net.parameters()).step()
    ... print("torch._dynamo.eval_frame" in sys.modules, torch._dynamo.config.suppress_errors)
    ... print("torch._dynamo.eval_frame" in sys.modules)
    ... '''
    >>> done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    >>> done.stdout.split()
    ['False', 'False', 'True']
    """
    sys.modules.setdefault(_NAME, _Placeholder(_NAME))


@contextmanager
def uncompiled() -> Iterator[None]:
    """Run compiled functions as they were written, within the block.

    >>> import torch
    >>> with uncompiled():
    ...     torch.compile(lambda x: x + 1)(torch.ones(1))
    tensor([2.])
    """
    import torch

    postpone_compiler()
    placeholder = sys.modules[_NAME]
    if isinstance(placeholder, _Placeholder):
        placeholder.stance = "force_eager"  # for when it is loaded within the block
    else:
        torch.compiler.set_stance("force_eager")
    try:
        yield
    finally:
        if _is_there():
            torch.compiler.set_stance("default")
        else:
            vars(placeholder)["stance"] = "default"


class _Placeholder(ModuleType):
    """Module that becomes the compiler at the first use of it."""

    stance: str = "default"

    def __getattr__(self, name: str) -> Any:
        dunder = name.startswith("__") and name.endswith("__")
        if dunder and name != "__path__":  # who looks through all modules does not use this one
            raise AttributeError(name)
        return getattr(_compiler(), name)

    def graph_break(self, *args: Any, **kwargs: Any) -> None:
        """Break what is being compiled: nothing, before the compiler is there."""
        if _is_there():
            _compiler().graph_break(*args, **kwargs)

    def disable(self, function: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Mark a function as one that is not compiled, from the moment that something can be."""
        if _is_there() or not callable(function) or isinstance(function, type):
            return _compiler().disable(function, *args, **kwargs)
        marked: list[Callable[..., Any]] = []

        @wraps(function)
        def called(*its: Any, **named: Any) -> Any:
            if not marked and _is_there():
                marked.append(_compiler().disable(function, *args, **kwargs))
            return (marked or [function])[0](*its, **named)

        return called


def _is_there() -> bool:
    return not isinstance(sys.modules.get(_NAME), _Placeholder)


def _compiler() -> ModuleType:
    placeholder = sys.modules.get(_NAME)
    if not isinstance(placeholder, _Placeholder):
        return importlib.import_module(_NAME)
    del sys.modules[_NAME]
    compiler = importlib.import_module(_NAME)
    if placeholder.stance != "default":
        compiler.set_stance(placeholder.stance)
    return compiler
