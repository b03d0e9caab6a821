"""Construction: instances of classes that are read, of library layers, of containers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static import containers, functional, named, parts, signatures
from archcheck.frontends.static.gin import bound as gin
from archcheck.frontends.static.machine import Raised
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.statements import field_default
from archcheck.frontends.static.values import Class, Data, Function, Instance, Layer, Method, Native, Scope, is_module
from archcheck.ir.span import Setting, Span

if TYPE_CHECKING:
    from archcheck.frontends.dialects.table import LayerRow
    from archcheck.frontends.static.calls import Given
    from archcheck.frontends.static.machine import Machine


def instantiate(vm: Machine, cls: Class, args: list[Data], kwargs: dict[str, Data], given: Given | None = None) -> Data:
    """An instance of `cls`, its constructor evaluated."""
    if cls.members:
        return named.member_of(vm, cls, args[0]) if args else vm.open(f"which {cls.name}")
    instance = Instance(cls, rounds=vm.open_rounds[-1] if vm.open_rounds else None)
    _take_library_form(vm, instance)
    if is_module(cls):
        if (same := parts.take(vm, instance, cls.name, kwargs.get("name"))) is not instance:
            return same
        vm.modules_built.append(instance)
    init = _constructor(cls)
    if isinstance(init, Function):
        _initialise(vm, Method(init, instance), args, kwargs, given)
    elif init is not None:
        fill_fields(vm, cls, instance, args, kwargs, given)
        if named.is_named_tuple(cls):
            instance.items = tuple(instance.attributes.values())
    else:
        initialise_from_library(vm, instance, args, kwargs)
    if not is_module(cls):
        _as_its_library_sets(vm, instance, kwargs)
    return instance


def _initialise(vm: Machine, init: Method, args: list[Data], kwargs: dict[str, Data], given: Given | None) -> None:
    """Run a constructor; a part of the target whose constructor stops is a part that is not read."""
    instance = init.receiver
    outermost = not vm.building
    vm.building += 1
    depth, trying = len(vm.frames), vm.trying
    try:
        args, kwargs, given = _as_gin_binds(vm, init, args, kwargs, given)
        vm.call(init, args, kwargs, given)
    except Raised as error:
        if not is_module(instance.cls):
            raise
        instance.veil = f"its constructor raised {error}"
        if outermost or trying:
            raise
        del vm.frames[depth:]
        vm.notes.refused = True
        vm.unknown(instance.cls.name, f"its constructor raised {error}")
    finally:
        vm.building -= 1


def _as_gin_binds(
    vm: Machine, init: Method, args: list[Data], kwargs: dict[str, Data], given: Given | None
) -> tuple[list[Data], dict[str, Data], Given | None]:
    """The arguments of a constructor that classes known to gin have from a base: theirs are bound for it too."""
    for cls in init.receiver.cls.mro:
        if cls is init.function.cls:
            break
        known = gin.of_class(vm, cls) if isinstance(cls, Class) else None
        if known is not None:
            [_, *args], kwargs, more = gin.supplied(vm, init.function, [init.receiver, *args], kwargs, known)
            more = {key - 1 if isinstance(key, int) else key: value for key, value in more.items()}
            given = {**more, **(given or {})}
    return args, kwargs, given


def _constructor(cls: Class) -> Function | Class | None:
    """What makes an instance: an `__init__`, or the class whose annotated names are a dataclass's fields."""
    for base in cls.mro:
        if not isinstance(base, Class):
            continue
        init = base.scope.vars.get("__init__")
        if isinstance(init, Function):
            return init
        if base.fields and is_dataclass(base):
            return base
    # Classes that a base turns into dataclasses when they are defined carry no decorator (PEP 681).
    return next((base for base in cls.mro if isinstance(base, Class) and base.fields), None)


def constructor_of(cls: Class) -> Function | None:
    """The constructor of a class, to see what it takes: that of a dataclass has its fields for parameters."""
    init = _constructor(cls)
    if isinstance(init, Function) or init is None:
        return init
    taken = [node for _, node in fields_of(cls).values() if isinstance(node.target, ast.Name)]
    spec = ast.arguments([], [ast.arg("self")], None, [], [], None, [])
    for node in taken:
        default = None if node.value is None else field_default(node.value) or node.value
        parameter = ast.copy_location(ast.arg(node.target.id, node.annotation), node)  # type: ignore[union-attr]
        spec.kwonlyargs.append(parameter)
        spec.kw_defaults.append(default)
    place = cls.node or ast.Pass(lineno=1, col_offset=0)
    made = ast.copy_location(ast.FunctionDef("__init__", spec, [], [], None, None), place)
    return Function(made, cls.scope, "__init__")


def is_dataclass(cls: Class) -> bool:
    """Whether a decorator makes `cls` a dataclass, an attrs class or the like."""
    decorators = cls.node.decorator_list if cls.node is not None else []
    names = (code_of(node.func if isinstance(node, ast.Call) else node) for node in decorators)
    return any(name.rpartition(".")[2] in ("dataclass", "define", "attrs", "frozen") for name in names)


def _take_library_form(vm: Machine, instance: Instance) -> None:
    """Give an instance the storage of the library class that it extends."""
    for base in instance.cls.externals:
        form = dialects.container(base)
        if form is not None:
            instance.items = {} if form == "mapping" else []
            return
        if base in ("collections.OrderedDict", "collections.UserDict", "builtins.dict", "collections.defaultdict"):
            instance.items = {}
            return
        if base in ("builtins.list", "collections.UserList"):
            instance.items = []
            return
    for native in instance.cls.bases:
        if isinstance(native, Native) and native.name in ("dict", "list"):
            instance.items = {} if native.name == "dict" else []


def initialise_from_library(vm: Machine, instance: Instance, args: list[Data], kwargs: dict[str, Data]) -> None:
    """What a library's `__init__` does to an instance of a class that extends it."""
    if instance.items is not None:
        containers.fill_container(vm, instance, args, kwargs)
        return
    if functional.initialise(instance, args, kwargs):
        return
    for base in instance.cls.externals:
        row = dialects.layer(base)
        if row is not None:
            arguments = signatures.bind_init(vm, row, args, kwargs)
            instance.layer = Layer(row, base, arguments, vm.here(), owner=instance.owner)
            return


def fill_fields(
    vm: Machine, cls: Class, instance: Instance, args: list[Data], kwargs: dict[str, Data], given: Given | None
) -> None:
    """The constructor that a dataclass has: one argument for each annotated name, defaults from the class body."""
    from archcheck.frontends.static.attributes import attribute_map  # which needs instances

    rest = dict(kwargs)
    fields = fields_of(cls)
    renamed = attribute_map(instance) or {}
    for old, new in renamed.items():
        if old in rest and old not in fields:
            rest.setdefault(new, rest.pop(old))
    for position, (name, (owner, node)) in enumerate(fields.items()):
        settings: tuple[Setting, ...] = ()
        if position < len(args):
            value = args[position]
            settings = (given or {}).get(position, ())
        elif name in rest:
            value = rest.pop(name)
            settings = (given or {}).get(name, ())
        else:
            value = _field_default(vm, owner, name, node)
            settings = _field_setting(owner, name, value, node)
        kept = renamed.get(name, name)  # of two names of one thing, the field that comes later says what it is
        instance.attributes[kept] = value
        if settings:
            instance.settings[kept] = settings
        if isinstance(instance.items, dict) and value is not None:  # a mapping whose entries are its fields
            vm.set(instance, name, value)
    after = instance.cls.lookup("__post_init__")
    if after is not None and isinstance(after[1], Function):
        takes_rest = after[1].node.args.kwarg is not None
        vm.call(Method(after[1], instance), [], rest if takes_rest else {})
    for name, value in rest.items():
        instance.attributes.setdefault(name, value)


def _as_its_library_sets(vm: Machine, instance: Instance, kwargs: dict[str, Data]) -> None:
    """Set what a library sets on a new instance, where nobody gave it."""
    _preset(instance)
    for base in instance.cls.mro:
        if isinstance(base, Class):
            for name, default in dialects.defaults(f"{base.file.module}.{base.name}").items():
                if name not in kwargs and instance.attributes.get(name, default) is not default:
                    instance.attributes[name] = default
                    vm.assume(f"{name} is {default!r}, which is not its default")


def _preset(instance: Instance, depth: int = 3) -> None:
    """Set what a library sets where it builds a model, on an instance and on those of its kind in it: a configuration
    may have taken it from the parts that it holds."""
    found = False
    for base in instance.cls.mro:
        if isinstance(base, Class):
            for name, preset in dialects.presets(f"{base.file.module}.{base.name}").items():
                found = True
                if instance.attributes.get(name) is None:
                    instance.attributes[name] = preset
    for value in list(instance.attributes.values()) if found and depth else ():
        if isinstance(value, Instance):
            _preset(value, depth - 1)


def fields_of(cls: Class) -> dict[str, tuple[Class, ast.AnnAssign]]:
    """Annotated names of a class and its bases, base first, as a dataclass orders them."""
    found: dict[str, tuple[Class, ast.AnnAssign]] = {}
    for base in reversed(cls.mro):
        if isinstance(base, Class):
            for name, node in base.fields.items():
                if "ClassVar" not in code_of(node.annotation):
                    found[name] = (base, node)
            for name in base.scope.vars:
                if name in found and name not in base.fields and found[name][0] is not base:
                    found[name] = (base, found[name][1])  # a plain assignment overrides the default
    return found


def _field_default(vm: Machine, owner: Class, name: str, node: ast.AnnAssign) -> Data:
    if name not in owner.scope.vars:
        return vm.open(f"{owner.name}.{name} is not set", flag=name)
    value = owner.scope.vars[name]
    if isinstance(node.value, ast.Call) and field_default(node.value) is None:
        for keyword in node.value.keywords:
            if keyword.arg in ("default_factory", "factory"):
                return vm.call(vm.evaluate(keyword.value, Scope(owner.file, owner.scope)), [], {})
    if isinstance(value, (list, dict)):
        return value.copy()
    return value


def _field_setting(owner: Class, name: str, value: Data, node: ast.AnnAssign) -> tuple[Setting, ...]:
    if isinstance(value, (Open, Instance, list, dict)):
        return ()
    place = node.value or node
    span = Span(
        owner.file.shown, node.lineno, node.col_offset + 1, place.end_lineno or 0, (place.end_col_offset or 0) + 1
    )
    return (Setting(name, repr(value), span),)


def library_layer(vm: Machine, name: str, row: LayerRow, args: list[Data], kwargs: dict[str, Data]) -> Data:
    """A layer of a library, with its arguments bound to their names."""
    layer = Layer(row, name, signatures.bind_init(vm, row, args, kwargs), vm.here())
    layer.rounds = vm.open_rounds[-1] if vm.open_rounds else None
    layer.built = vm.caller()
    called = layer.arguments.get("name", kwargs.get("name"))
    if (same := parts.take(vm, layer, name.rpartition(".")[2], called)) is not layer:
        return same
    vm.modules_built.append(layer)
    return layer
