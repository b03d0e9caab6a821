"""Configuration objects that a constructor asks for: found by what the code reads from them, not by their names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static import names
from archcheck.frontends.static.machine import Frame, Raised
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Class, Data, External, Function, Instance, Scope, is_module

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


DEEPEST = 3  # modules handed to modules


def guess(
    vm: Machine, parameter: ast.arg, function: Function, owner: Class | None, *, by_reads: bool
) -> Instance | None:
    """An instance, with its defaults, of the class that an argument must be of; None where no class stands out.

    The annotation decides, where its class has what the code reads; that of the parameter, or that of the attribute
    of its name in the body of the class. Without one, it is the class, defined in the same folder, that has the
    attributes which the code reads from the argument (`by_reads`).
    """
    place = place_of(vm, parameter, function, owner, by_reads=by_reads)
    if place is None:
        return None
    cls = names.member(vm, *place)
    if not isinstance(cls, Class):
        return None
    return vm.loaded.with_defaults(vm, cls, lambda: _with_defaults(vm, cls))


def place_of(
    vm: Machine, parameter: ast.arg, function: Function, owner: Class | None, *, by_reads: bool
) -> tuple[str, str] | None:
    """Module and name of the class that an argument must be of; None where none stands out.

    It is looked for once for each argument, in an evaluation of its own: what the search meets says nothing about the
    target, and runs of one target must not differ in what they have met.
    """
    whose = None if owner is None else (owner.file.path, owner.name)
    key = (function.file.path, function.node.lineno, parameter.arg, whose, by_reads)
    return vm.library.footprint.once(key, lambda: _searched(vm, parameter, function, owner, by_reads))


def _searched(
    vm: Machine, parameter: ast.arg, function: Function, owner: Class | None, by_reads: bool
) -> tuple[str, str] | None:
    with vm.apart() as search:
        search.frames.append(Frame("", function.file, 1))
        same = _same_function(search, function)
        cls = None if same is None else _search(search, parameter, same, _same_class(search, owner), by_reads)
        if cls is None or names.member(search, cls.file.module, cls.name) is not cls:
            return None
        return cls.file.module, cls.name


def _same_function(vm: Machine, function: Function) -> Function | None:
    """`function`, as another evaluation knows it: its code, in the scope of its module."""
    module = vm.module(function.file.module)
    return None if module is None else Function(function.node, module.scope, function.name)


def _same_class(vm: Machine, cls: Class | None) -> Class | None:
    found = None if cls is None else names.member(vm, cls.file.module, cls.name)
    return found if isinstance(found, Class) else None


def _search(vm: Machine, parameter: ast.arg, function: Function, owner: Class | None, by_reads: bool) -> Class | None:
    annotated = _annotated(vm, parameter.annotation, function.scope) or _declared(vm, parameter.arg, owner)
    if not by_reads:
        return annotated
    here = set(_attributes_read_here(function, parameter.arg, owner))
    if annotated is not None and here and here <= _attributes_of(annotated) and _is_alone(annotated):
        return annotated  # what is read further in need not be looked at
    reads = _attributes_read(vm, function, parameter.arg, owner)
    if annotated is not None and reads <= _attributes_of(annotated):
        return annotated
    if not reads:
        return None
    best, score = annotated, 0 if annotated is None else len(reads & _attributes_of(annotated))
    for cls in _candidates(vm, function):
        own = len(reads & _attributes_of(cls))
        if own > score:
            best, score = cls, own
        if score == len(reads):
            break  # of classes that have as much, the first counts: those behind it need not be looked at
    if annotated is not None:  # it stands, but for one that has more of what the code reads: models are made of parts
        return best
    return _in_siblings(vm, function, reads) if best is None or score * 2 < len(reads) else best


def _is_alone(cls: Class) -> bool:
    """Whether no other class stands in its file: then an annotation that names it does not take it for a sibling."""
    return sum(entry.kind == "class" for entry in cls.file.index.entries) == 1


def _in_siblings(vm: Machine, function: Function, reads: frozenset[str]) -> Class | None:
    """The class, in another module of the same folder, that has nearly all of the attributes that the code reads."""
    scope = names.module_scope(function.scope)
    package = scope.file.package
    best, score = None, max(2, round(len(reads) * MOST_OF))
    for sibling in vm.library.modules(package)[:MOST_SIBLINGS] if package else ():
        source = vm.module(sibling)
        if source is None or source.file is scope.file or sum(name in source.file.text for name in reads) < score:
            continue
        for cls in _classes_of(vm, source.scope):
            own = len(reads & _attributes_of(cls))
            if own >= score:
                best, score = cls, own + 1
    return best


def _classes_of(vm: Machine, scope: Scope) -> Iterator[Class]:
    """Classes that a module defines, whose instances need no arguments and that are no modules."""
    for name, entries in scope.file.index.names.items():
        if entries[-1].kind == "class":
            value = names.global_value(vm, scope, name)
            if isinstance(value, Class) and not is_module(value) and _settable(value):
                yield value


def makes_module(vm: Machine, function: Function) -> bool:
    """Whether a function says that it gives a module: then the module is what it is about, and is called."""
    while function.wrapped is not None:
        function = function.wrapped
    if isinstance(function.node, ast.Lambda) or function.node.returns is None:
        return False
    value = _quietly(vm, function.node.returns, names.module_scope(function.scope))
    if isinstance(value, External):
        return value.name in ("torch.nn.Module", "torch.nn.Sequential")
    return isinstance(value, Class) and is_module(value)


def says_tied(vm: Machine, owner: Class, arguments: Iterable[Data]) -> bool | None:
    """Whether a configuration among the arguments says that input and output embeddings of `owner` are one matrix."""
    by_model = _tied_by(owner)
    for value in arguments:
        if isinstance(value, Instance):
            names = _tied_by(value.cls) + by_model
            found = next((found for name in names if (found := vm.get(value, name, None)) is not None), None)
            if isinstance(found, (bool, int)):
                return bool(found)
    return None


def _tied_by(cls: Class) -> list[str]:
    bases = (f"{base.file.module}.{base.name}" for base in cls.mro if isinstance(base, Class))
    return [name for base in bases if (name := dialects.tied_by(base))]


def part(vm: Machine, parameter: ast.arg, function: Function, depth: int = DEEPEST) -> Instance | None:
    """A module that a constructor takes ready-made (`attention: SelfAttention`), built with what is known of it, which
    may be made of such modules itself."""
    if parameter.annotation is None:
        return None
    value = _quietly(vm, parameter.annotation, names.module_scope(function.scope))
    if not isinstance(value, Class) or not is_module(value):
        return None
    init = value.lookup("__init__")
    kwargs: dict[str, Data] = {}
    if init is not None and isinstance(init[1], Function):
        spec = init[1].node.args
        positional = [*spec.posonlyargs, *spec.args][1:]
        required = positional[: len(positional) - len(spec.defaults)]
        required += [p for p, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if default is None]
        for inner in required:
            made = part(vm, inner, init[1], depth - 1) if depth else None
            why = f"{inner.arg} of {value.name} is not given"
            kwargs[inner.arg] = made or Open(why, flag=f"{parameter.arg}.{inner.arg}")
    try:
        made = vm.call(value, [], kwargs)
    except Raised as error:
        vm.unknown(value.name, f"building it raised {error}")
        return None
    return made if isinstance(made, Instance) else None


def _declared(vm: Machine, name: str, owner: Class | None) -> Class | None:
    """The class of the attribute `name` by the body of a class or of a base: `config: BertConfig`."""
    for base in owner.mro if owner is not None else ():
        if isinstance(base, Class) and (field := base.fields.get(name)) is not None:
            return _annotated(vm, field.annotation, base.scope)
    return None


def _annotated(vm: Machine, node: ast.expr | None, inside: Scope) -> Class | None:
    """The class of configurations that the annotation `node` names."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return None
    options = [node.left, node.right] if isinstance(node, ast.BinOp) else [node]
    scope = names.module_scope(inside)
    for option in options:
        if isinstance(option, (ast.Name, ast.Attribute)):
            value = _quietly(vm, option, scope)
            if isinstance(value, Class) and not is_module(value) and _settable(value):
                return value
    return None


def _quietly(vm: Machine, node: ast.expr, scope: Scope) -> Data:
    known = dict(vm.notes.unknowns)
    try:
        return vm.evaluate(node, Scope(scope.file, scope))
    except Raised:
        return None
    finally:
        vm.notes.unknowns = known


def _settable(cls: Class) -> bool:
    """Whether instances can be made without arguments."""
    init = cls.lookup("__init__")
    if init is None or not isinstance(init[1], Function):
        return any(isinstance(base, Class) and base.fields for base in cls.mro)
    spec = init[1].node.args
    given = len(spec.defaults) + sum(default is not None for default in spec.kw_defaults)
    wanted = _wanted(init[1])
    return not wanted or (len(wanted) == 1 and given >= MOST_SET and _is_plain(spec))


MOST_SET = 4  # defaults by which a class whose constructor wants one argument is known for a configuration


def _is_plain(spec: ast.arguments) -> bool:
    """Whether all defaults are written out: numbers, names, texts, as configurations have them."""
    defaults = [*spec.defaults, *(default for default in spec.kw_defaults if default is not None)]
    return all(isinstance(default, (ast.Constant, ast.UnaryOp, ast.List, ast.Tuple)) for default in defaults)


def _wanted(init: Function) -> list[str]:
    """The arguments, besides the instance, that a constructor has no default for."""
    spec = init.node.args
    positional = [parameter.arg for parameter in [*spec.posonlyargs, *spec.args]]
    wanted = positional[1 : len(positional) - len(spec.defaults)]
    pairs = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    return wanted + [parameter.arg for parameter, default in pairs if default is None]


def _attributes_read(vm: Machine, function: Function, name: str, owner: Class | None, depth: int = 3) -> frozenset[str]:
    """Attributes that a constructor, and the methods of its class, read from one of its arguments, and those that are
    read by the constructors to which it is passed on."""
    whose = None if owner is None else (owner.file.path, owner.name)
    key = ("reads", function.file.path, function.node.lineno, name, whose, depth)
    found = vm.library.footprint.once(key, lambda: frozenset(_reads(vm, function, name, owner, depth)))
    return found or frozenset()  # None where a constructor comes back to itself


def _reads(vm: Machine, function: Function, name: str, owner: Class | None, depth: int) -> Iterator[str]:
    yield from _attributes_read_here(function, name, owner)
    if not depth:
        return
    scope = names.module_scope(function.scope)
    for call in _uses(function.node).calls:
        passed: list[int | str | None] = [at for at, value in enumerate(call.args) if _is_name(value, name)]
        passed += [keyword.arg for keyword in call.keywords if _is_name(keyword.value, name)]
        cls = _quietly(vm, call.func, scope) if passed else None
        init = cls.lookup("__init__") if isinstance(cls, Class) else None
        if init is None or not isinstance(init[1], Function):
            continue
        arguments = init[1].node.args
        parameters = [parameter.arg for parameter in [*arguments.posonlyargs, *arguments.args]][1:]
        for at in passed:
            taken = parameters[at] if isinstance(at, int) and at < len(parameters) else at
            if isinstance(taken, str):
                yield from _attributes_read(vm, init[1], taken, cls, depth - 1)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _attributes_read_here(function: Function, name: str, owner: Class | None) -> Iterator[str]:
    yield from _uses(function.node).attributes.get(name, ())
    if owner is not None and owner.node is not None:
        yield from _uses(owner.node).attributes.get(name, ())


@dataclass(frozen=True)
class _Uses:
    """What code reads of names, and hands them to."""

    attributes: dict[str, list[str]]  # x, of `x.a` and `self.x.a` -> a
    calls: list[ast.Call]  # `f(...)`


def _uses(node: ast.AST) -> _Uses:
    """What a function or class uses; kept with the tree."""
    known: _Uses | None = getattr(node, "uses", None)
    if known is None:
        known = node.uses = _Uses({}, [])  # type: ignore[attr-defined]
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Load):
                held = inner.value
                name = held.attr if isinstance(held, ast.Attribute) else held.id if isinstance(held, ast.Name) else ""
                if name:
                    known.attributes.setdefault(name, []).append(inner.attr)
            elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name):
                known.calls.append(inner)
    return known


def _attributes_of(cls: Class) -> set[str]:
    found: set[str] = set()
    for base in cls.mro:
        if isinstance(base, Class):
            found.update(base.scope.vars, base.fields)
            init = base.scope.vars.get("__init__")
            if isinstance(init, Function):
                found |= _attributes_set(init.node)
    mapping = cls.lookup("attribute_map")
    if mapping is not None and isinstance(mapping[1], dict):
        found.update(key for key in mapping[1] if isinstance(key, str))
    return found


def _attributes_set(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> frozenset[str]:
    """Parameters of a constructor, and attributes that it assigns; kept with the tree."""
    known: frozenset[str] | None = getattr(node, "attributes_set", None)
    if known is None:
        assigned = (one.targets for one in ast.walk(node) if isinstance(one, ast.Assign))
        targets = {target.attr for row in assigned for target in row if isinstance(target, ast.Attribute)}
        parameters = {parameter.arg for parameter in node.args.args}
        known = node.attributes_set = frozenset(targets | parameters)  # type: ignore[union-attr]
    return known


def _candidates(vm: Machine, function: Function) -> Iterator[Class]:
    """Classes that this module, or a module of its folder that it imports from, defines."""
    scope = names.module_scope(function.scope)
    for name, entries in scope.file.index.names.items():
        entry = entries[-1]
        if entry.kind not in ("import", "class"):
            continue
        if entry.kind == "import":
            node = entry.parse()
            if not isinstance(node, ast.ImportFrom) or not _beside(vm, scope, node):
                continue
        value = _quietly(vm, ast.copy_location(ast.Name(name, ast.Load()), ast.Pass(lineno=1, col_offset=0)), scope)
        if isinstance(value, Class) and not is_module(value) and _settable(value):
            yield value


MOST_OF = 0.8  # share of the attributes that a class of another module must have
MOST_SIBLINGS = 60  # modules of a folder that are looked at


def _beside(vm: Machine, scope: Scope, node: ast.ImportFrom) -> bool:
    dotted = scope.file.absolute(node.level, node.module or "")
    module = vm.module(dotted) if dotted else None
    return module is not None and module.file.path.parent == scope.file.path.parent


def _with_defaults(vm: Machine, cls: Class) -> Instance | None:
    init = cls.lookup("__init__")
    wanted = _wanted(init[1]) if init is not None and isinstance(init[1], Function) else []
    try:
        made = vm.call(cls, [], {name: vm.open(f"{name} of {cls.name} is not given", flag=name) for name in wanted})
    except Raised as error:
        vm.unknown(cls.name, f"its defaults raised {error}")
        return None
    return made if isinstance(made, Instance) else None


BAGS = frozenset({"Namespace", "SimpleNamespace"})


def with_names_found(vm: Machine, node: ast.expr, scope: Scope) -> ast.expr:
    """`node`, after binding names that its module does not know: to what a module of the same folder calls so, or else
    to the one definition of that name in the package, or to the standard library's object of named values, in which
    most code keeps its options."""
    module = names.module_scope(scope)
    for inner in ast.walk(node):
        if not isinstance(inner, ast.Name) or names.global_value(vm, module, inner.id) is not names.MISSING:
            continue
        package = module.file.package
        for sibling in vm.library.modules(package) if package else ():
            source = vm.module(sibling)
            if source is not None and inner.id in source.file.index.names:
                scope.vars[inner.id] = names.global_value(vm, source.scope, inner.id)
                break
        else:
            place = vm.library.definition(package.partition(".")[0], inner.id) if package else None
            elsewhere = vm.module(place) if place else None
            if elsewhere is not None:
                scope.vars[inner.id] = names.global_value(vm, elsewhere.scope, inner.id)
            elif inner.id in BAGS:
                scope.vars[inner.id] = External("types.SimpleNamespace")
    return node
