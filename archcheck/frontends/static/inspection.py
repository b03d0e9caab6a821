"""What code asks about values: their types, their attributes, their texts."""

from __future__ import annotations

import collections.abc
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.static.named import NumberMember, TextMember
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.sources import SpelledFile
from archcheck.frontends.static.values import (
    Args,
    Class,
    Data,
    Directory,
    External,
    Function,
    Handler,
    Instance,
    Kwargs,
    Layer,
    Method,
    Native,
    Partial,
    Tensor,
    Tensors,
    is_module,
    shown,
)

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def _isinstance(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    value, kinds = args[0], args[1]
    if isinstance(value, Open):
        return value.about(f"isinstance of {value.why}")
    results = [is_one_of(value, kind) for kind in _flat(kinds)]
    if True in results:
        return True
    return vm.open(f"isinstance({shown(value)}, {shown(kinds)})", metadata=True) if None in results else False


def _flat(kinds: Data) -> list[Data]:
    if isinstance(kinds, (tuple, list)):
        return [inner for kind in kinds for inner in _flat(kind)]
    return [kinds]


PLAIN: dict[str, type] = {
    kind.__name__: kind
    for kind in (int, float, str, bool, list, tuple, dict, set, frozenset, range, slice, complex, bytes)
}
DATA = (bool, int, float, str, bytes, list, tuple, dict, set, frozenset, range, type(None))
PLAIN |= {"unicode": str, "basestring": str, "long": int}  # of Python 2
ARRAYS = ("Tensor", "FloatTensor", "LongTensor", "Variable", "KerasTensor", "ndarray", "Parameter", "Array")
ABSTRACT: dict[str, tuple[type, ...]] = {
    "Iterable": (list, tuple, dict, set, range, str), "Sequence": (list, tuple, range, str),
    "Mapping": (dict,), "MutableMapping": (dict,), "OrderedDict": (dict,), "Number": (int, float), "Integral": (int,),
    "Real": (int, float), "_Number": (int, float, bool), "Size": (tuple, list),
}  # fmt: skip


def is_class(value: Data) -> bool:
    """Whether a value is a class: one that was read, or a framework's."""
    return isinstance(value, Class) or (isinstance(value, External) and dialects.is_class(value.name))


def callable_name(value: Data) -> bool | None:
    """Whether a value is the name of a framework's class or function; None for other names."""
    if not isinstance(value, External):
        return False
    return True if dialects.is_callable(value.name) else None


def is_one_of(value: Data, kind: Data) -> bool | None:
    """Whether `value` is an instance of `kind`; None where that is not known."""
    if kind is None:
        return value is None
    if isinstance(kind, Class):
        return isinstance(value, (Instance, TextMember, NumberMember)) and kind in value.cls.mro
    if isinstance(kind, Native):
        plain = PLAIN.get(kind.name)
        if kind.name == "type":
            return True if is_class(value) else None if isinstance(value, External) else False
        if plain is None:
            return None
        if isinstance(value, Instance) and value.items is not None:
            return isinstance(value.items, plain)
        return isinstance(value, plain)
    if isinstance(kind, External):
        return _is_external(value, kind.name)
    return None


def _is_abstract(value: Data, name: str) -> bool | None:
    """Whether plain data, or a class of named values, is an instance of a library's abstract class; None where neither
    is meant."""
    package, _, last = name.rpartition(".")
    if last in ("EnumMeta", "EnumType"):
        return bool(value.members) if isinstance(value, Class) else False if isinstance(value, DATA) else None
    if isinstance(value, (TextMember, NumberMember)) and name == "enum.Enum":
        return True
    if package not in ("collections.abc", "typing", "collections") or not isinstance(value, DATA):
        return None
    abstract = getattr(collections.abc, last, None)
    return isinstance(value, abstract) if isinstance(abstract, type) else None


def _is_spelled(base: Data, name: str) -> bool:
    """Whether a class is the one that a dialect spells under a name."""
    return isinstance(base, Class) and isinstance(base.file, SpelledFile) and base.file.module == name


def _is_external(value: Data, name: str) -> bool | None:
    last = name.rpartition(".")[2]
    told = _is_abstract(value, name)
    if told is not None:
        return told
    if isinstance(value, (Tensor, Tensors)):
        return last in ARRAYS
    if isinstance(value, Layer):
        return value.name == name or (
            last in ("Module", "Layer") and name.partition(".")[0] == value.name.partition(".")[0]
        )
    if isinstance(value, Instance):
        return any(base == name or _is_spelled(base, name) for base in (*value.cls.externals, *value.cls.mro)) or (
            value.layer is not None and value.layer.name == name
        )
    if last in ABSTRACT:
        return isinstance(value, ABSTRACT[last])
    if last == "Callable":
        return isinstance(value, (Function, Method, Partial, Native, Class)) or callable_name(value)
    if last in ("FunctionType", "LambdaType", "MethodType"):
        kind = Method if last == "MethodType" else Function
        return isinstance(value, kind) if not isinstance(value, External) or dialects.is_class(value.name) else None
    if name == "functools.partial" and isinstance(value, Partial):
        return True
    if value is None or isinstance(value, (bool, int, float, str, list, tuple, dict, set)):
        return False
    if name == "functools.partial" or dialects.is_class(name) or last == "Tensor":  # a class is none of its instances
        return False if callable_name(value) or isinstance(value, (Function, Method, Partial, Native, Class)) else None
    return None


def _hasattr(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    owner, name = args[0], args[1]
    if isinstance(owner, Open):
        return owner.about(f"whether {owner.why} has {shown(name)}")
    if not isinstance(name, str):
        return vm.open("an attribute whose name is not known")
    if isinstance(owner, External):
        if dialects.known(f"{owner.name}.{name}"):
            return True  # code that asks for a function of a library's newer releases
        return vm.open(f"whether {shown(owner)} has {name}", metadata=True)
    if isinstance(owner, (Tensor, Tensors)):
        from archcheck.frontends.static.libraries import TENSOR_METHODS

        listed = dialects.is_of_tensors(name) or name in TENSOR_METHODS
        if not listed:
            vm.assume(f"a tensor has no attribute {name}")
        return listed
    absent = object()
    return vm.get(owner, name, absent) is not absent


def _getattr(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    if not isinstance(args[1], str):
        return vm.open("an attribute whose name is not known")
    if isinstance(args[0], Instance) and args[1] in args[0].settings:
        vm.touch(args[0].settings[args[1]])
    return vm.get(args[0], args[1], args[2]) if len(args) > 2 else vm.get(args[0], args[1])


def _dir(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """The names that an object has: of a library's module, what its dialect lists stands for them."""
    owner = args[0] if args else None
    if isinstance(owner, External):
        return Directory(owner.name)
    if isinstance(owner, Instance):
        return sorted({*owner.attributes, *_names_of(owner.cls)})
    if isinstance(owner, Class):
        return sorted(_names_of(owner))
    return vm.open(f"the names that {shown(owner)} has")


def _names_of(cls: Class) -> set[str]:
    return {name for base in cls.mro if isinstance(base, Class) for name in base.scope.vars}


def _setattr(vm: Machine, args: Args, kwargs: Kwargs) -> None:
    if isinstance(args[1], str):
        vm.set(args[0], args[1], args[2])
        if isinstance(args[0], Instance):
            args[0].bag = True  # what it holds is said by name: a configuration


def _type(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    value = args[0]
    if isinstance(value, Instance):
        return value.cls
    if isinstance(value, Layer):
        return External(value.name)
    if isinstance(value, (Tensor, Tensors)):
        return External("torch.Tensor") if vm.inplace_sums else vm.open("the type of a tensor", metadata=True)
    from archcheck.frontends.static.natives import BUILTINS

    name = type(value).__name__
    return BUILTINS.get(name, vm.open(f"the type of {shown(value)}", metadata=True))


def _is_module(value: Instance) -> bool:

    return is_module(value.cls)


def _callable(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    if isinstance(args[0], Open):
        return args[0]
    return isinstance(args[0], (Function, Method, Partial, Native, Class, Layer, External)) or (
        isinstance(args[0], Instance) and (args[0].cls.lookup("__call__") is not None or _is_module(args[0]))
    )


def _issubclass(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    kinds = _flat(args[1])
    if isinstance(args[0], Class) and all(isinstance(kind, Class) for kind in kinds):
        return any(kind in args[0].mro for kind in kinds)
    return vm.open("issubclass of something that is not read")


def _vars(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    return args[0].attributes if args and isinstance(args[0], Instance) else vm.open("the names of a scope")


def _repr(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    text = written(args[0])
    return vm.open("a text") if text is None else text


def written(value: Data) -> str | None:
    """`repr(value)`; None where it is not known. Code looks for a class's name among the bases of another in it."""
    if type(value) in (str, int, float, bool, bytes, type(None)):
        return repr(value)
    if isinstance(value, Class):
        return f"<class '{value.file.module}.{value.name}'>"
    if isinstance(value, External) and (dialects.base_methods(value.name) is not None or value.name in PLAIN_CLASSES):
        return f"<class '{value.name}'>"
    if type(value) is tuple:
        parts = [written(part) for part in value]
        if all(part is not None for part in parts):
            return f"({', '.join(map(str, parts))}{',' if len(parts) == 1 else ''})"
    return None


PLAIN_CLASSES = ("object", "torch.Tensor")
INSPECTION: dict[str, Handler] = {
    "isinstance": _isinstance,
    "issubclass": _issubclass,
    "dir": _dir,
    "hasattr": _hasattr,
    "getattr": _getattr,
    "setattr": _setattr,
    "type": _type,
    "callable": _callable,
    "vars": _vars,
    "repr": _repr,
}
