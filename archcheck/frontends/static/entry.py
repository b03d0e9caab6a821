"""One run of the evaluator: the target's symbol, its arguments, and what calling it computes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from archcheck.errors import NoModelError, TargetError
from archcheck.frontends import dialects
from archcheck.frontends.static import (
    builders,
    configs,
    hints,
    hooks,
    instances,
    modules,
    names,
    parts,
    records,
    rows,
    sizes,
    speech,
    tree,
    wanted,
)
from archcheck.frontends.static.decorators import veiled
from archcheck.frontends.static.machine import Frame, Machine, OutOfFuel, Raised, span_of
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.values import (
    Class,
    Data,
    External,
    Function,
    Inputs,
    Instance,
    Layer,
    Method,
    ModuleValue,
    Scope,
    Tensor,
    TensorModel,
    is_module,
    reason,
)
from archcheck.ir.graph import OpGraph, Origin, Unknown
from archcheck.ir.span import Reached, Setting, Span
from archcheck.ir.verify import verify

CALLED = ("forward", "call", "__call__")


@dataclass(frozen=True, slots=True)
class Call:
    """How the target is called.

    Args:
        module: dotted name of the module.
        symbol: class or function in it, or a method: "BertLayer", "Class.method".
        arguments: parameter -> Python expression in the module's own words.
        overrides: setting -> value, to look at the other side of a flag.
        given: optional arguments that are given a tensor although their default is None.
        offer: where a call would be given no tensor at all, its first optional argument is given one.
        builder: module and name of the function whose call of the class says what its constructor is given.
    """

    module: str
    symbol: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Data] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    offer: bool = False
    builder: tuple[str, str] | None = None


@dataclass
class Run:
    """What one run found."""

    machine: Machine
    graph: OpGraph
    symbol: str
    span: Span | None
    error: str = ""  # why the run did not reach its end
    error_span: Span | None = None
    idle: tuple[Instance | Layer, ...] = ()  # layers that were built and not used
    weights: tuple[tuple[str, str], ...] = ()  # learned tensor's place -> the first place that it has
    places: tuple[tree.ModulePlace, ...] = ()  # where the classes read stand in the module tree
    optional: frozenset[str] = frozenset()  # arguments of the call whose default is None
    offered: str = ""  # the optional argument that was given because the call had no tensor
    tied: bool | None = None  # whether the configuration says that input and output embeddings are one
    reached: Reached = field(default_factory=Reached)  # how evaluation came to each op

    @property
    def exhausted(self) -> bool:
        """Whether it was stopped for its length: another like it would be too."""
        return self.machine.steps > self.machine.limits.steps

    @property
    def rounds(self) -> Mapping[str, Unknown]:
        """Paths of ops in loops of which the number of rounds is not known, with the reason."""
        return self.machine.recorder.rounds


def run(machine: Machine, call: Call) -> Run:
    """Evaluate the call, and give the graph of what it computes.

    Raises:
        TargetError: there is no such symbol, an argument is no expression, or the symbol is nothing that computes.
    """
    module = machine.module(call.module)
    if module is None:
        raise TargetError(f"no module is called {call.module}")
    machine.frames.append(Frame("", module.file, 1))
    value = _symbol(machine, module, call.symbol)
    return _Runner(machine, module, call).run(value)


def _symbol(vm: Machine, module: ModuleValue, symbol: str) -> Data:
    first, *rest = symbol.split(".")
    value = names.global_value(vm, module.scope, first)
    if value is names.MISSING:
        raise TargetError(f"{module.file.shown} defines no {first}", place=module.file.shown)
    for part in rest:
        owner = value
        try:
            value = vm.get(owner, part)
        except Raised:
            raise TargetError(f"{first} has no {part}", place=module.file.shown) from None
        if isinstance(owner, Class) and isinstance(value, Function) and value.role == "":
            value = Method(value, owner)  # an instance takes the class's place before the call
    return value


class _Runner:
    """Builds the arguments and calls."""

    def __init__(self, vm: Machine, module: ModuleValue, call: Call) -> None:
        self.vm = vm
        self.module = module
        self.call = call
        self.unused = dict(call.arguments)
        self.optional: dict[str, None] = {}
        self.offered = ""
        self.tied: bool | None = None
        self.attribute_overrides = dict(call.overrides)
        self.given = ""  # the formula that makes an input of a tensor

    def run(self, value: Data) -> Run:
        vm = self.vm
        span = _defined_at(value)
        result: Data = None
        error, error_span = "", None
        function: Data = value
        graph_of: Method | None = None
        try:
            vm.arrays = speech.arrays(value, self.module.file)
            vm.inplace_sums = not self._rebinds() and not vm.arrays
            receiver = value.receiver if isinstance(value, Method) else value
            if isinstance(receiver, Class):
                vm.target = receiver
                instance = self.construct(receiver)
                graph_of = builders.graph_of(vm, instance, lambda: self.entry_method(instance, value))
                function = graph_of or self.entry_method(instance, value)
            elif isinstance(value, Function) and configs.makes_module(vm, value):
                kwargs, given = self.arguments(value, skip=0, calling=False)
                made = vm.call(value, _positional(value, kwargs, 0), kwargs, given)
                function = self.entry_method(made, made) if isinstance(made, Instance) else made
            if graph_of is None and isinstance(function, (Method, Function, Instance, Layer)):
                result = self.invoke(function)
                whole = isinstance(result, Instance) and (is_module(result.cls) or _model(result.cls) is not None)
                builds = isinstance(result, TensorModel) or whole
                if builds and self.offered:
                    raise Raised("TypeError", f"it builds a model, and takes no tensor as {self.offered}", vm.here())
                if whole and not self.given_tensors():
                    function = self.entry_method(result, result)  # a function that builds a model, and is called for it
                    result = self.invoke(function)
                elif (
                    isinstance(result, Function) and not self.given_tensors()
                ):  # or that defines a part, as closures do
                    result = self.invoke(result)
                veil = (
                    function.receiver.cls.veil
                    if isinstance(function, Method) and isinstance(function.receiver, Instance)
                    else ""
                )
                result = veiled(vm, result, veil) if veil else result
            elif graph_of is None:
                raise NoModelError(
                    f"{self.call.symbol} is {_kind(value)}, which computes nothing",
                    place=str(span or self.module.file.shown),
                )
        except Raised as raised:
            error, error_span = str(raised), raised.span or vm.here()
        except OutOfFuel as stopped:
            error, error_span = str(stopped), vm.here()
        except (MemoryError, RecursionError):
            error, error_span = "its values are too large, or nest too deeply, to be followed", vm.here()
        if self.unused and not error:
            name = sorted(self.unused)[0]
            raise TargetError(
                f"{self.call.symbol} has no parameter {name}",
                hint=f"it takes {', '.join(self.known_parameters(value))}",
            )
        vm.unused_overrides = bool(self.attribute_overrides)
        places, weights, reached = tree.walk(vm, function)
        if vm.notes.tied:
            weights = ()
        results = tuple(dict.fromkeys(tensor.value for tensor in tree.outputs(result)))
        if result is None:
            results = tree.kept(vm)
        if isinstance(result, (Open, External)) and not error:
            error, error_span = f"what it gives is not known: {reason(result)}", getattr(result, "span", None) or span
        if isinstance(result, Instance | TensorModel) and not results and not error:
            error, error_span = f"it gives {result}, in which no tensor was found", span
        graph = OpGraph(
            tuple(vm.recorder.ops), results, Origin("static", self.call.symbol, "train" if vm.training else "eval")
        )
        idle = tuple(
            m for m in vm.modules_built if not m.used and not (isinstance(m, Instance) and m.items is not None)
        )
        return Run(
            vm,
            verify(graph, "static reader"),
            self.call.symbol,
            span,
            error,
            error_span,
            idle,
            weights,
            places,
            frozenset(self.optional),
            self.offered,
            self.tied,
            reached,
        )

    def given_tensors(self) -> bool:
        """Whether the target was given a tensor."""
        return any(op.kind.name == "input" for op in self.vm.recorder.ops)

    def _rebinds(self) -> bool:
        """Whether `x += y` makes a new tensor: in all frameworks but PyTorch, whose import tells it."""
        file = self.module.file
        return "torch" not in file.text and "tensorflow" in file.text

    # ---- construction

    def construct(self, cls: Class) -> Instance:
        """An instance of the target's class."""
        vm = self.vm
        if self.call.builder is not None:
            return self.built(cls, *self.call.builder)
        init = instances.constructor_of(cls)
        if init is None:
            made = self.vm.call(cls, [], {})
        else:
            kwargs, given = self.arguments(init, skip=1, calling=False, owner=cls, filled=speech.trains(vm, cls, init))
            self.tied = configs.says_tied(self.vm, cls, kwargs.values())
            made = self.vm.call(cls, _positional(init, kwargs, 1), kwargs, given)
        for one in vm.modules_built:  # as a run does it: what a constructor made of a field keeps its sizes
            sizes.settle(vm, one, depth=1)
        if not isinstance(made, Instance):
            raise NoModelError(f"{cls.name} is not a class whose instances compute", place=cls.file.shown)
        return made

    def built(self, cls: Class, module: str, name: str) -> Instance:
        """The first instance of the target's class that a function of the package builds."""
        vm = self.vm
        source = vm.module(module)
        function = None if source is None else names.global_value(vm, source.scope, name)
        if not isinstance(function, Function):
            raise Raised("NameError", f"{module} has no function {name}", vm.here())
        kwargs, given = self.arguments(function, skip=0, calling=False)
        with suppress(Raised):  # it may do more than build the class
            vm.call(function, _positional(function, kwargs, 0), kwargs, given)
        for instance in vm.modules_built:
            if isinstance(instance, Instance) and instance.cls.node is cls.node and not instance.veil:
                instance.owner, instance.rounds = None, None
                vm.modules_built = builders.parts_of(instance)
                return instance
        raise Raised("ValueError", f"{name} builds no {cls.name}", vm.here())

    def entry_method(self, instance: Instance, value: Data) -> Data:
        """What a call of the target runs."""
        if isinstance(value, Method):
            return Method(value.function, instance)
        for base in instance.cls.mro:
            qualified = base.name if isinstance(base, External) else f"{base.file.module}.{base.name}"
            model = dialects.model_of(qualified)
            for name in (model.models[qualified],) if model is not None else dialects.base_methods(qualified) or ():
                if (found := instance.cls.lookup(name)) is not None and isinstance(found[1], Function):
                    return Method(found[1], instance)
        for name in ("forward", "call", "__call__"):
            if (found := instance.cls.lookup(name)) is not None and isinstance(found[1], Function):
                return Method(found[1], instance)
        if instance.items is not None or instance.layer is not None or instance.tensors is not None:
            return instance
        raise NoModelError(
            f"{instance.cls.name} has no forward, call or __call__",
            place=instance.cls.file.shown,
            hint=f"name the method: {self.call.symbol}.METHOD",
        )

    def invoke(self, function: Data) -> Data:
        """Call the target."""
        vm = self.vm
        vm.invoked = True
        if isinstance(function, Instance) and function.tensors is not None:
            return function.tensors
        if isinstance(function, (Instance, Layer)):
            return vm.call(function, [self.input("x")], {})
        plain = function.function if isinstance(function, Method) else function
        skip = 1 if isinstance(function, Method) else 0
        receiver = function.receiver if isinstance(function, Method) else None
        filled = modules.modes(vm, receiver, plain, [receiver], {}) if isinstance(receiver, Instance) else {}
        filled |= speech.trains(vm, receiver.cls if isinstance(receiver, Instance) else None, plain)
        model = _model(receiver.cls) if isinstance(receiver, Instance) else None
        if model is not None:
            filled |= model.model_arguments
            filled |= {name: External(modes[vm.training]) for name, modes in model.model_modes.items()}
            self.given = model.given
            vm.assume(model.given_as)
        kwargs, given = self.arguments(plain, skip=skip, calling=True, filled=filled)
        if self.attribute_overrides and isinstance(receiver, Instance):  # all is given: running it would tell nothing
            raise Raised("LookupError", f"no {next(iter(self.attribute_overrides))} is given", vm.here())
        positional = _positional(plain, kwargs, skip)
        vm.target = plain if receiver is None else receiver
        vm.entry = wanted.entry_nodes(plain)
        if isinstance(receiver, Instance):
            receiver.used = True
            parts.fill(vm, receiver)
            modules.prepare(vm, receiver, positional, kwargs)
            own = receiver.cls.lookup("__call__")
            if own is not None and is_module(receiver.cls) and plain.name in CALLED:
                return vm.call(Method(own[1], receiver), positional, kwargs, given)
            if receiver.hooks is not None and plain.name in ("forward", "call"):
                positional, kwargs = hooks.enter(vm, receiver, positional, kwargs)
                result = vm.call(function, positional, kwargs, given)
                return hooks.leave(vm, receiver, positional, kwargs, result)
        return vm.call(function, positional, kwargs, given)

    # ---- arguments

    def arguments(
        self,
        function: Function,
        *,
        skip: int,
        calling: bool,
        owner: Class | None = None,
        filled: Mapping[str, Data] = MappingProxyType({}),
    ) -> tuple[dict[str, Data], dict[str | int, tuple[Setting, ...]]]:
        """Keyword arguments for a constructor or a call, with what decided each."""
        spec = function.signature
        kwargs: dict[str, Data] = {}
        given: dict[str | int, tuple[Setting, ...]] = {}
        positional = [*spec.posonlyargs, *spec.args]
        first_default = len(positional) - len(spec.defaults)
        rows = [
            (parameter, spec.defaults[at - first_default] if at >= first_default else None, at >= first_default)
            for at, parameter in enumerate(positional)
        ][skip:]
        vm = self.vm
        rows += [(p, d, d is not None) for p, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
        for parameter, default, has_default in rows:
            name = parameter.arg
            if name in self.unused:
                kwargs[name] = self.expression(name, self.unused.pop(name))
                # An object's fields carry their own settings; that it was given decides nothing by itself.
                if not isinstance(kwargs[name], Instance):
                    given[name] = (Setting(name, self.call.arguments[name], span_of(function.file, parameter)),)
            elif name in self.attribute_overrides:
                kwargs[name] = self.attribute_overrides.pop(name)
                given[name] = (Setting(name, repr(kwargs[name]), span_of(function.file, parameter)),)
            elif name in filled:
                kwargs[name] = filled[name]  # by the framework
            elif has_default:
                if calling and isinstance(default, ast.Constant) and default.value is None:
                    self.optional[name] = None
                    if name in self.call.given:
                        kwargs[name] = self.input(name)
            else:
                kwargs[name] = self.required(parameter, function, calling, owner)
            if name in kwargs and not (calling and self.given):
                self.override_attributes(kwargs[name])
            if not calling and name in kwargs:
                sizes.settle(vm, kwargs[name])
        for name in list(self.unused):
            if spec.kwarg is not None and name not in kwargs and not calling:
                kwargs[name] = self.expression(name, self.unused.pop(name))
        has_tensor = any(isinstance(one, (Tensor, Inputs)) for one in kwargs.values())
        if calling and self.call.offer and self.optional and not has_tensor:
            self.offered = next(iter(self.optional))
            kwargs[self.offered] = self.input(self.offered)
        return kwargs, given

    def override_attributes(self, value: Data) -> None:
        """Set what an exploration of flags asks for on a configuration object."""
        if not isinstance(value, Instance):
            return
        for name in list(self.attribute_overrides):
            plain = name.rpartition(".")[2]
            if plain in value.attributes or value.cls.lookup(plain) is not None:
                replaced = self.attribute_overrides.pop(name)
                before = value.settings.get(plain, ())
                self.vm.set(value, plain, replaced)
                value.settings[plain] = (Setting(name, repr(replaced), before[0].span if before else None),)

    def required(self, parameter: ast.arg, function: Function, calling: bool, owner: Class | None) -> Data:
        """An argument that must be given and is not: a tensor, a configuration, or an open value."""
        name = parameter.arg
        config = configs.guess(self.vm, parameter, function, owner, by_reads=not calling)
        if config is not None:
            return records.filled(self.vm, config, name, self.input) if calling else config
        if not calling and (module := configs.part(self.vm, parameter, function)) is not None:
            return module
        annotation = "" if parameter.annotation is None else code_of(parameter.annotation)
        if calling and hints.may_be_none(annotation):
            self.vm.assume(f"{name} is None, as it may be: the model is read as one call")
            return None
        if calling and hints.is_tensor(annotation):
            return self.input(name)
        if calling and hints.is_mapping(annotation):
            return Inputs(lambda key: self.input(f"{name}[{key}]"))
        return Open(
            f"{name} is not given", Span(function.file.shown, parameter.lineno, parameter.col_offset + 1), flag=name
        )

    def input(self, name: str) -> Data:
        """A tensor that the caller gives."""
        tensor = self.vm.emit_source("input", {"name": name}, span=None)
        formula = dialects.formula(self.given) if self.given else None
        if formula is None:
            return tensor
        return rows.evaluate_formula(self.vm, formula, [tensor], {})

    def expression(self, name: str, text: str) -> Data:
        """The value of `--arg name=text`, evaluated in the module's own words."""
        try:
            node = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            why = error.msg if isinstance(error, SyntaxError) else str(error) or "it nests too deeply"
            hint = "give a Python expression in the module's words"
            raise TargetError(f"--arg {name}={text[:200]}: {why}", hint=hint) from None
        scope = Scope(self.module.file, self.module.scope)
        value = self.vm.evaluate(configs.with_names_found(self.vm, node, scope), scope)
        if isinstance(value, Open):
            raise TargetError(
                f"--arg {name}={text}: {value.why}", hint="names are looked up in the target's module and its imports"
            )
        if isinstance(value, External) and not dialects.known(value.name):
            raise TargetError(f"--arg {name}={text}: {value.name} is not in the sources read")
        return value

    def known_parameters(self, value: Data) -> list[str]:
        function = value.function if isinstance(value, Method) else value
        functions = [function]
        if isinstance(function, Class):
            functions = [found[1] for part in ("__init__", "forward", "call") if (found := function.lookup(part))]
        return [
            p.arg
            for f in functions
            if isinstance(f, Function)
            for p in [*f.node.args.args, *f.node.args.kwonlyargs]
            if p.arg != "self"
        ]


def _model(cls: Class) -> dialects.Dialect | None:
    """The dialect that says how a model of a class is called which extends no base."""
    names = (f"{base.file.module}.{base.name}" for base in cls.mro if isinstance(base, Class))
    return next((found for name in names if (found := dialects.model_of(name)) is not None), None)


def _positional(function: Function, kwargs: dict[str, Data], skip: int) -> list[Data]:
    """Take from `kwargs` what a function must be given by position.

    These are its positional-only parameters, and, where a wrapper takes any arguments, those that have no default.
    """
    spec = function.signature
    count = len(spec.posonlyargs)
    if spec is not function.node.args:
        count = len(spec.posonlyargs) + len(spec.args) - len(spec.defaults)
    return [kwargs.pop(p.arg) for p in [*spec.posonlyargs, *spec.args][skip:count] if p.arg in kwargs]


def _defined_at(value: Data) -> Span | None:
    target = value.function if isinstance(value, Method) else value
    if isinstance(target, (Class, Function)) and target.node is not None:
        node = target.node
        return Span(target.file.shown, node.lineno, node.col_offset + 1)
    return None


def _kind(value: Data) -> str:
    if isinstance(value, ModuleValue):
        return "a module"
    if isinstance(value, (External, Open)):
        return "not in the sources read"
    return f"a {type(value).__name__}"
