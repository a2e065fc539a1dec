"""A small graph of a run, with what it was made of."""

from __future__ import annotations

import numpy as np

from dlcc.records import Block, Dossier, Edge, Formula, Function, Node, RunGraph

NOTHING = np.zeros(0)
DOSSIER = Dossier(
    NOTHING, (), NOTHING, NOTHING, {},
    blocks=(Block("paragraph", "m.md", 3, "The loss </script> is", "Losses", ("The loss is",)),),
    formulas=(Formula("m.md", 5, r"L_D = -\log D(x)", True, "The loss is"),),
    functions=(
        Function("source/t.py", "loss", 1, 2, (), "", "def loss(): return 0", (), (), ()),
        Function("source/t.py", "step", 3, 4, (), "", "def step(): return loss()", (), (), ()),
    ),
)  # fmt: skip
NAMES = [f"helper_{k}" for k in range(14)]
GRAPH = RunGraph(
    nodes=(
        Node("document:m.md", "document", "m.md", "m.md"),
        Node("paragraph:m.md:3", "paragraph", "The loss </script> is", "m.md:3"),
        Node("sentence:m.md:3.0", "sentence", "The loss is", "m.md:3"),
        Node("formula:m.md:5#0", "formula", r"L_D = -\log D(x)", "m.md:5"),
        Node("file:source/t.py", "file", "source/t.py", "source/t.py"),
        Node("function:source/t.py:loss", "function", "loss", "source/t.py:1"),
        Node("function:source/t.py:step", "function", "step", "source/t.py:3"),
        *(Node(f"function:source/t.py:{n}", "function", n, "source/t.py:5") for n in NAMES),
        Node("series:d/loss", "series", "d/loss"),
        Node("figure:loss.png:1#1", "figure", "loss (drawn)", "loss.png:1"),
    ),
    edges=(
        Edge("document:m.md", "paragraph:m.md:3", "contains"),
        Edge("paragraph:m.md:3", "sentence:m.md:3.0", "contains"),
        Edge("document:m.md", "formula:m.md:5#0", "contains"),
        Edge("formula:m.md:5#0", "function:source/t.py:loss", "means", 0.93, ("operators: log",)),
        Edge("file:source/t.py", "function:source/t.py:loss", "contains"),
        Edge("function:source/t.py:step", "function:source/t.py:loss", "calls"),
        *(
            Edge("function:source/t.py:step", f"function:source/t.py:{name}", "calls")
            for name in NAMES
        ),
        Edge("function:source/t.py:loss", "series:d/loss", "data"),
        Edge("figure:loss.png:1#1", "series:d/loss", "shows", 0.97, ("values: 97 % agree",)),
    ),
    embedding="words",
    unresolved=(("function:source/t.py:step", "self.net", 4),),
)  # fmt: skip
