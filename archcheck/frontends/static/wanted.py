"""Which arguments of the target a failure was for want of: names absent where it arose, followed up through calls."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from archcheck.frontends.static.values import Function, Scope

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Frame, Machine

MOST_LINES = 24  # of one statement that are looked at
_WORD = re.compile(r"[^\W\d]\w*")


def note(vm: Machine, frame: Frame, scope: Scope) -> None:
    """Note what was absent where an exception was raised: in `frame`, which runs in `scope`.

    These are the names that were held against None there, and those which the line reads and which are None. A caller
    that passed one on calls it by its own name.
    """
    names = list(frame.absent)
    words = [word for at in _lines(frame) for word in _WORD.findall(frame.file.line(at))]
    names += [word for word in words if word in scope.vars and scope.vars[word] is None]
    at = len(vm.frames) - 1
    while at >= 0 and vm.frames[at] is not frame:
        at -= 1
    while names and at > 0 and vm.frames[at].node not in vm.entry:
        callee, call = vm.frames[at].node, vm.frames[at - 1].call
        if callee is None or call is None:
            return
        passed = [_passed_as(callee, call, name) for name in names]
        names = [name for name in passed if name]
        at -= 1
    if at > 0:
        vm.wanted.update(dict.fromkeys(names))


def _lines(frame: Frame) -> range:
    """Lines of the statement that a frame has reached: of one that holds others, those before them."""
    node = frame.statement
    if node is None or not node.lineno <= frame.line <= (node.end_lineno or node.lineno):
        return range(frame.line, frame.line + 1)
    body = getattr(node, "body", None)
    last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
    return range(node.lineno, min(last, node.lineno + MOST_LINES) + 1)


def entry_nodes(function: Function) -> tuple[ast.AST, ...]:
    """The functions that take the target's arguments: it, and what its decorators wrap."""
    found: list[ast.AST] = [function.node]
    while function.wrapped is not None:
        function = function.wrapped
        found.append(function.node)
    return tuple(found)


def _passed_as(callee: ast.AST, call: ast.Call, name: str) -> str:
    """What the caller calls the argument `name`; "" where it passed none, or no plain name."""
    spread = any(keyword.arg is None for keyword in call.keywords)
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value.id if isinstance(keyword.value, ast.Name) else ""
    if isinstance(callee, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        names = [parameter.arg for parameter in [*callee.args.posonlyargs, *callee.args.args]]
        if name in names:
            handed = bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == "self"
            at = names.index(name) - (names[:1] == ["self"] and not handed)  # a wrapper hands it on: f(self, *args)
            if 0 <= at < len(call.args) and not any(isinstance(one, ast.Starred) for one in call.args[: at + 1]):
                value = call.args[at]
                return value.id if isinstance(value, ast.Name) else ""
    return name if spread else ""
