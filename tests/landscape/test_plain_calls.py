"""Public names of torch alone are used, and a user's loss runs as it was written."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack

import dlcc.landscape
from dlcc.landscape import ModelLoss, hessian, random_direction, slice_1d

FILES = sorted(Path(dlcc.landscape.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_private_operator_of_torch(file: Path) -> None:
    used = {
        ast.unparse(node)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not {name for name in used if name.startswith(("torch._C", "torch.ops"))}


def test_a_loss_runs_in_no_mode_of_ours() -> None:
    """Nothing stands between the loss and torch, however large the layers are."""
    torch.manual_seed(0)
    model, x = nn.Linear(256, 256), torch.randn(64, 256)
    params, modes = list(model.parameters()), []

    def loss(net: nn.Module, rows: Tensor) -> Tensor:
        modes.append(_get_current_function_mode_stack())
        return net(rows).square().mean()

    hessian(lambda: loss(model, x), params)
    slice_1d(ModelLoss(model, loss, x), params, random_direction(params), [0.0, 1.0])
    assert len(modes) >= 3
    assert not any(modes)
