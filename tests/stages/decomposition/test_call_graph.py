"""Calls by data flow, held against what a profiler sees when the same program runs."""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

import pytest

from dlcc.stages.decomposition.call_graph import follow_calls

HIDDEN = ("<lambda>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")

PROGRAMS = {
    "alias": """
        def loss(x): return x
        def other(x): return x
        chosen = loss
        def step():
            f = chosen
            return f(1)
        def main(): return step()
    """,
    "attribute of self": """
        def hinge(x): return x
        class Trainer:
            def __init__(self, loss):
                self.loss = loss
                self.count = 0
            def step(self): return self.loss(2)
        def main(): return Trainer(hinge).step()
    """,
    "argument": """
        def a(): return 1
        def b(): return 2
        def twice(f): return f() + f()
        def main(): return twice(a)
    """,
    "partial": """
        import functools
        from functools import partial
        def penalty(net, weight, x): return net(x) * weight
        def net(x): return x
        def main():
            p = partial(penalty, net, weight=3)
            q = functools.partial(penalty, net)
            return p(x=1) + q(2, 3)
    """,
    "dictionary of functions": """
        def ns(x): return x
        def ls(x): return x * x
        def unused(x): return 0
        LOSSES = {"ns": ns, "ls": ls}
        def main(): return LOSSES["ls"](3)
    """,
    "dictionary by a name that is not known": """
        def ns(x): return x
        def ls(x): return x * x
        def pick(name): return {"ns": ns, "ls": ls}[name]
        def main(): return pick("ns")(1) + pick("ls")(1)
    """,
    "inheritance and super": """
        class Base:
            def __init__(self): self.n = self.size()
            def size(self): return 1
            def step(self): return self.loss()
        class Hinge(Base):
            def __init__(self): super().__init__()
            def size(self): return 2
            def loss(self): return 5
        def main(): return Hinge().step()
    """,
    "called instances and properties": """
        class Net:
            def __call__(self, x): return self.inner(x) * self.scale
            def inner(self, x): return x
            @property
            def scale(self): return 2
        def main():
            net = Net()
            return net(3)
    """,
    "closures and decorators": """
        import functools
        def logged(f):
            @functools.wraps(f)
            def inner(*args): return f(*args)
            return inner
        @logged
        def loss(x): return x
        def make(k):
            def scaled(x): return k * loss(x)
            return scaled
        def main(): return make(2)(3)
    """,
    "lambdas, comprehensions and map": """
        def loss(x): return x
        def norm(x): return x
        def main():
            f = lambda x: loss(x)
            ordered = sorted([1], key=lambda v: norm(v))
            return [f(v) for v in (1, 2)] + list(map(norm, (3,))) + ordered
    """,
    "methods kept in a list": """
        class Player:
            def __init__(self, name): self.name = name
            def update(self): return self.name
        def main():
            players = [Player("d")]
            players.append(Player("g"))
            return [p.update() for p in players]
    """,
    "results and tuples": """
        def pair(): return one, two
        def one(): return 1
        def two(): return 2
        def main():
            a, b = pair()
            return a()
    """,
    "generators": """
        def one(): return 1
        def two(): return 2
        def losses():
            yield one
            yield two
        def main(): return [loss() for loss in losses()]
    """,
    "static and class methods": """
        class Loss:
            @staticmethod
            def of(x): return x
            @classmethod
            def made(cls): return cls()
            def total(self): return Loss.of(1) + self.of(2)
        def main(): return Loss.made().total()
    """,
}


def program(text: str) -> str:
    lines = text.strip("\n").splitlines()
    return "\n".join(line[8:] for line in lines) + "\n"


def watched(text: str) -> set[tuple[str, str]]:
    """Pairs of functions of which one called the other when `main` ran."""
    code = compile(text, "p.py", "exec")
    space: dict[str, Any] = {"__name__": "p"}
    exec(code, space)
    seen: set[tuple[str, str]] = set()

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event != "call" or frame.f_code.co_filename != "p.py" or _hidden(frame.f_code):
            return
        caller = frame.f_back
        while caller is not None and _hidden(caller.f_code):
            caller = caller.f_back
        if caller is not None and caller.f_code.co_filename == "p.py":
            seen.add((_name(caller.f_code), _name(frame.f_code)))

    sys.setprofile(profile)
    try:
        space["main"]()
    finally:
        sys.setprofile(None)
    return seen


def _hidden(code: CodeType) -> bool:
    return code.co_name in HIDDEN


def _name(code: CodeType) -> str:
    return f"p.py:{code.co_qualname.replace('.<locals>', '')}"


def followed(text: str) -> set[tuple[str, str]]:
    found = follow_calls({"p.py": text})
    return {(caller, callee) for caller, its in found.calls.items() for callee in its}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_edges_are_the_calls_that_a_profiler_sees(name: str) -> None:
    text = program(PROGRAMS[name])
    assert followed(text) == watched(text)
    assert follow_calls({"p.py": text}).unresolved == ()


def test_what_is_not_known_has_no_edge_and_is_named() -> None:
    text = program("""
        def loss(x): return x
        def step(f, table, name):
            f(1)
            getattr(table, name)()
            return globals()["loss"](2)
    """)
    found = follow_calls({"p.py": text})
    assert found.calls == {}
    assert [(caller, line) for caller, _, line in found.unresolved] == [
        ("p.py:step", 3), ("p.py:step", 4), ("p.py:step", 5)
    ]  # fmt: skip


def test_calls_are_followed_from_file_to_file() -> None:
    train = """
        import nets as n
        from losses import hinge as h
        def main():
            return n.Net(h).step()
    """
    nets = """
        class Net:
            def __init__(self, f):
                self.f = f
            def step(self):
                return self.f()
    """
    texts = {"train": train, "nets": nets, "losses": "        def hinge(): return 1"}
    found = follow_calls({f"source/{name}.py": program(text) for name, text in texts.items()})
    assert found.calls == {
        "source/nets.py:Net.step": ("source/losses.py:hinge",),
        "source/train.py:main": ("source/nets.py:Net.__init__", "source/nets.py:Net.step"),
    }


def test_a_module_of_torch_is_called_by_its_forward() -> None:
    text = """
        import torch
        class Net(torch.nn.Module):
            def forward(self, x): return x
        class Gan(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.g = Net()
            def step(self, z): return self.g(z)
    """
    assert follow_calls({"m.py": program(text)}).calls == {"m.py:Gan.step": ("m.py:Net.forward",)}


def test_results_that_are_handed_on_are_edges_of_data() -> None:
    text = """
        def batch(): return 1
        def loss(x): return x
        def step():
            b = batch()
            return loss(b)
    """
    found = follow_calls({"p.py": program(text)})
    assert found.handed_on == (("p.py:batch", "p.py:loss"),)


def test_text_that_is_no_python_is_left_out() -> None:
    assert follow_calls({"a.py": "def f(:", "b.py": "x\0"}).calls == {}
