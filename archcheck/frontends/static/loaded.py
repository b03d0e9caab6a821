"""Modules as far as they were evaluated, for all evaluations of one library that come after each other.

What a module binds at its top level does not depend on who asks for it. So it is evaluated once, and each evaluation
that comes to a name is told what there was to note about it (`Toll`). An evaluation that changes what modules hold, or
whose modules hold something of its own, leaves nothing behind: what it read is read anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import is_
from typing import TYPE_CHECKING, Any

from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.templates import Template, template_of
from archcheck.frontends.static.values import (
    SCALARS,
    Class,
    Data,
    Directory,
    External,
    Function,
    Inert,
    Instance,
    Later,
    Members,
    Method,
    ModuleScope,
    ModuleValue,
    Native,
    Partial,
    Scope,
    Sentinel,
    Super,
    is_module,
)

if TYPE_CHECKING:
    import ast
    from collections.abc import Collection

    from archcheck.frontends.static.footprint import Question
    from archcheck.frontends.static.library import SourceFile
    from archcheck.frontends.static.machine import Machine, Notes

_PLAIN = (*SCALARS, bytes, complex, range, type(...), External, Open, Inert, Sentinel, Native, Directory, ModuleValue)


class Toll:
    """What there is to note about something that was evaluated once: whoever uses it depends on that.

    Attributes:
        file: where it stands.
        notes: assumptions, unknowns and settings that were met.
        asked: what was asked of the library.
        steps: how much work it was, besides what it used.
        own: it holds something of the evaluation that came to it, or was half made when it was used.
        inner: tolls of what it used.
        held: containers that it holds, with copies that tell whether they were changed.
    """

    __slots__ = ("asked", "file", "held", "inner", "notes", "own", "steps")

    def __init__(self, file: SourceFile, notes: Notes) -> None:
        self.file = file
        self.notes = notes
        self.asked: frozenset[Question] = frozenset()
        self.steps = 0
        self.own = False
        self.inner: set[Toll] = set()
        self.held: list[tuple[Any, Any]] = []

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to note."""
        return not (self.steps or self.own or self.asked or self.inner or self.notes)


class Loaded:
    """What the modules of a library hold.

    Attributes:
        modules: by dotted name.
        spelled: classes that dialects spell.
        templates: configuration objects with their defaults.
        spoiled: why all of it has to be read anew; "" where it has not.
    """

    def __init__(self) -> None:
        self.modules: dict[str, ModuleValue] = {}
        self.spelled: dict[str, Class] = {}
        self.templates: dict[Class, tuple[Toll, Template]] = {}
        self.vm: Machine  # the evaluation that goes on
        self.spoiled = ""
        self._open: list[Toll] = []  # of what is being evaluated, outermost first
        self._undo: dict[Toll, list[Callable[[], None]]] = {}  # what takes out again what was bound
        self._gone: set[Toll] = set()  # what must be taken out when the evaluation ends

    def met(self, vm: Machine) -> list[ModuleValue]:
        """The modules that this evaluation has come to: others have come to more."""
        asked = set(vm.library.footprint.asked)
        for toll in _all_of(vm.paid):
            asked |= toll.asked
        return [module for name, module in self.modules.items() if ("module", name) in asked]

    @property
    def current(self) -> Toll | None:
        """Of what is being evaluated."""
        return self._open[-1] if self._open else None

    @property
    def is_busy(self) -> bool:
        """Whether something is being evaluated of which others will only see the result."""
        return bool(self._open)

    def spoil(self, why: str) -> None:
        """Nothing of this may be used when the evaluation ends."""
        self.spoiled = self.spoiled or why

    def own(self) -> None:
        """What is being evaluated depends on the evaluation that came to it."""
        for toll in self._open:
            toll.own = True

    # ---- evaluating once

    @contextmanager
    def apart(self, vm: Machine, file: SourceFile) -> Iterator[Toll]:
        """What is evaluated inside knows nothing of what led here, and what it notes is noted once for all."""
        outer_notes, outer_paid, outer_frames = vm.notes, vm.paid, vm.frames
        vm.set_out(file)
        toll = Toll(file, vm.notes)
        vm.paid = toll.inner
        state = vm.control, vm.trying, vm.building, vm.invoked, vm.open_rounds, vm.stands, vm.by_number
        vm.control, vm.trying, vm.building, vm.invoked, vm.open_rounds, vm.stands = None, 0, 0, False, [], None
        vm.by_number = False
        mark, steps = len(vm.touched), vm.own_steps
        ops, built = len(vm.recorder.ops), len(vm.modules_built)
        self._open.append(toll)
        try:
            with vm.library.footprint.of() as asked:
                yield toll
        except BaseException:
            self.spoil("something was left half made")
            raise
        finally:
            self._open.pop()
            vm.control, vm.trying, vm.building, vm.invoked, vm.open_rounds, vm.stands, vm.by_number = state
            vm.notes, vm.paid, vm.frames = outer_notes, outer_paid, outer_frames
            del vm.touched[mark:]
            toll.asked, toll.steps = frozenset(asked), vm.own_steps - steps
            vm.charged[toll] = None
            vm.charged_steps += toll.steps
            toll.own = toll.own or ops != len(vm.recorder.ops) or built != len(vm.modules_built)
            outer_notes.add(toll.notes)
            vm.paid.add(toll)
            self._undo.setdefault(toll, [])
            if toll.own:
                self._gone.add(toll)
            if toll.own and self._open:
                self._open[-1].own = True

    def pay(self, vm: Machine, toll: Toll) -> None:
        """Note what is to be noted about something that was evaluated before."""
        if toll in self._open:
            if toll is not self._open[-1]:  # it is used by what it uses: what comes of that depends on where one began
                for one in self._open[self._open.index(toll) :]:
                    one.own = True
            return
        vm.paid.add(toll)
        vm.notes.add(toll.notes)
        vm.library.footprint.asked |= toll.asked
        waiting = [toll]
        while waiting:
            one = waiting.pop()
            if one not in vm.charged:
                vm.charged[one] = None
                vm.charged_steps += one.steps
                vm.step(one.steps)
                waiting += one.inner
        if toll.own:
            self.own()

    def bound(self, toll: Toll, scope: ModuleScope, names: Collection[str], ran: Collection[ast.stmt]) -> None:
        """Names of a module were bound."""
        for name in names:
            scope.tolls[name] = toll
        self._keep(toll, tuple(scope.vars[name] for name in names))

        def undo() -> None:
            for name in names:
                if scope.tolls.get(name) is toll:
                    del scope.tolls[name], scope.vars[name]
            scope.executed.difference_update(ran)

        self._undo.setdefault(toll, []).append(undo)

    def defined(self, toll: Toll, members: Members, name: str, before: Later, value: Data) -> None:
        """A method was defined."""
        self._keep(toll, (value,))
        self._undo.setdefault(toll, []).append(lambda: dict.__setitem__(members, name, before))

    def _keep(self, toll: Toll, values: tuple[Data, ...]) -> None:
        held = _containers(values, toll)
        if held is None:
            toll.own = True
            self._gone.add(toll)
        toll.held = held or []

    # ---- the end of an evaluation

    def compare(self, vm: Machine) -> None:
        """Look whether what `vm` used is as it was; what was changed is gone when the evaluation ends."""
        for toll in _all_of(vm.paid):
            if any(not _is_same(one, copy) for one, copy in toll.held):
                self._gone.add(toll)

    def end(self) -> bool:
        """An evaluation is over; whether what it leaves is what another one would find."""
        if self._open:
            self.spoil("something was left half made")
        if self.spoiled:
            return False
        self.compare(self.vm)
        self._forget(self._gone)
        self._gone.clear()
        return True

    def forget(self, files: set[SourceFile]) -> None:
        """Forget what modules hold, and what was made of it."""
        self._forget({toll for toll in self._undo if toll.file in files})

    def _forget(self, tolls: set[Toll]) -> None:
        if not tolls:
            return
        users: dict[Toll, list[Toll]] = {}
        for toll in self._undo:
            for inner in toll.inner:
                users.setdefault(inner, []).append(toll)
        waiting = list(tolls)
        while waiting:
            toll = waiting.pop()
            for undo in self._undo.pop(toll, ()):
                undo()
            waiting += users.pop(toll, ())

    # ---- configuration objects

    def with_defaults(self, vm: Machine, cls: Class, make: Callable[[], Instance | None]) -> Instance | None:
        """An instance of a configuration's class, made once and copied."""
        kept = self.templates.get(cls)
        if kept is not None:
            toll, template = kept
            if toll not in vm.paid:
                self.pay(vm, toll)
            return template.copy()
        with self.apart(vm, cls.file) as toll:
            made = make()
        fresh = None if made is None or toll.own else template_of(made)
        if fresh is not None:
            self.templates[cls] = toll, fresh
            self._undo[toll].append(lambda: self.templates.pop(cls, None) and None)
        return made


def _all_of(tolls: set[Toll]) -> set[Toll]:
    found: set[Toll] = set()
    waiting = list(tolls)
    while waiting:
        toll = waiting.pop()
        if toll not in found:
            found.add(toll)
            waiting += toll.inner
    return found


def _is_same(one: Any, copy: Any) -> bool:
    if len(one) != len(copy):
        return False
    if isinstance(one, set):
        return bool(one == copy)
    return all(map(is_, one, copy)) and (not isinstance(one, dict) or all(map(is_, one.values(), copy.values())))


def _containers(values: tuple[Data, ...], toll: Toll) -> list[tuple[Any, Any]] | None:
    """The containers that are held by values, each with a copy; None where something is held of which it cannot be told
    whether it was changed. What classes hold that were defined elsewhere is looked after there."""
    found: list[tuple[Any, Any]] = []
    seen: set[int] = set()
    stack = list(values)
    while stack:
        value = stack.pop()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Members):
            stack += [item for item in dict.values(value) if not isinstance(item, Later)]
        elif isinstance(value, (list, deque)):
            found.append((value, list(value)))
            stack += [item for item in value if type(item) not in SCALARS]
        elif isinstance(value, dict):
            found.append((value, dict(value)))
            stack += [item for item in value.values() if type(item) not in SCALARS]
        elif isinstance(value, (set, frozenset)):
            found.append((value, set(value)))
        elif isinstance(value, tuple):
            stack += value
        elif isinstance(value, slice):
            stack += (value.start, value.stop, value.step)
        elif isinstance(value, Class):
            if value.made_by not in (toll, None):
                continue
            stack += (value.scope.vars, value.members, *value.bases)
            _around(value.scope.parent, stack)
        elif isinstance(value, Function):
            stack += (*value.defaults, *value.keyword_defaults, value.attributes, value.wrapped)
            _around(value.scope, stack)
        elif isinstance(value, Method):
            stack += (value.function, value.receiver)
        elif isinstance(value, Partial):
            stack += (value.function, value.args, dict(value.kwargs))
        elif isinstance(value, Super):
            stack += (value.cls, value.receiver)
        elif isinstance(value, Instance) and not is_module(value.cls):
            value.lasting = True
            stack += (value.cls, value.attributes, value.items)
        else:
            return None
    return found


def _around(scope: Scope | None, stack: list[Data]) -> None:
    """The variables of functions around."""
    while scope is not None and scope.parent is not None:
        stack.append(scope.vars)
        scope = scope.parent
