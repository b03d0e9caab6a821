"""Loops: over what is known, round by round; over what is not, once; over numbers alone, not without end."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcheck.frontends.static import names
from archcheck.frontends.static.machine import OutOfFuel, Raised
from archcheck.frontends.static.natives import CHANGES
from archcheck.frontends.static.opens import Open, OpenRange
from archcheck.frontends.static.signals import BREAK, CONTINUE, Signal
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.values import (
    SCALARS,
    Class,
    Data,
    External,
    Function,
    Instance,
    Layer,
    Native,
    Scope,
    Super,
    Tensor,
    holds_tensor,
    is_metadata,
    is_open,
    is_undecided,
)
from archcheck.ir.graph import Unknown

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

DEEPEST = 3  # functions that call functions
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
LONG = 20_000  # steps of a loop that records no op and builds no module


@dataclass(frozen=True)
class Work:
    """How much was done when a loop began."""

    steps: int
    ops: int
    modules: int

    @classmethod
    def of(cls, vm: Machine) -> Work:
        return cls(vm.own_steps, len(vm.recorder.ops), len(vm.modules_built))

    def is_long(self, vm: Machine) -> bool:
        """Whether many steps were made since, and no op was recorded and no module built."""
        alone = self.ops == len(vm.recorder.ops) and self.modules == len(vm.modules_built)
        return vm.own_steps - self.steps > LONG and alone


def _give_up(vm: Machine, node: ast.For | ast.AsyncFor, rounds: int, scope: Scope) -> None:
    """Take what a loop changes as not known: tables of indices and the like.

    Nothing half-made may be left under another name: what is changed in place must be this function's own, and what is
    called must be known to change nothing.

    Raises:
        OutOfFuel: the loop may change something else.
    """
    inner = [part for statement in node.body for part in ast.walk(statement)]
    calls = (part for part in inner if isinstance(part, ast.Call))
    in_place = {root for part in inner if (root := _changed_in_place(part)) is not None}
    own = all(isinstance(root, ast.Name) and _is_own(vm.frame.node, root.id, node) for root in in_place)
    bound = [part for part in inner if isinstance(part, ast.Name | ast.Attribute) and isinstance(part.ctx, ast.Store)]
    attributes = [part for part in bound if isinstance(part, ast.Attribute)]
    receiver = vm.frame_receiver()
    here = all(
        isinstance(part.value, ast.Name) and receiver is not None and vm.evaluate(part.value, scope) is receiver
        for part in attributes
    )
    if not own or not here or any(_may_change(vm, call, scope) for call in calls):
        raise OutOfFuel(f"a loop of {rounds:,} rounds is too long to be followed")
    unknown = vm.open(f"what {rounds:,} rounds of a loop over numbers compute")
    for name in {part.id for part in [*bound, *in_place] if isinstance(part, ast.Name)}:
        names.store(scope, name, unknown, ())
    for part in attributes:
        vm.set(receiver, part.attr, unknown)


def _changed_in_place(node: ast.AST) -> ast.expr | None:
    """What a part of the code puts something into, or takes something from."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return node.value
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Del):
        return node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        return node.func.value
    return None


def _is_own(function: ast.AST | None, name: str, loop: ast.For | ast.AsyncFor) -> bool:
    """Whether a container was made in this function, before a loop, and nothing else can know it when the loop ends."""
    made = bound = 0
    for parent in ast.walk(function) if function is not None else ():
        made += isinstance(parent, ast.Assign | ast.AnnAssign) and _makes(parent, name)
        bound += isinstance(parent, ast.arg) and parent.arg == name
        for child in ast.iter_child_nodes(parent):
            if not isinstance(child, ast.Name) or child.id != name:
                continue
            if not isinstance(child.ctx, ast.Load):
                bound += 1
            elif child.lineno <= (loop.end_lineno or 0) and not _looks(parent, child):
                return False
    return 0 < made == bound


def _makes(statement: ast.Assign | ast.AnnAssign, name: str) -> bool:
    """Whether an assignment binds a name, and it alone, to a new container: `x = []`, `x, n = {}, 0`."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    pairs = [(target, statement.value) for target in targets]
    if len(targets) == 1 and isinstance(targets[0], ast.Tuple) and isinstance(statement.value, ast.Tuple):
        pairs = list(zip(targets[0].elts, statement.value.elts, strict=False))
    return any(
        isinstance(target, ast.Name) and target.id == name and isinstance(value, ast.List | ast.Dict | ast.Set)
        for target, value in pairs
        if len(targets) == 1
    )


def _looks(parent: ast.AST, child: ast.AST) -> bool:
    """Whether an expression uses a container without handing it on: `x[0]`, `x.append(1)`, `1 in x`, `len(x)`."""
    if isinstance(parent, ast.Call):
        return isinstance(parent.func, ast.Name) and parent.func.id == "len"
    return isinstance(parent, ast.Compare | ast.Attribute) or (
        isinstance(parent, ast.Subscript) and parent.value is child
    )


def gives_up(vm: Machine, node: Comprehension, scope: Scope) -> Open:
    """What stands for the result of a long comprehension over numbers.

    Raises:
        OutOfFuel: it may change something besides.
    """
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    inside = Scope(scope.file, scope)
    if any(_changed_in_place(call) is not None or _may_change(vm, call, inside) for call in calls):
        raise OutOfFuel("a comprehension is too long to be followed")
    return vm.open("what a long comprehension over numbers computes")


def _may_change(vm: Machine, call: ast.Call, scope: Scope, depth: int = DEEPEST) -> bool:
    """Whether a call may change what is not its own: methods of what is made by code that is read, and functions of it
    that do more than compute with what they are given."""
    try:
        if isinstance(call.func, ast.Attribute):
            return isinstance(vm.evaluate(call.func.value, scope), Instance | Layer | Class | Super)
        value = vm.evaluate(call.func, scope)
    except Raised:
        return True
    if isinstance(value, Function):
        return depth == 0 or _does_more_than_compute(vm, value, depth - 1)
    plain = isinstance(value, Native) and value.name != "setattr"
    return not plain and not isinstance(value, External)


def _does_more_than_compute(vm: Machine, function: Function, depth: int) -> bool:
    scope = Scope(function.file, function.scope)
    body = function.node.body
    for part in (part for one in (body if isinstance(body, list) else [body]) for part in ast.walk(one)):
        if isinstance(part, ast.Global | ast.Nonlocal | ast.Yield | ast.YieldFrom | ast.Await):
            return True
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
            return True
        if _changed_in_place(part) is not None:
            return True
        if isinstance(part, ast.Call) and _may_change(vm, part, scope, depth):
            return True
    return False


def over(vm: Machine, node: ast.For | ast.AsyncFor, scope: Scope) -> Signal | None:
    """`for`: each round in turn; a long row of them that only computes numbers is given up."""
    from archcheck.frontends.static.statements import bind

    mark = len(vm.touched)
    source = vm.evaluate(node.iter, scope)
    items = vm.iterate(source)
    settings = vm.since(mark)
    lengths = _lengths(scope) if isinstance(source, Open) else {}
    if len(items) > vm.limits.iterations:
        raise OutOfFuel(f"a loop of more than {vm.limits.iterations:,} rounds is not followed")
    rounds = source if isinstance(source, OpenRange) else None
    if len(items) == 1 and not isinstance(source, (list, tuple)) and _stands_for_any(vm, items[0]):
        _carry(vm, node.body, scope)
    begun = Work.of(vm)
    for item in items:
        if begun.is_long(vm):
            _give_up(vm, node, len(items), scope)
            return None
        bind(vm, node.target, item, scope, settings)
        with vm.within(rounds):
            signal = vm.execute(node.body, scope)
        if lengths:
            _open_grown(vm, source, lengths, scope)
        if signal is BREAK:
            return None
        if signal is not None and signal is not CONTINUE:
            return signal
    return vm.execute(node.orelse, scope) if node.orelse else None


def _stands_for_any(vm: Machine, item: Data) -> bool:
    """Whether what a loop's one round sees is any element of what the loop is over."""
    if not isinstance(item, Tensor):
        return is_open(item)
    op = vm.recorder.by_path.get(item.value.op)
    return op is not None and isinstance(op.attr("index", None), Unknown)


def _carry(vm: Machine, body: list[ast.stmt], scope: Scope) -> None:
    """Before the one round that stands for any number of them: tensors that a round changes are what those before it
    made of them, and no longer what they were before the loop."""
    stored = {
        part.id: None
        for statement in body
        for part in ast.walk(statement)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    for name in stored:
        value = scope.vars.get(name)
        if holds_tensor(value):
            names.store(scope, name, _later(vm, value), ())


def _later(vm: Machine, value: Data) -> Data:
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_later(vm, part) for part in value)
    if not isinstance(value, Tensor):
        return value
    return vm.emit("opaque", (value,), {"name": "rounds", "why": "how many rounds of a loop come before is not known"})


def _lengths(scope: Scope) -> dict[str, int]:
    return {name: len(value) for name, value in scope.vars.items() if isinstance(value, list)}


def _open_grown(vm: Machine, source: Open, lengths: dict[str, int], scope: Scope) -> None:
    """Lists of numbers that grew in a loop over something unknown have no known length: its one pass stands for any
    number of them. Lists of tensors and modules stay, as if there were one pass."""
    for name, before in lengths.items():
        value = scope.vars.get(name)
        if (
            isinstance(value, list)
            and len(value) > before
            and all(isinstance(item, (Open, *SCALARS)) for item in value)
        ):
            why = f"how long {name} grows in a loop over {source.why}"
            names.store(scope, name, vm.open(why, metadata=source.metadata), ())


def while_true(vm: Machine, node: ast.While, scope: Scope) -> Signal | None:
    """`while`: as long as its test is known to hold."""
    for _ in range(vm.limits.iterations):
        vm.step()
        test = vm.evaluate(node.test, scope)
        if is_undecided(test):
            vm.assume(f"the loop `while {code_of(node.test)[:60]}` runs once")
            if not is_metadata(test):  # such a loop lays out: `while x.dim() < y.dim(): x = x.unsqueeze(-1)`
                _carry(vm, node.body, scope)
            signal = vm.execute(node.body, scope)
            return signal if signal is not None and signal.kind == "return" else None
        if not vm.truth(test, node.test):
            return vm.execute(node.orelse, scope) if node.orelse else None
        signal = vm.execute(node.body, scope)
        if signal is BREAK:
            return None
        if signal is not None and signal is not CONTINUE:
            return signal
    raise OutOfFuel(f"a while loop did not end within {vm.limits.iterations:,} rounds")
