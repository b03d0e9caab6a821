"""What the evaluator computes with: Python data as itself, and these stand-ins for everything else.

Plain numbers, strings, tuples, lists, dicts, sets, ranges and slices are Python's own. A class, a function or an
instance of the code that is read is one of the objects below; it exists in the reader only and never runs.
"""

from __future__ import annotations

import ast
import reprlib
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from archcheck.frontends import dialects
from archcheck.frontends.static.opens import Open
from archcheck.ir.graph import AttrValue, Value
from archcheck.ir.span import Caller, Setting, Span

if TYPE_CHECKING:
    from archcheck.frontends.dialects.table import LayerRow
    from archcheck.frontends.static.hooks import Hooks
    from archcheck.frontends.static.library import SourceFile
    from archcheck.frontends.static.loaded import Toll
    from archcheck.frontends.static.machine import Machine

Data = Any  # a value of the code that is read: Python data or one of the classes below; checked where it is used
Args = list[Data]
Kwargs = dict[str, Data]
Handler = Callable[["Machine", Args, Kwargs], Data]  # what a known function does


SCALARS = (bool, int, float, str, type(None))


class Tensor:
    """A tensor: a handle on the value that it has now. In-place operations give the handle another value, so that all
    names of one tensor see the change, as in PyTorch."""

    __slots__ = ("base", "data", "learned", "value")

    def __init__(self, value: Value, *, base: Tensor | None = None, data: Data = None, learned: bool = False) -> None:
        self.value = value
        self.base = base  # the tensor of which this one is a view
        self.data = data  # the numbers it holds, where they are known (a constant list)
        self.learned = learned

    def __repr__(self) -> str:
        return f"%{self.value.op}"


class Tensors:
    """Several tensors given by one op; `count` is 0 where it is not known how many there are."""

    __slots__ = ("count", "op")

    def __init__(self, op: str, count: int = 0) -> None:
        self.op = op
        self.count = count


class Members(dict[str, Any]):
    """What the body of a class binds; a method is defined when it is asked for.

    A model's base class has hundreds, whose decorators and defaults lead through a whole package; a model uses a few.
    """

    __slots__ = ()

    def __getitem__(self, name: str) -> Data:
        value = dict.__getitem__(self, name)
        return value.value(self, name) if isinstance(value, Later) else value

    def get(self, name: str, default: Data = None) -> Data:
        return self[name] if name in self else default  # noqa: SIM401  # it would call itself

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        return [self[name] for name in self]


class Later:
    """A method that is defined when it is asked for."""

    __slots__ = ()

    def value(self, members: Members, name: str) -> Data:
        """The method, which may take the place of this."""
        raise NotImplementedError


class Scope:
    """Names and their values in a module, class, function call or comprehension, inside the scope around it."""

    __slots__ = ("cls", "file", "is_class", "outer_names", "parent", "self_value", "settings", "vars", "yields")
    tolls: Mapping[str, Toll] = MappingProxyType({})  # what there is to note about names, where others share them

    def __init__(self, file: SourceFile, parent: Scope | None = None, *, is_class: bool = False) -> None:
        self.file = file
        self.parent = parent
        self.is_class = is_class
        self.vars: dict[str, Data] = Members() if is_class else {}
        self.settings: dict[str, tuple[Setting, ...]] = {}  # what decided the value of a name
        self.outer_names: dict[str, Scope] = {}  # names declared global or nonlocal
        self.cls: Class | None = None  # class whose method runs here
        self.self_value: Data = None
        self.yields: list[Data] | None = None


class ModuleScope(Scope):
    """Names of a module, as far as they were evaluated."""

    __slots__ = ("executed", "tolls")

    def __init__(self, file: SourceFile, dotted: str) -> None:
        super().__init__(file)
        self.vars.update(__name__=dotted, __file__=file.shown)
        self.executed: set[ast.stmt] = set()  # statements that have run, which each does once
        self.tolls: dict[str, Toll] = {}


class Class:
    """A class of the code that is read."""

    __slots__ = (
        "_externals",
        "_late",
        "_mro",
        "bases",
        "fields",
        "file",
        "made_by",
        "members",
        "name",
        "node",
        "scope",
        "veil",
    )

    def __init__(self, name: str, bases: tuple[Data, ...], scope: Scope, node: ast.ClassDef | None) -> None:
        self.name = name
        self.bases = bases
        self.scope = scope
        self.file = scope.file
        self.node = node
        self.fields: dict[str, ast.AnnAssign] = {}  # annotated names, as a dataclass has them
        self.members: dict[str, Data] = {}  # of an enumeration
        self.veil = ""  # something unread stands around it
        self.made_by: Toll | None = None  # of the statements of a module that define it
        self._mro: tuple[Class | External, ...] | None = None
        self._externals: tuple[str, ...] | None = None
        self._late: tuple[str, ...] | None = None

    @property
    def mro(self) -> tuple[Class | External, ...]:
        """This class and its bases in the order in which attributes are looked up."""
        if self._mro is None:
            self._mro = _linearise(self)
        return self._mro

    def extend(self, bases: tuple[Data, ...]) -> None:
        """Take other bases, as a decorator of a class may give it."""
        self.bases, self._mro, self._externals, self._late = bases, None, None, None

    def lookup(self, name: str) -> tuple[Class, Data] | None:
        """The class that defines `name`, and its value there."""
        for cls in self.mro:
            if isinstance(cls, Class) and name in cls.scope.vars:
                return cls, cls.scope.vars[name]
        return None

    @property
    def externals(self) -> tuple[str, ...]:
        """Qualified names of the bases that are not among the sources read."""
        if self._externals is None:
            self._externals = tuple(cls.name for cls in self.mro if isinstance(cls, External))
        return self._externals

    @property
    def late(self) -> tuple[str, ...]:
        """Names of the methods that fill instances when they are first called or looked into."""
        if self._late is None:
            self._late = tuple(dict.fromkeys(name for base in self.externals for name in dialects.late(base)))
        return self._late

    def __repr__(self) -> str:
        return f"class {self.name}"


def is_module(cls: Class) -> bool:
    """Whether instances of `cls` are a framework's layers or models."""
    return any(dialects.is_class(base) for base in cls.externals)


def _linearise(cls: Class) -> tuple[Class | External, ...]:
    """C3 linearisation; where it fails (a base that could not be read), depth first without repetition."""
    bases: list[Class | External] = [base for base in cls.bases if isinstance(base, (Class, External))]
    lists: list[list[Class | External]] = [[*base.mro] if isinstance(base, Class) else [base] for base in bases]
    lists.append(bases[:])
    found: list[Class | External] = [cls]
    while lists := [rest for rest in lists if rest]:
        head = next((rest[0] for rest in lists if not any(_among(rest[0], other[1:]) for other in lists)), None)
        if head is None:
            head = lists[0][0]
        found.append(head)
        lists = [[item for item in rest if not _same(item, head)] for rest in lists]
    return tuple(found)


def _same(one: Class | External, other: Class | External) -> bool:
    return one is other or (isinstance(one, External) and isinstance(other, External) and one.name == other.name)


def _among(cls: Class | External, others: list[Class | External]) -> bool:
    return any(_same(cls, other) for other in others)


@dataclass(frozen=True, slots=True)
class External:
    """Something outside of the sources read, under its qualified name: "torch.nn.functional.relu"."""

    name: str


class ModuleValue:
    """A module of the code that is read."""

    __slots__ = ("file", "scope")

    def __init__(self, file: SourceFile, scope: ModuleScope) -> None:
        self.file = file
        self.scope = scope


class Function:
    """A function, method or lambda of the code that is read, with the scope that it closes over."""

    __slots__ = (
        "answer",
        "attributes",
        "cls",
        "defaults",
        "file",
        "formula",
        "generator",
        "ignored",
        "keyword_defaults",
        "name",
        "node",
        "role",
        "scope",
        "ties",
        "veil",
        "wrapped",
    )

    def __init__(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope, name: str) -> None:
        self.node = node
        self.scope = scope
        self.file = scope.file
        self.name = name
        self.cls: Class | None = None  # class in whose body it stands
        self.role = ""  # "static", "class", "property", "setter" or "" for a plain function
        self.defaults: list[Data] = []
        self.keyword_defaults: list[Data] = []
        self.generator: bool | None = None
        self.formula = False  # a dialect's formula, whose ops stand where it is called
        self.answer: tuple[AttrValue, str] | None = None  # what a dialect takes it to answer, and what that assumes
        self.ignored: bool | None = None  # a dialect says that it computes nothing
        self.ties = False  # a dialect says that it may make weights one
        self.attributes: dict[str, Data] = {}
        self.veil = ""  # something unread stands around it: "the decorator fused"
        self.wrapped: Function | None = None  # what a decorator made this one from

    def again(self, role: str = "") -> Function:
        """Another function of the same code, called in the way that `role` says."""
        made = copy(self)
        made.role, made.attributes = role, dict(self.attributes)
        return made

    @property
    def signature(self) -> ast.arguments:
        """The parameters by which it is meant to be called: where it takes any, those of what it wraps."""
        inner = self
        while inner.wrapped is not None and inner.node.args.vararg is not None:
            inner = inner.wrapped
        return inner.node.args


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A function bound to an instance or a class."""

    function: Function
    receiver: Data


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """`functools.partial`."""

    function: Data
    args: tuple[Data, ...]
    kwargs: Mapping[str, Data]


@dataclass(frozen=True, slots=True, eq=False)
class Native:
    """A function that the evaluator itself provides: a builtin, a list's method, a framework's bookkeeping."""

    name: str
    call: Callable[[Machine, list[Data], dict[str, Data]], Data]


@dataclass(frozen=True, slots=True, eq=False)
class FieldsInit(Native):
    """The constructor that a class has because its annotated names are fields."""

    of: Class


@dataclass(frozen=True, slots=True, eq=False)
class TensorModel:
    """A model that is made of tensors: `keras.Model(inputs, outputs)`, whose ops are those that were recorded."""

    inputs: Data
    outputs: Data


class Inert:
    """An object whose attributes and calls compute nothing: the context of an autograd function, a logger."""

    def __repr__(self) -> str:
        return "an inert object"


INERT = Inert()


class Sentinel:
    """`object()`: nothing but itself, so that code can tell an argument that is not given from every other value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "an object"


@dataclass(frozen=True, slots=True, eq=False)
class TensorMethod:
    """A method of a tensor, not called yet."""

    tensor: Tensor
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Super:
    """`super()`: attributes of the bases behind `cls` in the order of the receiver's class."""

    cls: Class
    receiver: Data


@dataclass(eq=False)
class Instance:
    """An object of a class that is read, or a framework's container.

    `owner` is the instance that it was first assigned to, with the name: the place in the module tree follows from it.
    """

    cls: Class
    attributes: dict[str, Data] = field(default_factory=dict)
    settings: dict[str, tuple[Setting, ...]] = field(default_factory=dict)
    owner: tuple[Instance, str] | None = None
    items: Data = None  # list or dict that a container holds
    layer: Layer | None = None  # the library layer that this class extends
    tensors: TensorModel | None = None  # the tensors that it is made of, where its constructor says so
    veil: str = ""  # why what it computes is not known: its constructor raised something
    hooks: Hooks | None = None
    used: bool = False  # called, or read from while the target runs
    prepared: bool = False  # what its framework runs before the first call has run
    rounds: Open | None = None  # it was built in a loop of which the number of rounds is not known
    bag: bool = False  # an object of named values, some of which a program around may set
    lasting: bool = False  # a module holds it
    made: dict[str, Data] = field(default_factory=dict)  # parts and learned tensors made while its methods ran, by name
    filled: bool = False  # what fills it when it is first looked into has run
    numbers: dict[str, int] = field(default_factory=dict)  # how many parts of a class this call of it has made

    def __repr__(self) -> str:
        return f"an instance of {self.cls.name}"


@dataclass(eq=False)
class Layer:
    """A layer of a library that is not read, with the arguments of its constructor."""

    row: LayerRow
    name: str  # qualified
    arguments: dict[str, Data]
    span: Span | None = None
    owner: tuple[Instance, str] | None = None
    attributes: dict[str, Data] = field(default_factory=dict)
    used: bool = False  # called, or read from while the target runs
    veil: str = ""  # something unread stands around its call
    hooks: Hooks | None = None
    rounds: Open | None = None  # it was built in a loop of which the number of rounds is not known
    built: Caller | None = None  # the call that built it
    spelled: Instance | None = None  # the same layer as its dialect spells it in Python

    def __repr__(self) -> str:
        return f"an instance of {self.name}"


@dataclass(frozen=True, slots=True)
class Directory:
    """`dir` of a library's module."""

    name: str


def is_open(value: Data) -> bool:
    """Whether `value` is unknown, or a library's object about which nothing is known."""
    return isinstance(value, (Open, External))


class Registry(dict[Data, Data]):
    """A dict that a module made when it was loaded; what is registered there is looked for late.

    Attributes:
        package: dotted name of the package that the module stands in; "" where it stands in none.
    """

    package = ""


class Inputs(dict[Data, Data]):
    """Tensors that a caller gives under names: `features["token_embeddings"]`; each is there when it is asked for."""

    def __init__(self, make: Callable[[str], Tensor]) -> None:
        super().__init__()
        self.make = make

    def __missing__(self, key: Data) -> Tensor:
        if not isinstance(key, str):
            raise KeyError(key)
        self[key] = self.make(key)
        return self[key]  # type: ignore[no-any-return]


def is_undecided(value: Data) -> bool:
    """Whether the truth of `value` cannot be told: it is unknown, or it is a tensor's content."""
    if isinstance(value, External):
        return not dialects.is_callable(value.name)
    return isinstance(value, (Open, Tensor, Tensors))


def is_metadata(value: Data) -> bool:
    """Whether `value` is unknown, and tells about a tensor or the machine rather than about the architecture."""
    return isinstance(value, Open) and value.metadata


def reason(value: Data) -> str:
    """Why an open value is not known; any other value as a report prints it."""
    return value.why if isinstance(value, Open) else shown(value)


def holds_tensor(value: Data, depth: int = 4) -> bool:
    """Whether a tensor stands anywhere in `value`."""
    if isinstance(value, (Tensor, Tensors)):
        return True
    if depth and isinstance(value, (list, tuple)):
        return any(holds_tensor(item, depth - 1) for item in value)
    if depth and isinstance(value, dict):
        return any(holds_tensor(item, depth - 1) for item in value.values())
    if depth and isinstance(value, slice):
        return any(holds_tensor(item, depth - 1) for item in (value.start, value.stop, value.step))
    return False


_SHORT = reprlib.Repr()
_SHORT.maxlevel = 3
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxfrozenset = _SHORT.maxdict = 12
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200


def shown(value: Data) -> str:
    """`value` as a report prints it."""
    if isinstance(value, Open):
        return "unknown"
    if isinstance(value, External):
        return value.name
    if isinstance(value, (Class, Function, Native)):
        return value.name
    text = _SHORT.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
