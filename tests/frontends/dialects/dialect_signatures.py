"""Parameter lists, read from a package's source and taken from a row, in one form that can be compared."""

from __future__ import annotations

import ast

from archcheck.frontends.dialects.table import Parameter
from archcheck.ir.graph import AttrValue

Signature = list[tuple[str, AttrValue | str, bool]]


def constant(node: ast.expr) -> AttrValue | str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return float(ast.literal_eval(node.left)) / float(ast.literal_eval(node.right))
    try:
        value: AttrValue = ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
    return value


REQUIRED = "<required>"


def signature(arguments: ast.arguments) -> Signature:
    """(name, default or REQUIRED, whether keyword only) of each parameter but self."""
    plain = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    defaults: list[AttrValue | str] = [REQUIRED] * (len(plain) - len(arguments.defaults)) + [
        constant(d) for d in arguments.defaults
    ]
    found: Signature = [(name, default, False) for name, default in zip(plain, defaults, strict=True) if name != "self"]
    if arguments.vararg:
        found.append(("*" + arguments.vararg.arg, None, False))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append((argument.arg, REQUIRED if default is None else constant(default), True))
    if arguments.kwarg:
        found.append(("**" + arguments.kwarg.arg, None, False))
    return found


def listed(parameters: tuple[Parameter, ...]) -> Signature:
    found: Signature = []
    for parameter in parameters:
        mark = "*" if parameter.star else "**" if parameter.double_star else ""
        default = REQUIRED if parameter.required else parameter.default
        found.append((mark + parameter.name, default, parameter.keyword_only and not mark))
    return found
