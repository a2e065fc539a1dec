"""torch's compiler is not imported for what needs none of it, and is there for what does."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from dlcc.engine.compiler import postpone_compiler, uncompiled
postpone_compiler()
import torch
there = lambda: "torch._dynamo.eval_frame" in sys.modules
net = torch.nn.Linear(2, 1)
opt = torch.optim.Adam(net.parameters())
def step(x):
    loss = net(x).square().sum(); loss.backward(); opt.step(); opt.zero_grad()
    return loss
step(torch.ones(3, 2))
with uncompiled():
    step(torch.ones(3, 2))
print(there())
seen = []
def backend(graph, inputs):
    seen.append(graph)
    return graph.forward
with uncompiled():
    torch.compile(step, backend=backend)(torch.ones(3, 2))
    print(there(), len(seen))
torch.compile(step, backend=backend)(torch.ones(3, 2))
print(len(seen) > 0)
import torch._dynamo.config
print(torch._dynamo is sys.modules["torch._dynamo"], type(torch._dynamo).__name__)
"""


def test_the_compiler_comes_with_the_first_function_that_is_compiled() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True", "0", "True", "True", "module"], done.stderr
