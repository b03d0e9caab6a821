"""The pickles of a TorchScript archive, read as data: what they would call is kept as a name, and never called.

A pickle is a program for a small machine. The steps that build numbers, texts, lists and records are followed here;
one that would call something gives a record of what would have been called, and only those few calls mean something
by which torch writes tensors and lists. Steps, depth and sizes are bounded.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MAX_BYTES = 32 * 1024**2
MAX_STEPS = 4_000_000
MAX_DEPTH = 200  # of values within values
MAX_AXES = 64


class PickleError(ValueError):
    """A pickle is damaged, or of a form that torch does not write."""


@dataclass(frozen=True, slots=True)
class Global:
    """The name of something that a pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Object:
    """An instance of a class of the archive, or of any other class.

    Attributes:
        cls: its class, as the pickle names it: `__torch__.module.Class`.
        state: what its attributes are set to; None before they are.
    """

    cls: str
    state: Any = None


@dataclass(frozen=True, slots=True)
class Storage:
    """Where numbers of tensors lie: the kind of its elements, as torch calls it, and the file that holds them."""

    dtype: str
    key: str


@dataclass(frozen=True, slots=True)
class TensorData:
    """A tensor: a view of a storage. Two that are equal are one tensor."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    learns: bool = field(compare=False, default=False)


@dataclass(eq=False, slots=True)
class Inert:
    """What a pickle would have called, and with what; nobody knows what that would have given."""

    what: str
    arguments: Any = None


def loads(data: bytes, what: str) -> Any:
    """The value that a pickle writes: numbers, texts, lists, tuples, dictionaries, `Object`, `TensorData`, `Inert`.

    Raises:
        PickleError: it is damaged, too large, nests too deeply, or does what torch's own pickles never do.
    """
    if len(data) > MAX_BYTES:
        raise PickleError(f'"{what}" has more than {MAX_BYTES // 1024**2} MiB')
    machine = _Machine(what)
    try:
        return machine.run(data)
    except PickleError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise PickleError(f'"{what}" is a damaged pickle: {_plain(error)}') from None


def _plain(error: Exception) -> str:
    return str(error)[:80].replace("\n", " ") or type(error).__name__


_MARK: Any = object()


class _Machine:
    def __init__(self, what: str) -> None:
        self.what = what
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for steps, (code, given, _) in enumerate(pickletools.genops(data)):
            if steps >= MAX_STEPS:
                raise PickleError(f'"{self.what}" has more than {MAX_STEPS:,} steps')
            if code.name == "STOP":
                break
            step = _STEPS.get(code.name)
            if step is None:
                raise PickleError(f'"{self.what}" has a step that torch does not write: {code.name}')
            step(self, given)
        if len(self.stack) != 1:
            raise PickleError(f'"{self.what}" is a damaged pickle: it leaves {len(self.stack)} values')
        _check_depth(self.stack[0], self.what)
        return self.stack[0]

    def since_mark(self) -> list[Any]:
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                found = self.stack[at + 1 :]
                del self.stack[at:]
                return found
        raise ValueError("no mark")

    def top(self, kind: type) -> Any:
        value = self.stack[-1]
        if type(value) is not kind:
            raise TypeError(f"a {kind.__name__} is expected")
        return value

    def append(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def put(self, pairs: list[Any]) -> None:
        held = self.top(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int | float | bool | TensorData):
                raise TypeError("a key is neither text nor number")
            held[key] = value

    def build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, Object):
            made.state = state
        elif not isinstance(made, Inert):
            raise TypeError("a state for what takes none")

    def make(self) -> None:
        arguments, cls = self.stack.pop(), self.stack.pop()
        if not isinstance(cls, Global) or arguments != ():
            raise TypeError("an object that is made otherwise than torch does")
        self.stack.append(Object(str(cls)))

    def reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(arguments, tuple):
            raise TypeError("a call without arguments")
        self.stack.append(_called(called, arguments))

    def persistent(self) -> None:
        told = self.stack.pop()
        if isinstance(told, tuple) and len(told) >= 3 and told[0] == "storage" and isinstance(told[1], Global):
            self.stack.append(Storage(told[1].name, str(told[2])))
        else:
            self.stack.append(Inert("a reference to something outside of it"))


def _called(called: Any, arguments: tuple[Any, ...]) -> Any:
    """What a call gives that torch writes; of any other, a record that it would have been."""
    name = str(called) if isinstance(called, Global) else "something that it makes itself"
    if name == "torch._utils._rebuild_tensor_v2":
        return _tensor(arguments)
    if name == "torch._utils._rebuild_parameter" and arguments and isinstance(arguments[0], TensorData):
        tensor = arguments[0]
        return TensorData(tensor.storage, tensor.offset, tensor.shape, tensor.strides, True)
    if name in _LISTS and len(arguments) == 1 and isinstance(arguments[0], list):
        return arguments[0]
    if name == "torch.jit._pickle.restore_type_tag" and len(arguments) == 2:
        return arguments[0]
    if name == "collections.OrderedDict" and not arguments:
        return {}
    return Inert(name, arguments)


_LISTS = frozenset(f"torch.jit._pickle.build_{kind}list" for kind in ("int", "tensor", "double", "bool"))


def _tensor(arguments: tuple[Any, ...]) -> TensorData:
    storage, offset, shape, strides, learns = arguments[:5]
    axes = len(shape)
    if not isinstance(storage, Storage) or axes > MAX_AXES or axes != len(strides):
        raise TypeError("a tensor without its numbers")
    for one in (offset, *shape, *strides):
        if type(one) is not int or one < 0 or one >= 2**62:
            raise TypeError("a tensor whose sizes are no numbers")
    return TensorData(storage, offset, tuple(shape), tuple(strides), learns is True)


def _check_depth(value: Any, what: str) -> None:
    """Raise PickleError where values lie too deeply within values, or in themselves."""
    heights: dict[int, int] = {}  # of what has been looked through
    waiting: list[tuple[Any, bool]] = [(value, False)]
    open_: set[int] = set()
    while waiting:
        one, leaving = waiting.pop()
        held = _held(one)
        if not held:
            continue
        if leaving:
            open_.discard(id(one))
            heights[id(one)] = 1 + max(heights.get(id(inner), 0) for inner in held)
            if heights[id(one)] > MAX_DEPTH:
                raise PickleError(f'"{what}" nests deeper than {MAX_DEPTH} levels')
            continue
        if id(one) in open_:
            raise PickleError(f'"{what}" holds something that holds itself')
        if id(one) in heights:
            continue
        open_.add(id(one))
        waiting.append((one, True))
        waiting.extend((inner, False) for inner in held if type(inner) in _HOLDERS and id(inner) not in heights)


_HOLDERS = frozenset({list, tuple, dict, Object, Inert})


def _held(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, Object):
        return [] if value.state is None else [value.state]
    return list(value.arguments) if isinstance(value, Inert) and isinstance(value.arguments, tuple) else []


def _push(machine: _Machine, value: Any) -> None:
    machine.stack.append(value)


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, given: Any) -> None:
        if len(machine.stack) < count:
            raise ValueError("too few values")
        found = tuple(machine.stack[len(machine.stack) - count :])
        del machine.stack[len(machine.stack) - count :]
        machine.stack.append(found)

    return step


def _pair(machine: _Machine, given: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.put([key, value])


def _one(machine: _Machine, given: Any) -> None:
    value = machine.stack.pop()
    machine.append([value])


def _keep(machine: _Machine, given: Any) -> None:
    machine.memo[given] = machine.stack[-1]


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, given: None),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _keep),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, given: _push(machine, machine.memo[given])),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _push
    ),
    "NONE": lambda machine, given: _push(machine, None),
    "NEWTRUE": lambda machine, given: _push(machine, True),
    "NEWFALSE": lambda machine, given: _push(machine, False),
    "MARK": lambda machine, given: _push(machine, _MARK),
    "EMPTY_LIST": lambda machine, given: _push(machine, []),
    "EMPTY_DICT": lambda machine, given: _push(machine, {}),
    "EMPTY_TUPLE": lambda machine, given: _push(machine, ()),
    "TUPLE": lambda machine, given: _push(machine, tuple(machine.since_mark())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "APPEND": _one,
    "APPENDS": lambda machine, given: machine.append(machine.since_mark()),
    "SETITEM": _pair,
    "SETITEMS": lambda machine, given: machine.put(machine.since_mark()),
    "GLOBAL": lambda machine, given: _push(machine, Global(*given.split(" ", 1))),
    "BINPERSID": lambda machine, given: machine.persistent(),
    "NEWOBJ": lambda machine, given: machine.make(),
    "REDUCE": lambda machine, given: machine.reduce(),
    "BUILD": lambda machine, given: machine.build(),
}
