"""Loops: over what is known, round by round; over what is not, once; over numbers alone, not without end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcheck.frontends.static import names
from archcheck.frontends.static.machine import OutOfFuel
from archcheck.frontends.static.natives import CHANGES
from archcheck.frontends.static.signals import BREAK, CONTINUE, Signal
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.values import SCALARS, Instance, Open, OpenRange, Scope, is_undecided

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

LONG = 20_000  # steps of a loop that records no op and builds no module


@dataclass(frozen=True)
class _Work:
    """How much was done when a loop began."""

    steps: int
    ops: int
    modules: int

    @classmethod
    def of(cls, vm: Machine) -> _Work:
        return cls(vm.steps, len(vm.recorder.ops), len(vm.modules_built))

    def is_of_numbers(self, vm: Machine) -> bool:
        """Whether no op was recorded and no module built since."""
        return self.ops == len(vm.recorder.ops) and self.modules == len(vm.modules_built)


def _give_up(vm: Machine, node: ast.For | ast.AsyncFor, rounds: int, scope: Scope) -> None:
    """Take what a loop changes as not known: tables of indices and the like, of which nothing that is checked depends.

    Raises:
        OutOfFuel: it changes something that has no name.
    """
    unknown = vm.open(f"what {rounds:,} rounds of a loop over numbers compute", metadata=True)
    for target in _changed(node.body):
        if isinstance(target, ast.Name):
            names.store(scope, target.id, unknown, ())
        elif isinstance(target, ast.Attribute) and isinstance(owner := vm.evaluate(target.value, scope), Instance):
            vm.set(owner, target.attr, unknown)
        else:
            raise OutOfFuel(f"a loop of {rounds:,} rounds is too long to be followed")


def _changed(body: list[ast.stmt]) -> Iterator[ast.expr]:
    """What statements bind, and what they put something into."""
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            yield node.func.value


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
    begun = _Work.of(vm)
    for item in items:
        if vm.steps - begun.steps > LONG and begun.is_of_numbers(vm):
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
