"""The form of a dialect: what a framework's names mean in archcheck's vocabulary. Reading and tracing share it.

A row gives a kind, the framework's parameter list, and which parameters become attributes. Parameter lists are
written as in Python, with a `!` behind each tensor that the op reads, in the framework's order:

    Row("layer_norm", "input!, normalized_shape, weight=None!, bias=None!, eps=1e-05", {"eps": "eps"})

How a row is applied, by every frontend alike:

- It *fits* a call whose arguments bind to its parameter list and leave each parameter in `plain` at its default. A
  call that no row fits is evaluated by the `Formula` of that name, and is opaque where there is none.
- A parameter that is both read and an attribute's source (`"input!, other!"` with `{"by": "other"}`) is an operand if
  it is given a tensor and states the attribute if it is given a number.
- An attribute whose parameter is None is not stated. Values are stated as `stated` gives them.
- A starred parameter that is given a single tuple or list stands for its items: `view((2, 3))` is `view(2, 3)`.
- `out=`, `name=`, `dtype=`, `device=`, `layout=`, `requires_grad=`, `memory_format=` and `pin_memory=` never decide
  what is computed; functions take them everywhere (`IGNORED_KEYWORDS`), and rows do not list them.
- A tensor marked `~` is what a layer counts for itself, such as a batch norm's running mean: an operand only where it is
  computed in the call or learned, and not where it is a buffer.
- The key "activation" in `attrs`, on a kind that declares no such attribute, names the parameter that holds an
  activation, which is computed from the op's result (keras).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property

from archcheck.ir.graph import AttrValue

BESIDE = frozenset({"keepdim"})  # what a formula tells of shapes beside what its op states
IGNORED_KEYWORDS = frozenset(
    {"out", "name", "dtype", "device", "layout", "requires_grad", "memory_format", "pin_memory", "generator"}
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a framework's function."""

    name: str
    reads: bool = False  # a tensor, or a list of tensors, that becomes an operand
    default: AttrValue = None
    required: bool = True
    star: bool = False  # takes all further positional arguments
    double_star: bool = False  # takes all further keyword arguments
    keyword_only: bool = False
    kept: bool = False  # an operand only where it is computed in the call


def parameters(text: str) -> tuple[Parameter, ...]:
    """The parameter list that `text` writes: `"input!, p=0.5, *sizes, dim=None"`."""
    found: list[Parameter] = []
    keyword_only = False
    for word in _cut(text):
        if word == "*":
            keyword_only = True
            continue
        double_star = word.startswith("**")
        star = word.startswith("*") and not double_star
        kept = word.endswith("~")
        reads = kept or word.endswith("!")
        name, _, default = word.strip("*!~").partition("=")
        value: AttrValue = ast.literal_eval(default) if default else None
        required = not default and not word.startswith("*")
        found.append(Parameter(name, reads, value, required, star, double_star, keyword_only, kept))
        keyword_only = keyword_only or star
    return tuple(found)


def _cut(text: str) -> list[str]:
    words: list[str] = []
    depth = 0
    for part in text.split(","):
        if depth:
            words[-1] += "," + part
        elif part.strip():
            words.append(part.strip())
        depth += part.count("(") - part.count(")")
    return words


@dataclass(frozen=True)
class Row:
    """What calling a function, a method or an operator of a framework computes.

    Args:
        kind: name of the op kind.
        params: the framework's parameter list; for a method, the tensor itself is its first parameter.
        attrs: attribute -> parameter whose value it states; stated only where that value is known or has a default.
        const: attributes that this name fixes.
        outputs: how many tensors it gives; 0: a list whose length the arguments decide.
        inplace: the first operand's name afterwards stands for the result.
        plain: parameters that must keep their default for this row to be what is computed.
        active: parameter that switches it on: where it is false the first operand comes out unchanged; `"not deterministic"` is one
            that switches it off.
        fields: names of the outputs, where they are a named tuple (`values`, `indices`).
        fresh: what it gives is no view: changing it in place leaves the first operand as it was.
    """

    kind: str
    params: str
    attrs: dict[str, str] = field(default_factory=dict)
    const: dict[str, AttrValue] = field(default_factory=dict)
    outputs: int = 1
    inplace: bool = False
    plain: tuple[str, ...] = ()
    active: str = ""
    fields: tuple[str, ...] = ()
    fresh: bool = False

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        return parameters(self.params)


@dataclass(frozen=True)
class Formula:
    """What a function or a method computes, spelled in Python, where no row says it all.

    Args:
        source: a lambda with the framework's parameter list. It is evaluated like code that was read. Free names in it
            are packages (`torch`, `math`), `named`, which gives a tuple whose parts go by its keywords, `unknown`, which
            gives what is not known for a reason, `weights`, which gives what is loaded, and `op`, whose attributes are the op kinds: `op.var(x, axis=-1, correction=1)` is the op of kind `var` that reads `x` and
            states the two attributes; keywords that are None are not stated.
            `unknown(why)` is a value that cannot be known from the call alone.
        inplace: the first operand's name afterwards stands for the result.
    """

    source: str
    inplace: bool = False

    @cached_property
    def tree(self) -> ast.Lambda:
        """The lambda, parsed."""
        node = ast.parse(self.source.strip(), mode="eval").body
        if not isinstance(node, ast.Lambda):
            raise TypeError(f"a formula is a lambda: {self.source}")
        return node


@dataclass(frozen=True)
class LayerRow:
    """What constructing, then calling a layer class of a framework computes.

    Args:
        kind: name of the op kind.
        init: the constructor's parameter list, without `self`.
        call: the parameter list of its call, with `!` behind what the op reads.
        attrs: attribute -> constructor parameter; `"1 - momentum"` states what is left of 1, and
            `"bias if affine"` no bias where nothing is affine.
        const: attributes that this class fixes.
        weights: names under which the layer keeps learned tensors, read by code that computes with them itself.
        counted: those of them that are not learned but counted, such as a running mean.
        outputs: how many values its call returns; the first is the op's, the others are opaque parts of it.
        plain: constructor or call parameters that must keep their default for this row to be what is computed.
        active: call parameter that switches it on: where it is false the first operand comes out unchanged; where
            it is None, train or eval mode decides.
        order: call parameters in the order of the kind's operands, where the framework's order is another;
            `"key|value"` is the key, or the value where no key is given.
        methods: name of a method besides the call -> what it computes, a lambda whose first parameter is the layer.
    """

    kind: str
    init: str
    call: str = "input!"
    attrs: dict[str, str] = field(default_factory=dict)
    const: dict[str, AttrValue] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    outputs: int = 1
    plain: tuple[str, ...] = ()
    active: str = ""
    order: tuple[str, ...] = ()
    methods: dict[str, str] = field(default_factory=dict)

    @cached_property
    def init_parameters(self) -> tuple[Parameter, ...]:
        return parameters(self.init)

    @cached_property
    def call_parameters(self) -> tuple[Parameter, ...]:
        return parameters(self.call)


@dataclass(frozen=True)
class Dialect:
    """One framework's names.

    Args:
        name: of the framework.
        functions: fully qualified name -> row.
        methods: name of a method of the framework's tensors -> row.
        properties: name of an attribute of the framework's tensors that computes something (`T`) -> row.
        formulas: fully qualified name -> formula, for calls that no row fits.
        method_formulas: the same for methods; the tensor itself is the first parameter.
        keywords: other spellings that the framework takes for a parameter's name (`axis` -> `dim`), for functions,
            methods and formulas whose parameter list has the second and not the first.
        layers: fully qualified class name -> row.
        aliases: prefix of a qualified name -> prefix under which the tables list it
            (`torch.nn.modules.normalization.` -> `torch.nn.`); the longest prefix wins. One that does not end in a
            dot is a whole name.
        bases: qualified name of a base class whose instances are models or layers -> names of the methods that
            a call runs, in order of preference (`torch.nn.Module` -> `("forward",)`).
        readable: prefixes of qualified names that are read from the framework's source, where it is at hand and no table lists
            them; all other names are its machinery. None: all are read.
        prepares: names of the methods that the first call of such an instance runs before, with the shape of its input.
        numbered: modules that are made while a method of another runs are its parts, called by the `name` they are given, or after
            their class and a number (`Dense_0`); one that is made again under a name is the same one.
        late: names of the methods that fill an instance, run once when it is first called or looked into (`setup`).
        trains: argument or field of a target -> whether it is true in training; what the caller of a whole model says.
        modes: names of arguments of a call that say whether a model is trained, and that the framework fills from the call
            around where they are left out.
        containers: qualified class name -> "sequence", "sequential" or "mapping".
        keeping: the containers that have modules which become attributes of them among their items.
        ignored: prefixes of qualified names whose calls compute nothing (logging, checks, profiling).
        records: prefixes of qualified names of classes whose instances only hold what they are given, by name and in order.
        metadata: names of tensor attributes and methods that tell about a tensor and compute nothing from it.
        module_metadata: names of attributes that the framework's layers have and that tell nothing of what they compute.
        transparent: prefixes of qualified names of decorators that leave what they decorate as it is.
        ties: qualified names of functions that are not read and may make weights one; after such a call it is not known
            which weights a model shares.
        presets: qualified class name -> attributes that the library sets on its instances where it builds a model, and
            that code reads although the class itself leaves them None.
        defaults: qualified class name -> attributes that are taken to be these where nobody gives them, whatever the library's
            own default is: they say how a model is used, not what it is.
        answers: qualified name of a function -> what it is taken to answer, and what is assumed by that. It asks what a
            tensor holds.
        tied_by: qualified class name of a configuration, or of a model -> the attribute of its configuration by which the library decides whether the map to
            the vocabulary uses the embedding's own matrix.
        classes: qualified class name -> its definition in Python, for classes that other code extends and looks into; a
            class that has a row too is what its row says where it is used as it is.
        models: qualified name of a class of models that extends no base -> the method that a call of a model runs.
        model_arguments: what a caller who only wants the model's output gives this method.
        model_modes: argument of this method -> the name of what it is in evaluation, and in training.
        given: name of the formula that makes an input of such a model from a tensor; "" where a tensor is one.
        given_as: what is taken for granted by that.
        tensor: prefix under which the methods of tensors are functions too (`torch.Tensor.`), or "".
    """

    name: str
    functions: dict[str, Row] = field(default_factory=dict)
    methods: dict[str, Row] = field(default_factory=dict)
    layers: dict[str, LayerRow] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    bases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    containers: dict[str, str] = field(default_factory=dict)
    keeping: frozenset[str] = frozenset()
    ignored: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    metadata: frozenset[str] = frozenset()
    properties: dict[str, Row] = field(default_factory=dict)
    formulas: dict[str, Formula] = field(default_factory=dict)
    method_formulas: dict[str, Formula] = field(default_factory=dict)
    keywords: dict[str, str] = field(default_factory=dict)
    transparent: tuple[str, ...] = ()
    ties: tuple[str, ...] = ()
    presets: dict[str, dict[str, AttrValue]] = field(default_factory=dict)
    defaults: dict[str, dict[str, AttrValue]] = field(default_factory=dict)
    answers: dict[str, tuple[AttrValue, str]] = field(default_factory=dict)
    readable: tuple[str, ...] | None = None
    prepares: tuple[str, ...] = ()
    numbered: bool = False
    late: tuple[str, ...] = ()
    trains: dict[str, bool] = field(default_factory=dict)
    modes: tuple[str, ...] = ()
    tied_by: dict[str, str] = field(default_factory=dict)
    module_metadata: frozenset[str] = frozenset()
    classes: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    model_arguments: dict[str, AttrValue] = field(default_factory=dict)
    model_modes: dict[str, tuple[str, str]] = field(default_factory=dict)
    given: str = ""
    given_as: str = ""
    tensor: str = ""


def stated(attribute: str, value: AttrValue) -> AttrValue:
    """The value of an attribute as graphs state it; frameworks spell the same setting differently.

    `padding="SAME"` is `"same"`, and `approximate=True` is `"tanh"`, the form that every framework means by it. None is
    not stated.
    """
    if isinstance(value, str) and attribute in ("padding", "mode", "padding_mode"):
        return value.lower()
    if isinstance(value, bool) and attribute == "approximate":
        return "tanh" if value else "none"
    if attribute == "channels_last" and isinstance(value, str):
        return value.lower() not in ("channels_first", "ncw", "nchw", "ncdhw")
    if value in ("euclidean", "fro") and attribute == "p":
        return 2
    if attribute == "axes" and value == ():
        return None  # a mask that no axis shares
    if attribute == "frozen" and value is False:
        return None  # what is learned goes without saying
    return value
