"""Source to functions."""

import pytest

from dlcc.stages.ingestion.code import parse_functions

CODE = '''
import torch

def outer(a, *rest, b=1):
    """Says so."""
    def inner(c):
        return helper(c) + scale
    total = torch.mean(inner(a))
    return total

class Net:
    def step(self, x):
        return self.forward(x)
'''


def test_functions_methods_and_nested_ones_with_their_names() -> None:
    functions = {f.name: f for f in parse_functions("s.py", CODE)}
    assert list(functions) == ["outer", "outer.inner", "Net.step"]
    outer = functions["outer"]
    assert outer.parameters == ("a", "b", "rest")
    assert outer.docstring == "Says so."
    assert (outer.first_line, outer.last_line) == (4, 9)
    assert {"torch.mean", "inner", "helper"} == set(outer.calls)
    assert "total" in outer.binds
    assert functions["Net.step"].calls == ("self.forward",)


def test_code_is_never_run() -> None:
    assert parse_functions("s.py", "raise SystemExit\ndef f(): 1/0")[0].name == "f"


@pytest.mark.parametrize("text", ["def", "x = (", "\0", "x" * (2 << 20)])
def test_what_is_no_python_is_an_error(text: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        parse_functions("s.py", text)
