"""What the names of Python's standard library do to values: dataclasses, collections, itertools, mathematics."""

from __future__ import annotations

import ast
import math
from functools import partial
from typing import TYPE_CHECKING

from archcheck.frontends.static import bounds, conditions, iteration
from archcheck.frontends.static.hparams import named_values
from archcheck.frontends.static.named import AUTO, named_tuple
from archcheck.frontends.static.opens import SizeOf
from archcheck.frontends.static.regular import REGULAR
from archcheck.frontends.static.values import (
    SCALARS,
    Args,
    Class,
    Data,
    External,
    FieldsInit,
    Function,
    Handler,
    Instance,
    Kwargs,
    Method,
    Native,
    Partial,
    Scope,
    Tensor,
    Tensors,
    is_metadata,
    is_open,
    shown,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def with_fields(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`dataclasses.replace(config, act_layer="gelu")`."""
    if not isinstance(args[0], Instance):
        return vm.open("an object with other fields")
    twin = Instance(args[0].cls, {**args[0].attributes}, {**args[0].settings})
    for name, value in kwargs.items():
        vm.set(twin, name, value)
        twin.settings.pop(name, None)
    return twin


def _partial(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    function = args[0]
    if isinstance(function, Partial):  # of a partial it is one with the arguments of both
        return Partial(function.function, (*function.args, *args[1:]), {**function.kwargs, **kwargs})
    return Partial(function, tuple(args[1:]), kwargs)


def _first(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return args[0] if args else Native("decorator", _first)


def _fields(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`dataclasses.fields`: objects that tell the names."""
    cls = args[0].cls if isinstance(args[0], Instance) else args[0]
    if not isinstance(cls, Class):
        return vm.open("the fields of something that is not read", metadata=True)
    return list(fields(vm, cls).values())


def fields(vm: Machine, cls: Class) -> dict[str, Instance]:
    """What tells about the fields of a dataclass, by their names, those of its bases first."""
    made: dict[str, Instance] = {}
    for base in reversed(cls.mro):
        for name in base.fields if isinstance(base, Class) else ():
            field = made[name] = Instance(Class("Field", (), Scope(cls.file), None))
            field.attributes.update(name=name, default=vm.open(f"the default of {name}", metadata=True))
    return made


def _as_mapping(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`dataclasses.asdict`: the fields, and those of dataclasses in them."""
    value = args[0] if args else None
    if not isinstance(value, Instance) or not value.cls.fields:
        return vm.not_known(value, "the fields of something that is not read")
    return _plain_fields(value, set())


def _plain_fields(value: Data, around: set[int]) -> Data:
    if isinstance(value, Instance) and value.cls.fields and id(value) not in around:
        inner = {*around, id(value)}
        names = dict.fromkeys(name for base in value.cls.mro if isinstance(base, Class) for name in base.fields)
        return {name: _plain_fields(value.attributes[name], inner) for name in names if name in value.attributes}
    if isinstance(value, list):
        return [_plain_fields(item, around) for item in value]
    if isinstance(value, dict):
        return {key: _plain_fields(item, around) for key, item in value.items()}
    return value


def _mapping(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    made: dict[Data, Data] = {}
    source = args[0] if args else None
    if isinstance(source, Instance):
        source = source.items
    if isinstance(source, dict):
        made.update(source)
    elif isinstance(source, (list, tuple)):
        made.update({pair[0]: pair[1] for pair in source if isinstance(pair, (list, tuple)) and len(pair) == 2})
    made.update(kwargs)
    return vm.new_mapping(made)


class Defaulting(dict[Data, Data]):
    """`collections.defaultdict(factory)`."""

    def __init__(self, factory: Data, *given: dict[Data, Data]) -> None:
        super().__init__(*given)
        self.factory = factory


def _default_mapping(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return Defaulting(args[0] if args else None, _mapping(vm, args[1:], kwargs))


class Deque(list[Data]):
    """`collections.deque`."""

    def appendleft(self, value: Data) -> None:
        self.insert(0, value)

    def extendleft(self, values: Data) -> None:
        self[:0] = reversed(values)

    def popleft(self) -> Data:
        return self.pop(0)


def _deque(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    if len(args) > 1 or kwargs.get("maxlen") is not None:
        return vm.open("a deque of bounded length")
    return Deque(vm.iterate(args[0]) if args else [])


def _chain(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return [item for argument in args for item in vm.iterate(argument)]


def _repeat(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    count = args[1] if len(args) > 1 else kwargs.get("times")
    return [args[0]] * (count if isinstance(count, int) else 1)


def _operator(vm: Machine, op: type[ast.operator], args: Args) -> Data:
    return conditions.binary(vm, op, *args) if len(args) == 2 else vm.open("an operator with other arguments")


def _product(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    import itertools

    return list(itertools.islice(itertools.product(*(vm.iterate(argument) for argument in args)), 4096))


def _grouped(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`itertools.groupby`: neighbours whose keys are equal."""
    by = args[1] if len(args) > 1 else kwargs.get("key")
    if not args or is_open(args[0]):
        return vm.open("groups of values that are not known", metadata=True)
    groups: list[tuple[Data, list[Data]]] = []
    for item in vm.iterate(args[0]):
        key = item if by is None else vm.call(by, [item], {})
        if not isinstance(key, SCALARS):
            return vm.open(f"groups by {shown(key)}", metadata=is_metadata(key))
        if groups and groups[-1][0] == key:
            groups[-1][1].append(item)
        else:
            groups.append((key, [item]))
    return groups


def _reduce(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    values = vm.iterate(args[1])
    total = args[2] if len(args) > 2 else values.pop(0) if values else vm.open("reduce over nothing")
    for value in values:
        total = vm.call(args[0], [total, value], {})
    return total


def _foldl(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`tf.foldl(fn, elems, initializer)`: a function that is given its own result, once for each entry of a tensor."""
    given = dict(zip(("fn", "elems", "initializer"), args, strict=False)) | kwargs
    elements = given.get("elems")
    if iteration.counted(vm, elements) is None and not isinstance(elements, (list, tuple, range)):
        from archcheck.frontends.static.machine import flatten_tensors

        tensors = list(flatten_tensors([elements, given.get("initializer")]))
        return vm.opaque("tensorflow.foldl", tensors, "it runs a function as often as a tensor has entries")
    start = [given["initializer"]] if given.get("initializer") is not None else []
    return _reduce(vm, [given["fn"], elements, *start], {})


def _signature(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`inspect.signature`: its `parameters` by name, and how a call would bind them."""
    from archcheck.frontends.static import definitions, instances

    bound = isinstance(args[0], Method)
    function = args[0].function if bound else args[0]
    if isinstance(function, Class):
        function = vm.get(function, "__init__", None)
    elif isinstance(function, Instance):
        found = function.cls.lookup("forward")
        function = found[1] if found else None
    if isinstance(function, FieldsInit):
        fields = instances.fields_of(function.of)
        names = ["self", *fields]
        defaults = {name: at.scope.vars[name] for name, (at, _) in fields.items() if name in at.scope.vars}
    elif isinstance(function, Function):
        names, defaults = _parameters(function)
    else:
        return vm.open("the signature of something that is not read", metadata=True)
    parameters = {name: vm.open("a parameter", metadata=True) for name in names if name != "self"}
    signature = definitions.spelled_class(vm, "inspect.Signature")
    assert signature is not None
    return vm.call(signature, [parameters, names[bound:], defaults], {})


def _parameters(function: Function) -> tuple[list[str], dict[str, Data]]:
    """The names of a function's parameters, and the defaults of those that have one."""
    spec = function.node.args
    names = [parameter.arg for parameter in [*spec.posonlyargs, *spec.args]]
    defaults = dict(zip(names[len(names) - len(function.defaults) :], function.defaults, strict=True))
    pairs = zip(spec.kwonlyargs, spec.kw_defaults, function.keyword_defaults, strict=True)
    defaults |= {parameter.arg: value for parameter, node, value in pairs if node is not None}
    return [*names, *(parameter.arg for parameter in spec.kwonlyargs)], defaults


def _number(name: str) -> Handler:
    plain = getattr(math, name)

    def number(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        if any(isinstance(value, (Tensor, Tensors)) for value in args):
            return vm.open(f"math.{name} of a tensor", metadata=True)
        unknown = next((value for value in args if not isinstance(value, (int, float, list, tuple))), None)
        if unknown is not None:
            if name == "sqrt" and isinstance(args[0], SizeOf):
                return args[0].to_the(0.5, vm.here())
            return vm.not_known(unknown, f"math.{name} of {unknown}", metadata=True)
        if bounds.number_too_large(name, args):
            return vm.open(f"math.{name} is too large to build", metadata=True)
        try:
            return plain(*args)
        except (TypeError, ValueError, ArithmeticError):
            return vm.open(f"math.{name} of {args}")

    return number


def _numpy_number(name: str) -> Handler:
    """A function of numbers; of an array that code makes while it builds, torch's function of that name."""
    inner = _number(name) if hasattr(math, name) else None

    def number(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
        if args and isinstance(args[0], Tensor):
            return vm.call(External(f"torch.{name}"), args, {})
        plain = (int, float, list, tuple) if name == "prod" else (int, float)
        if inner is not None and args and all(isinstance(value, plain) for value in args):
            return inner(vm, args, kwargs)
        return vm.open(f"numpy.{name}", metadata=True)

    return number


def _of_code(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`types.FunctionType(f.__code__, ...)`: another function of the same code."""
    code = args[0] if args else None
    return code.again() if isinstance(code, Function) else vm.open("a function made from code that is not read")


def _tensor_of(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """`torch.FloatTensor(data)`, or of sizes, and then not filled."""
    data = args[0] if len(args) == 1 else None
    if data is None or isinstance(data, int):
        return vm.call(External("torch.empty"), [tuple(args)], {})
    name = "as_tensor" if isinstance(data, (Tensor, Tensors)) else "tensor"
    return vm.call(External(f"torch.{name}"), [data], {})


_TENSORS = ("", "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Byte", "Bool")
STANDARD: dict[str, Handler] = {
    **REGULAR,
    "dataclasses.fields": _fields,
    "dataclasses.replace": with_fields,
    "dataclasses.is_dataclass": lambda vm, args, kwargs: isinstance(args[0], (Instance, Class)),
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "tensorflow.foldl": _foldl,
    "functools.wraps": _first,
    "functools.update_wrapper": _first,
    "functools.lru_cache": _first,
    "functools.cache": _first,
    "collections.OrderedDict": _mapping,
    "collections.defaultdict": _default_mapping,
    "collections.deque": _deque,
    "collections.namedtuple": named_tuple,
    "enum.auto": lambda vm, args, kwargs: AUTO,
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": lambda vm, args, kwargs: _chain(vm, vm.iterate(args[0]), {}),
    "itertools.repeat": _repeat,
    "itertools.product": _product,
    "itertools.groupby": _grouped,
    **{f"torch.{kind}Tensor": _tensor_of for kind in _TENSORS},
    "inspect.signature": _signature,
    "inspect.getfullargspec": _signature,
    "types.FunctionType": _of_code,
    "typing.cast": lambda vm, args, kwargs: args[1],
    "types.SimpleNamespace": named_values,
    "argparse.Namespace": named_values,
    "dataclasses.asdict": _as_mapping,
}
STANDARD.update(
    {
        f"operator.{name}": partial(lambda op, vm, args, kwargs: _operator(vm, op, args), op)
        for op, special in conditions.SPECIAL.items()
        for name in (special, f"__{special}__", f"{special}_")
    }
)
STANDARD.update(
    {f"math.{name}": _number(name) for name in dir(math) if callable(getattr(math, name)) and name[0] != "_"}
)
STANDARD.update(
    {
        f"numpy.{name}": _numpy_number(name)
        for name in ("sqrt", "log", "log2", "exp", "ceil", "floor", "prod", "sin", "cos", "tanh")
    }
    | {f"numpy.{name}": _numpy_number("pow") for name in ("power", "pow")}
)
