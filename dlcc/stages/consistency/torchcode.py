"""Translation of a loss function's source to sympy, by its syntax tree: the unknown is refused.

A handler that ignored an argument once "proved" a wrong equality; so every argument that a handler
does not name is an error.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Mapping

import sympy as sp

from dlcc.records import Function
from dlcc.stages.consistency.latex import Mean, UnknownFormula, small_enough

REAL = sp.Symbol("r", real=True)
"""Raw output D(x) of the discriminator on real data."""
FAKE = sp.Symbol("f", real=True)
"""Raw output D(G(z)) of the discriminator on samples."""


_LARGEST_POWER = 16


class UnknownCode(Exception):  # noqa: N818  # an outcome: the obligation stays open
    """Function with something that this reader does not know; the message says what."""


def softplus(x: sp.Expr) -> sp.Expr:
    """Softplus log(1 + e^x)."""
    return sp.log(1 + sp.exp(x))


def sigmoid(x: sp.Expr) -> sp.Expr:
    """Sigmoid 1/(1 + e^−x)."""
    return 1 / (1 + sp.exp(-x))


_ELEMENTWISE: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
    "softplus": softplus,
    "sigmoid": sigmoid,
    "logsigmoid": lambda x: -softplus(-x),
    "relu": lambda x: sp.Max(0, x),
    "log": sp.log,
    "log1p": lambda x: sp.log(1 + x),
    "exp": sp.exp,
    "square": lambda x: x**2,
    "abs": sp.Abs,
    "neg": lambda x: -x,
    "mean": lambda x: Mean(x),
}
_OPERATORS: Mapping[type[ast.operator], Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


def loss_expression(function: Function) -> sp.Expr:
    """Translate what a function returns to an expression in `REAL`, `FAKE` and `Mean`.

    Raises:
        UnknownCode: The function does something that is not clear.
    """
    tree = ast.parse(textwrap.dedent(function.text)).body[0]
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
    names = _bind_parameters(tree)
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # the docstring
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                names[target.id] = _value(statement.value, names)
                continue
        if isinstance(statement, ast.Return) and statement.value is not None:
            return _bounded(_value(statement.value, names))
        raise UnknownCode(f"line {function.first_line + statement.lineno - 1}: not understood")
    raise UnknownCode("nothing is returned")


def _bounded(value: sp.Expr) -> sp.Expr:
    try:
        return small_enough(value)
    except UnknownFormula as reason:
        raise UnknownCode(str(reason)) from None


def _bind_parameters(tree: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, sp.Expr]:
    arguments = tree.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
        raise UnknownCode("parameters with defaults or stars")
    names: dict[str, sp.Expr] = {}
    for argument in arguments.args:
        word = argument.arg.lower()
        if "real" in word:
            names[argument.arg] = REAL
        elif any(part in word for part in ("fake", "gen", "sample")):
            names[argument.arg] = FAKE
        else:
            raise UnknownCode(f"the parameter {argument.arg!r}: real or generated?")
    return names


def _value(node: ast.expr, names: Mapping[str, sp.Expr]) -> sp.Expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        if not abs(node.value) < 1e20:
            raise UnknownCode(ast.unparse(node)[:40])
        return sp.Rational(str(node.value))
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, names)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, names), _value(node.right, names)
        if isinstance(node.op, ast.Pow) and not (right.is_number and abs(right) <= _LARGEST_POWER):
            raise UnknownCode(ast.unparse(node))
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.Call):
        return _call(node, names)
    raise UnknownCode(ast.unparse(node))


def _call(node: ast.Call, names: Mapping[str, sp.Expr]) -> sp.Expr:
    if node.keywords:
        raise UnknownCode(f"an argument of {ast.unparse(node)}")
    if not isinstance(node.func, ast.Attribute):
        raise UnknownCode(ast.unparse(node.func))
    name, owner = node.func.attr, node.func.value
    library = isinstance(owner, ast.Name | ast.Attribute) and ast.unparse(owner) in (
        "torch",
        "F",
        "nn.functional",
        "torch.nn.functional",
    )
    operands = list(node.args) if library else [owner, *node.args]
    if name == "binary_cross_entropy_with_logits" and len(operands) == 2:
        x, target = _value(operands[0], names), _constant_like(operands[1])
        return Mean(target * softplus(-x) + (1 - target) * softplus(x))
    if name == "mse_loss" and len(operands) == 2:
        return Mean((_value(operands[0], names) - _constant_like(operands[1])) ** 2)
    if name in _ELEMENTWISE and len(operands) == 1:
        return _ELEMENTWISE[name](_value(operands[0], names))
    raise UnknownCode(ast.unparse(node))


def _constant_like(node: ast.expr) -> int:
    """Value 1 or 0 of torch.ones_like(...) or torch.zeros_like(...)."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.keywords:
        if node.func.attr == "ones_like":
            return 1
        if node.func.attr == "zeros_like":
            return 0
    raise UnknownCode(ast.unparse(node))
