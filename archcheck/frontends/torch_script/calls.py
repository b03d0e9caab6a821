"""Calls in TorchScript's code → Python that means the same: `torch.add(x, 1)` is `x + 1`, whatever `x` is.

TorchScript calls operators of ATen for tensors, numbers and lists alike. What Python has an operator or a method for
becomes that; of the rest, the names and the orders of arguments are those that the dialect tables list.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from archcheck.frontends.torch_export.aten import called

Args = list[ast.expr]
Kwargs = dict[str, ast.expr]

NUMBER, LIST, OTHER = "number", "list", ""  # what is known of a value before it is read

_OPERATORS: dict[str, type[ast.operator]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "div": ast.Div, "pow": ast.Pow, "remainder": ast.Mod,
    "floordiv": ast.FloorDiv, "floor_divide": ast.FloorDiv, "matmul": ast.MatMult,
    "__and__": ast.BitAnd, "__or__": ast.BitOr, "__xor__": ast.BitXor,
    "__lshift__": ast.LShift, "__rshift__": ast.RShift,
}  # fmt: skip
_RELATIONS: dict[str, type[ast.cmpop]] = {
    "eq": ast.Eq, "ne": ast.NotEq, "lt": ast.Lt, "le": ast.LtE, "gt": ast.Gt, "ge": ast.GtE,
    "__is__": ast.Is, "__isnot__": ast.IsNot,
}  # fmt: skip
_BUILT_IN = {"len": "len", "sorted": "sorted", "ord": "ord", "chr": "chr", "list": "list", "str": "str", "hash": "hash"}
_METHODS = frozenset({
    "append", "extend", "insert", "pop", "clear", "format", "keys", "values", "items", "get", "popitem", "setdefault",
    "update", "join", "lower", "upper", "startswith", "endswith", "strip", "split", "item", "dim", "requires_grad_",
    "is_floating_point", "type_as", "numel", "element_size", "detach", "contiguous", "to", "count", "reverse",
})  # fmt: skip
_OF_TENSORS = frozenset({"split", "to", "dim", "item", "contiguous", "detach", "numel"})  # methods of tensors too
_MATHS = frozenset({
    "sqrt", "exp", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "atan", "atan2", "tanh", "floor", "ceil",
})  # fmt: skip
# How torch numbers the kinds of elements.
_DTYPES = (
    "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex32", "complex64",
    "complex128", "bool",
)  # fmt: skip
_BFLOAT16 = 15
_DROPPED = frozenset({"layout", "device", "pin_memory", "memory_format"})  # they decide nothing that is computed
# Ops that take a kind of elements -> the place where it may stand.
_TAKES_DTYPE = {"softmax": 2, "log_softmax": 2, "sum": 3, "mean": 3, "cumsum": 2, "prod": 3}
_MAKERS = frozenset({"zeros", "ones", "empty", "full", "rand", "randn", "arange", "tensor", "zeros_like", "ones_like"})
_MAKERS |= {"full_like", "empty_like", "rand_like", "randn_like", "eye", "linspace", "new_zeros", "new_ones"}
_MAKERS |= {"new_full", "new_empty", "scalar_tensor", "as_tensor", "randint", "randperm"}
_PASSED = frozenset({"NumToTensor", "data", "unchecked_unwrap_optional", "detach", "autocast_to_full_precision"})
_PROPERTIES = frozenset({"dtype", "device", "shape", "layout", "itemsize", "ndim", "T", "mT", "real", "imag"})
# Tensors are plain ones, on whatever device, and what computes them learns.
_ANSWERS: dict[str, bool | str] = {
    "is_nested": False, "is_quantized": False, "is_sparse": False, "is_mps": False, "is_meta": False, "is_cuda": True,
    "requires_grad": True, "type": "cuda",
}  # fmt: skip


def name(word: str) -> ast.expr:
    """`a.b.c` as an expression."""
    first, *rest = word.split(".")
    node: ast.expr = ast.Name(first, ast.Load())
    for part in rest:
        node = ast.Attribute(node, part, ast.Load())
    return node


def call(function: ast.expr | str, args: Sequence[ast.expr] = (), kwargs: Kwargs | None = None) -> ast.Call:
    """A call."""
    called = name(function) if isinstance(function, str) else function
    return ast.Call(called, list(args), [ast.keyword(key, value) for key, value in (kwargs or {}).items()])


def method(value: ast.expr, word: str, args: Sequence[ast.expr] = (), kwargs: Kwargs | None = None) -> ast.expr:
    """A call of a method."""
    return call(ast.Attribute(value, word, ast.Load()), args, kwargs)


def torch_call(word: str, args: Args, kwargs: Kwargs, kinds: Callable[[ast.expr], str]) -> ast.expr:
    """`torch.word(...)` of TorchScript as Python.

    Args:
        word: the op.
        args: its positional arguments, which are Python already.
        kwargs: by keyword.
        kinds: what is known of a value: NUMBER, LIST or OTHER.
    """
    rule = _RULES.get(word)
    if rule is not None and (found := rule(word, args, kwargs, kinds)) is not None:
        return found
    kwargs = {key: _dtype(value) if key == "dtype" else value for key, value in kwargs.items() if key not in _DROPPED}
    at = _TAKES_DTYPE.get(word, len(args))
    if len(args) > at:
        args = args[:at]
    return _aten(word, args, kwargs)


def prim_call(word: str, args: Args, kwargs: Kwargs) -> ast.expr | None:
    """`ops.prim.word(...)` as Python; None where it is nothing that is known."""
    if word in _PASSED and len(args) == 1:
        return args[0]
    if word in _ANSWERS and len(args) == 1:
        return ast.Constant(_ANSWERS[word])
    if word in _PROPERTIES and len(args) == 1:
        return ast.Attribute(args[0], word, ast.Load())
    if word in ("min", "max", "abs", "tolist", "rangelist"):
        return method(args[0], "tolist") if word == "tolist" else call("range" if word == "rangelist" else word, args)
    return None


def is_number_op(word: str, kinds: Sequence[str]) -> bool:
    """Whether an op gives a number, by what it is given."""
    if word in ("len", "dim", "item", "numel"):
        return True
    known = word in _OPERATORS or word in _RELATIONS or word in _MATHS or word in ("neg", "abs", "max", "min", "round")
    return bool(known and kinds and all(kind == NUMBER for kind in kinds))


_Kinds = Callable[[ast.expr], str]
_Rule = Callable[[str, Args, Kwargs, _Kinds], ast.expr | None]


def _operator(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    if len(args) < 2 or set(kwargs) - {"alpha", "rounding_mode"}:
        return None
    left, right = args[:2]
    alpha = kwargs.get("alpha") or (args[2] if len(args) > 2 and word in ("add", "sub") else None)
    if alpha is not None and not (isinstance(alpha, ast.Constant) and alpha.value == 1):
        right = ast.BinOp(alpha, ast.Mult(), right)
    kind = _OPERATORS[word]
    rounding = kwargs.get("rounding_mode")
    if rounding is not None and not (isinstance(rounding, ast.Constant) and rounding.value is None):
        numbers = kinds(left) == kinds(right) == NUMBER
        if not numbers:
            return call("torch.div", [left, right], {"rounding_mode": rounding})
        kind = ast.FloorDiv  # sizes and counts, which are not negative: cut off and rounded down are the same
    return ast.BinOp(left, kind(), right)


def _relation(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return ast.Compare(args[0], [_RELATIONS[word]()], [args[1]]) if len(args) == 2 else None


def _negated(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return ast.UnaryOp(ast.Not() if word == "__not__" else ast.USub(), args[0])


def _contains(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return ast.Compare(args[1], [ast.In()], [args[0]])


def _item(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return ast.Subscript(args[0], args[1], ast.Load())


def _set_item(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return method(args[0], "__setitem__", args[1:])


def _built_in(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return call(_BUILT_IN[word], args, kwargs)


def _of_list(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    """`all`, `any`, `max`, `min`, `sum` of numbers are Python's; of tensors, torch's."""
    given = [kinds(arg) for arg in args]
    if given and (given[0] == LIST or all(kind == NUMBER for kind in given)):
        return call(word, args)
    return None


def _maths(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return call(f"math.{word}", args) if all(kinds(arg) == NUMBER for arg in args) else None


def _method(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    if word in _OF_TENSORS and word not in ("item", "dim", "numel"):
        return None
    return method(args[0], word, args[1:], kwargs) if args else None


def _size(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return method(args[0], "size", args[1:])


def _to(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    """A cast: to a kind of elements, a device, or as another tensor is."""
    given = kwargs.get("dtype")
    if given is None:
        given = next((one for one in args[1:] if _code(one) is not None), None)
    if given is not None:
        return method(args[0], "to", [_dtype(given)])
    others = [one for one in args[1:2] if not isinstance(one, ast.Constant)]
    return method(args[0], "to", others or [name("torch.float32")])


def _slice(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    """`x[a:b:c]` of a list or a text; of a tensor, along one axis."""
    value, rest = args[0], args[1:]
    if kinds(value) == LIST:
        return ast.Subscript(value, ast.Slice(*[_bound(one) for one in rest]), ast.Load())
    axis = rest[0].value if rest and isinstance(rest[0], ast.Constant) else None if rest else 0
    bounds = [_bound(one) for one in rest[1:]]
    if type(axis) is not int:
        return None
    cut: ast.expr = ast.Slice(*bounds)
    if axis < 0:
        before: list[ast.expr] = [ast.Constant(Ellipsis), cut, *(ast.Slice() for _ in range(-axis - 1))]
    else:
        before = [*(ast.Slice() for _ in range(min(axis, 64))), cut]
    return ast.Subscript(value, before[0] if len(before) == 1 else ast.Tuple(before, ast.Load()), ast.Load())


def _indexed(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    """`x[a, :, b]` with tensors for some of the axes."""
    if len(args) != 2 or not isinstance(args[1], ast.List) or not args[1].elts:
        return None
    parts: list[ast.expr] = [
        ast.Slice() if isinstance(one, ast.Constant) and one.value is None else one for one in args[1].elts
    ]
    return ast.Subscript(args[0], parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load()), ast.Load())


def _bound(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Constant) and (node.value is None or node.value == 2**63 - 1):
        return None
    return node


def _maker(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    """A new tensor, of the sizes that stand first; kind, layout and device of it stand behind."""
    kept = {key: value for key, value in kwargs.items() if key not in _DROPPED}
    if isinstance(kept.get("dtype"), ast.Constant):
        kept["dtype"] = _dtype(kept["dtype"])
    if "dtype" in kept and not ast.unparse(kept["dtype"]).startswith("torch."):
        del kept["dtype"]  # that of another tensor
    most = {"full": 2, "full_like": 2, "arange": 3, "linspace": 3, "eye": 2, "new_full": 3, "randint": 3}
    count = most.get(word, 2 if word.startswith("new_") else 1)
    if word.startswith("new_"):
        return method(args[0], word, args[1:count], kept)
    return call(f"torch.{word}", args[:count], kept)


def _nothing(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return ast.Constant(None)


def _grad(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    """Code is read as it is when a model learns: gradients are on, and no types are cast behind its back."""
    return ast.Constant(word == "is_grad_enabled")


def _implicit(word: str, args: Args, kwargs: Kwargs, kinds: _Kinds) -> ast.expr | None:
    return args[0]


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_METHODS, _method),
    **dict.fromkeys(_BUILT_IN, _built_in),
    **dict.fromkeys(_OPERATORS, _operator),
    **dict.fromkeys(_RELATIONS, _relation),
    **dict.fromkeys(_MATHS, _maths),
    **dict.fromkeys(("all", "any", "max", "min", "sum", "abs", "round"), _of_list),
    **dict.fromkeys(("neg", "__not__"), _negated),
    **dict.fromkeys(("ScalarImplicit", "IntImplicit", "FloatImplicit"), _implicit),
    **dict.fromkeys(("is_grad_enabled", "is_autocast_enabled", "is_autocast_cpu_enabled", "is_scripting"), _grad),
    **dict.fromkeys(_MAKERS, _maker),
    "warn": _nothing,
    "reciprocal": lambda word, args, kwargs, kinds: ast.BinOp(ast.Constant(1), ast.Div(), args[0]),
    "__contains__": _contains,
    "__getitem__": _item,
    "_set_item": _set_item,
    "size": _size,
    "to": _to,
    "slice": _slice,
    "index": _indexed,
}


def _aten(word: str, args: Args, kwargs: Kwargs) -> ast.expr:
    """An op of ATen under the name and with the arguments that the dialect tables list."""
    plain = [arg.value if isinstance(arg, ast.Constant) else arg for arg in args]
    axes = _spatial(plain)
    found = called(f"torch.ops.aten.{word}", plain, dict(kwargs), lambda value: axes)
    given = [_node(arg) for arg in found.args]
    named = {key: _node(value) for key, value in found.kwargs.items()}
    if found.name.startswith("property.") and given:
        return ast.Attribute(given[0], found.name.removeprefix("property."), ast.Load())
    if found.name.startswith("torch.Tensor.") and given:
        made: ast.expr = method(given[0], found.name.removeprefix("torch.Tensor."), given[1:], named)
    elif found.name.startswith("torch."):
        made = call(found.name, given, named)
    else:
        made = call(f"torch.ops.aten.{word}", given, named)
    several = found.first and word.startswith(("native_", "_native", "_scaled"))
    return ast.Subscript(ast.Tuple([made], ast.Load()), ast.Slice(), ast.Load()) if several else made


def _spatial(args: Sequence[Any]) -> int:
    """The rank of a convolution's weight, by its list of strides."""
    strides = args[3] if len(args) > 3 else None
    return len(strides.elts) + 2 if isinstance(strides, ast.List) else 0


def _node(value: Any) -> ast.expr:
    return value if isinstance(value, ast.expr) else ast.Constant(value)


def _code(node: ast.expr) -> int | None:
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _dtype(node: ast.expr) -> ast.expr:
    """A kind of elements, which TorchScript writes as a number."""
    code = _code(node)
    if code is None:
        return node
    if 0 <= code < len(_DTYPES):
        return name(f"torch.{_DTYPES[code]}")
    return name("torch.bfloat16") if code == _BFLOAT16 else ast.Constant(None)
