"""Evaluation of hparams functions: scopes, names, calls, and the bounds within which they run.

It evaluates LibCST trees, never Python: a call into another package is not made, it gives an Unknown.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from archcheck.frontends.static.t2t import calls, expressions, methods, statements
from archcheck.frontends.static.t2t.data import Bound, Class, Data, Entry, Frame, Function, HParams, Name
from archcheck.frontends.static.t2t.heap import Flow, Heap, Signal
from archcheck.frontends.static.t2t.source import Binding, Library, Module, Segment, Unreadable, stored
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Setting, Span, Step

if TYPE_CHECKING:
    import libcst as cst


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one hparams set may cost; what goes beyond is an Unknown that says so."""

    steps: int = 200_000  # expressions and statements evaluated
    calls: int = 24  # functions inside one another
    depth: int = 200  # expressions, statements and calls inside one another
    items: int = 100_000  # of a string, a list or a range
    bits: int = 4_096  # of an int


class OutOfBounds(Exception):
    """A limit is reached and nothing more can be said about this set; `str()` says which."""


class Machine:
    """Evaluates one hparams set.

    Args:
        library: the modules of the package.
        limits: how much it may cost.
    """

    def __init__(self, library: Library, limits: Limits = Limits()) -> None:
        self.library = library
        self.limits = limits
        self.heap = Heap()
        self.frames: list[Frame] = []
        self.notes: dict[Unknown, None] = {}  # what the library or Python would refuse
        self._globals: dict[tuple[str, str], Data] = {}
        self._binding: set[tuple[str, str]] = set()  # of `_globals`, being evaluated
        self._classes: dict[Class, Frame] = {}
        self._steps = 0
        self._depth = 0

    # ---- the parts

    def execute(self, body: cst.BaseSuite, frame: Frame) -> Signal | None:
        """Run the statements of a body."""
        self._depth += 1
        try:
            return statements.execute(self, body, frame)
        finally:
            self._depth -= 1

    def step(self) -> None:
        """Count work.

        Raises:
            OutOfBounds: there was too much of it.
        """
        self._steps += 1
        if self._steps > self.limits.steps:
            raise OutOfBounds(f"evaluation was stopped after {self.limits.steps:,} steps")

    def evaluate(self, node: cst.BaseExpression, frame: Frame) -> Data:
        """The value of an expression."""
        self.step()
        self._depth += 1
        if self._depth > self.limits.depth:
            raise OutOfBounds(f"calls and expressions are nested more than {self.limits.depth} deep")
        try:
            return self.heap.seen(expressions.evaluate(self, node, frame))
        finally:
            self._depth -= 1

    # ---- places

    def span(self, node: cst.CSTNode, frame: Frame) -> Span:
        return frame.segment.span(node)

    def trail(self) -> tuple[Step, ...]:
        """The calls that led to the function that is running, outermost first."""
        return self.frames[-1].trail if self.frames else ()

    def enter(self, frame: Frame) -> None:
        """Make `frame` the one that is running; the caller leaves it with `self.frames.pop()`."""
        if self.frames:
            caller = self.frames[-1]
            here = (Step(caller.function, caller.at),) if caller.function and caller.at is not None else ()
            frame.trail = caller.trail + here
        self.frames.append(frame)

    def setting(self, name: str, span: Span | None) -> Setting:
        return Setting(f"hparams.{name}", "", span, self.trail())  # its value is written when the set is complete

    def unknown(self, why: str, node: cst.CSTNode | None = None, frame: Frame | None = None) -> Unknown:
        """An Unknown at `node`."""
        return Unknown(why, self.span(node, frame) if node is not None and frame is not None else None)

    def note(self, why: str, span: Span | None) -> None:
        """Record that the library or Python refuses what stands at `span`."""
        self.notes[Unknown(why, span)] = None

    # ---- writes

    def set_hparam(self, hparams: HParams, name: str, value: Data, span: Span | None) -> None:
        """`hparams.<name> = value`, done at `span`."""
        self.heap.put(hparams.entries, name, Entry(value, self.setting(name, span)))

    def spoil(self, values: list[Data], why: Unknown) -> None:
        """Whatever can be changed in `values` may have been."""
        self.heap.spoil(values, why, lambda name: self.setting(name, why.span))

    def spoil_scope(self, frame: Frame, why: Unknown) -> None:
        """Whatever the rest of the function could change may have been."""
        scope: Frame | None = frame
        while scope is not None:
            self.spoil(list(scope.names.values()), why)
            scope = scope.outer

    # ---- names

    def lookup(self, name: str, frame: Frame) -> Data:
        """The value of a name that code in `frame` reads."""
        scope: Frame | None = frame
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        found = self.module_value(frame.module, name)
        if found is not None:
            return found[0]
        if hasattr(builtins, name):
            return Name(f"builtins.{name}")
        return Unknown(f"the name {name} is not bound in {frame.module.shown}")

    def module_value(self, module: Module, name: str) -> tuple[Data] | None:
        """What `name` stands for at the end of a module's top level, in a tuple; None where it binds no such name."""
        key = (module.name, name)
        if key in self._globals:
            return (self._globals[key],)
        if name not in module.bindings:
            for star in module.stars:
                other = self.library.module(star)
                if other is not None and other is not module and name in other.bindings and not name.startswith("_"):
                    return self.module_value(other, name)
            return None
        if key in self._binding:
            return (Unknown(f"{name} is defined by itself"),)
        self._binding.add(key)
        try:
            value = self._bound(module, name)
        finally:
            self._binding.discard(key)
        if name in module.changed and isinstance(value, list | dict | HParams):
            value = Unknown(f"{name} is changed after it was set", module.header(module.bindings[name][-1].node))
        self._globals[key] = value
        return (value,)

    def _bound(self, module: Module, name: str) -> Data:
        bindings = module.bindings[name]
        binding = bindings[-1]
        where = module.header(binding.node)
        if len(bindings) > 1:
            return Unknown(f"{name} is bound in more than one branch", where)
        if binding.repeated:
            return Unknown(f"{name} is bound in a loop", where)
        match binding.node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() as node:
                return Function(module, name, binding.top, node)
            case ast.ClassDef() as node:
                return Class(module, node, binding.top)
            case ast.Import(names=names):
                for alias in names:
                    if alias.asname == name:
                        return Name(alias.name)
                return Name(name)
            case ast.ImportFrom(names=names, module=base, level=level):
                source = module.absolute(base or "", level)
                original = next(alias.name for alias in names if (alias.asname or alias.name) == name)
                return self.member(source, original)
            case _:
                return self._assigned(module, name, binding)

    def _assigned(self, module: Module, name: str, binding: Binding) -> Data:
        try:
            segment = module.segment(binding.top)
            node = segment.find(binding.node)
        except Unreadable as error:
            return Unknown(str(error), module.header(binding.node))
        frame = Frame("", module, segment)
        self.enter(frame)
        try:
            statements.small(self, node, frame)
        finally:
            self.frames.pop()
        return frame.names.get(name, Unknown(f"{name} could not be evaluated", module.header(binding.node)))

    def member(self, qualified: str, name: str) -> Data:
        """What `from <qualified> import <name>`, or `<qualified>.<name>`, stands for."""
        if qualified.split(".", 1)[0] == "builtins":
            return Name(f"{qualified}.{name}")
        module = self.library.module(qualified)
        # `from package import part` inside the package's own __init__.py means the module, not itself.
        if module is not None and (qualified, name) not in self._binding:
            found = self.module_value(module, name)
            if found is not None:
                return found[0]
        inner = self.library.module(f"{qualified}.{name}") if module is not None else None
        for refused in (qualified, f"{qualified}.{name}"):
            if refused in self.library.refused:
                return Unknown(f"module {refused} cannot be read: {self.library.refused[refused]}")
        if module is not None and inner is None:
            return Unknown(f"{module.shown} binds no {name}")
        return Name(f"{qualified}.{name}")

    def attribute(self, owner: Data, name: str, span: Span | None = None) -> Data:
        """What `<owner>.<name>`, read at `span`, stands for."""
        match owner:
            case Unknown():
                return owner
            case HParams():
                if name in methods.NAMES and name not in owner.entries:
                    return Bound(owner, name)
                return methods.read(self, owner, name, (), span)
            case Name(qualified=qualified):
                return self.member(qualified, name)
            case Class():
                return self.class_member(owner, name, span)
            case Function():
                return owner.name if name == "__name__" else Unknown("an attribute of a function is read", span)
            case _:
                return Bound(owner, name)

    def class_member(self, owner: Class, name: str, span: Span | None) -> Data:
        """What `<class>.<name>` stands for, where the class body sets it."""
        bases = [ast.unparse(base) for base in owner.node.bases]
        if any(base.rsplit(".", 1)[-1] in _ENUMS for base in bases):
            return Name(f"{owner.qualified}.{name}")
        scope = self._classes.get(owner)
        if scope is None:
            try:
                segment = owner.module.segment(owner.top)
                body = segment.find(owner.node)
            except Unreadable as error:
                return Unknown(str(error), span)
            scope = self._classes[owner] = Frame("", owner.module, segment)
            self.enter(scope)
            try:
                statements.class_body(self, body, scope)
            finally:
                self.frames.pop()
        if name in scope.names:
            return scope.names[name]
        return Unknown(f"{owner.node.name}.{name} is not set in the body of the class", span)

    # ---- calls

    def call(self, function: Function, args: list[Data], kwargs: dict[str, Data], site: calls.Site) -> Data:
        """What a function of the package returns."""
        why = self._refusal(function, bool(args or kwargs))
        if not why:
            try:
                segment, definition = self.definition(function)
            except Unreadable as error:
                why = str(error)
        if why:
            return calls.unread(self, why, [function, *args, *kwargs.values()], site)
        self.frames[-1].at = site.span(self)
        inner = Frame(function.name, function.module, segment, outer=function.outer)
        problem = calls.bind(self, definition.params, args, kwargs, inner, function)
        if problem:
            return calls.unread(self, problem, [function, *args, *kwargs.values()], site)
        return self.run(definition, inner)

    def run(self, definition: cst.FunctionDef | cst.Lambda, frame: Frame) -> Data:
        """What a function gives whose parameters are bound in `frame`."""
        self.enter(frame)
        self._depth += 2
        try:
            if type(definition).__name__ == "Lambda":
                signal: Signal | None = Signal(Flow.RETURN, self.evaluate(cast("cst.Lambda", definition).body, frame))
            else:
                signal = self.execute(cast("cst.FunctionDef", definition).body, frame)
        finally:
            self.frames.pop()
            self._depth -= 2
        if frame.yields:
            return Unknown(f"{frame.function} is a generator")
        if signal is None:
            return None
        if signal.flow is Flow.RAISE:
            return Unknown(f"{frame.function} raises an exception: {signal.value}", frame.at)
        return signal.value

    def definition(self, function: Function) -> tuple[Segment, cst.FunctionDef | cst.Lambda]:
        """The LibCST tree of a function.

        Raises:
            Unreadable: see `Module.segment`.
        """
        if function.inner is not None:
            return function.inner
        assert function.top is not None
        assert function.node is not None
        segment = function.module.segment(function.top)
        return segment, segment.function(function.node)

    def _refusal(self, function: Function, has_args: bool) -> str:
        """Why a function is not called, or ""."""
        if len(self.frames) >= self.limits.calls:
            return f"calls are nested more than {self.limits.calls} deep"
        running = any(
            frame.function == function.name and frame.module is function.module and frame.outer is function.outer
            for frame in self.frames
        )
        if running and not has_args:
            return f"{function.name} calls itself"
        if isinstance(function.node, ast.AsyncFunctionDef):
            return f"{function.name} is asynchronous"
        if function.node is not None:
            return self.decoration(function.module, function.node.decorator_list)
        return ""

    def decoration(self, module: Module, decorators: list[ast.expr]) -> str:
        """Why decorators may change what a function does, or ""; a registry gives back what it registers."""
        for decorator in decorators:
            dotted = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if not qualified_name(module, dotted).rsplit(".", 1)[-1].startswith("register"):
                return f"the function is decorated with {dotted}"
        return ""


_ENUMS = frozenset({"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"})


def qualified_name(module: Module, dotted: str) -> str:
    """The full name of a dotted name at a module's top level, as far as imports tell."""
    first, dot, rest = dotted.partition(".")
    bindings = module.bindings.get(first, [])
    if len(bindings) == 1:
        node = bindings[0].node
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname == first:
                    return alias.name + dot + rest
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == first:
                    return f"{module.absolute(node.module or '', node.level)}.{alias.name}{dot}{rest}"
    return dotted


def enclosing_scope(module: Module, segment: Segment, outers: list[ast.stmt]) -> Frame | None:
    """A scope for a function whose enclosing functions do not run: every name of theirs is Unknown."""
    scope: Frame | None = None
    for outer in outers:
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            names: dict[str, Data] = {
                name: Unknown(f"{name} is decided when {outer.name} is called", module.header(outer))
                for name in _locals(outer)
            }
            scope = Frame(outer.name, module, segment, names, scope)
    return scope


def _locals(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    arguments = node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if argument is not None:
            yield argument.arg
    for statement in node.body:
        yield from stored(statement)
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".", 1)[0] for alias in statement.names)


def called(value: Data) -> str:
    """How a reader would name what is called."""
    match value:
        case Name(qualified=name) | Bound(name=name) | Function(name=name):
            return name.removeprefix("builtins.")
        case Class(node=node):
            return node.name
        case _:
            return "a value"
