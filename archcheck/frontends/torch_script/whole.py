"""Layers of torch whose code computes one layer in many lines: attention and recurrences, as the layers that they are.

A script of `torch.nn.MultiheadAttention` has hundreds of lines that ask for ranks, masks and kernels; a trace has its
projections and heads spelled out, with sizes that no file tells. Where a class has torch's own name for such a layer,
holds its weights in its shapes and calls its ops and no others, it stands for the layer. All else is read as it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archcheck.frontends.torch_script.code import Code, Definition, chain, constants_of, parameters_of
from archcheck.frontends.torch_script.pickles import Object, TensorData

_CLASS = re.compile(
    r"__torch__\.torch\.nn\.modules\.(?:activation|rnn)\.(?:___torch_mangle_\d+\.)?(MultiheadAttention|LSTM|GRU)"
)
ASSUMED = "{name} in the archive is taken to compute what torch's own does: it has its weights, and calls its ops"
# Ops that compute nothing but shapes, questions and texts.
_LAID_OUT = frozenset({
    "__contains__", "__is__", "__isnot__", "__not__", "all", "any", "append", "cat", "chunk", "contiguous", "dim", "eq",
    "expand", "floordiv", "format", "ge", "gt", "is_autocast_enabled", "is_floating_point", "is_grad_enabled", "le",
    "len", "list", "lt", "ne", "pad", "permute", "remainder", "repeat", "reshape", "select", "size", "slice", "split",
    "split_with_sizes", "squeeze", "transpose", "unflatten", "unsqueeze", "unbind", "view", "warn", "zeros",
    "zeros_like", "index_select", "div", "add", "mul",
})  # fmt: skip
_OPS = {
    "MultiheadAttention": frozenset({
        "linear", "scaled_dot_product_attention", "softmax", "bmm", "baddbmm", "dropout", "dropout_", "mean", "sqrt",
        "masked_fill_", "masked_fill", "_native_multi_head_attention",
    }),
    "LSTM": frozenset({"lstm"}),
    "GRU": frozenset({"gru"}),
}  # fmt: skip
_GATES = {"LSTM": 4, "GRU": 3}
MOST = 40_000  # nodes of code that are looked through for one class


@dataclass(frozen=True, slots=True)
class Whole:
    """A class that stands for a layer of torch.

    Attributes:
        name: of the layer: "torch.nn.LSTM".
        arguments: what its constructor is given, as Python.
        methods: name of a method -> its parameters, and what it gives, as Python.
        scripted: whether its mode decides what it does, when it is called.
        drops: whether it was traced with a dropout that is on, or off; None where that does not show.
    """

    name: str
    arguments: str
    methods: Mapping[str, tuple[str, str]]
    scripted: bool
    drops: bool | None = None


def whole_layer(code: Code, made: Object, found: Definition, constants: Sequence[ast.expr]) -> Whole | None:
    """The layer that an object is; None where it is none, or not all about it is plain."""
    named = _CLASS.fullmatch(made.cls)
    state = made.state
    if named is None or not isinstance(found.node, ast.ClassDef) or not isinstance(state, dict):
        return None
    word = named[1]
    methods = {one.name: one for one in found.node.body if isinstance(one, ast.FunctionDef)}
    called = _called(code, found.node)
    if called is None or called - _LAID_OUT - _OPS[word] or not called & _OPS[word]:
        return None
    try:
        if word == "MultiheadAttention":
            if "num_heads" in state:
                return _scripted_attention(state, found.node, methods, called)
            return _traced_attention(state, methods["forward"], constants)
        return _recurrence(word, state, found.node, methods)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None  # code of another form


def _called(code: Code, node: ast.AST) -> set[str] | None:
    """The ops of torch that code calls, in the functions that it calls too; None where it is too much."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting: list[ast.AST] = [node]
    count = 0
    while waiting:
        for one in ast.walk(waiting.pop()):
            count += 1
            if count > MOST:
                return None
            if isinstance(one, ast.Call) and _is_of_part(one.func):
                return None  # what a part of it computes is no code of its own
            name = chain(one) if isinstance(one, ast.Attribute) else ""
            if name.startswith("torch.") and name.count(".") == 1:
                found.add(name[6:])
            elif name.count(".") > 1 and name.startswith("ops.") and not name.startswith("ops.prim."):
                return None
            elif name.startswith("__torch__.") and name not in seen:
                seen.add(name)
                defined = code.find(name)
                if defined is not None and isinstance(defined.node, ast.FunctionDef):
                    waiting.append(defined.node)
    return found - {"device"}


def _is_of_part(called: ast.expr) -> bool:
    """Whether a call is one of a method, and not of the layer's own."""
    if not isinstance(called, ast.Attribute):
        return False
    first = chain(called).partition(".")[0]
    return first not in ("torch", "ops", "__torch__", "self") or chain(called).startswith("self.") != (
        isinstance(called.value, ast.Name) and called.value.id == "self"
    )


# ---- attention


def _attention_sizes(state: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """The width of an attention, and what its constructor is given beside it and its heads; raises where they clash."""
    width = _shape(state["out_proj"].state["weight"])[0]
    given: dict[str, Any] = {"bias": isinstance(state.get("in_proj_bias"), TensorData)}
    if isinstance(state.get("in_proj_weight"), TensorData):
        if _shape(state["in_proj_weight"]) != (3 * width, width):
            raise ValueError("a projection of another size")
    else:
        given["kdim"], given["vdim"] = _shape(state["k_proj_weight"])[1], _shape(state["v_proj_weight"])[1]
        if _shape(state["q_proj_weight"]) != (width, width):
            raise ValueError("a projection of another size")
    if any(state.get(word) not in (None, False) for word in ("bias_k", "bias_v", "add_zero_attn")):
        raise ValueError("keys that are learned")
    return width, given


def _scripted_attention(
    state: Mapping[str, Any], node: ast.ClassDef, methods: Mapping[str, ast.FunctionDef], called: set[str]
) -> Whole | None:
    if not called >= {"linear", "scaled_dot_product_attention", "softmax"} or "forward" not in methods:
        return None
    width, given = _attention_sizes(state)
    heads = state["num_heads"]
    if type(heads) is not int or width % heads or state["embed_dim"] != width:
        return None
    first = state.get("batch_first", constants_of(node).get("batch_first", False))
    given |= {"dropout": float(state["dropout"]), "batch_first": first is True}
    return Whole("torch.nn.MultiheadAttention", f"{width}, {heads}, {_spelled(given)}", {}, True)


def _traced_attention(
    state: Mapping[str, Any], forward: ast.FunctionDef, constants: Sequence[ast.expr]
) -> Whole | None:
    width, given = _attention_sizes(state)
    flow = _Flow(forward)
    maps = [call for call in flow.calls("linear") if flow.source(call.args[1])[0].startswith("self.")]
    inner = [call for call in maps if "out_proj" not in flow.source(call.args[1])[0]]
    sources = [flow.source(call.args[0]) for call in inner]
    kernels = list(flow.calls("scaled_dot_product_attention"))
    softs = list(flow.calls("softmax"))
    if len(maps) != len(inner) + 1 or not inner or len(kernels) + len(softs) != 1 or list(flow.calls("baddbmm")):
        return None
    names = [name for name, _ in sources]
    asked = [arg.arg for arg in forward.args.args[1:]]
    if set(names) != set(asked):
        return None  # masks, or weights that come from elsewhere
    query, key, value = (names * 3)[:3] if len(names) == 1 else (*names, names[-1])[:3]
    turned = {count % 2 == 1 for _, count in sources}
    if len(turned) != 1:
        return None
    dropout = 0.0
    if kernels:
        rest = [_plain(arg) for arg in kernels[0].args[3:]]
        if rest[:1] not in ([], [None]) or rest[2:3] not in ([], [False]):
            return None
        dropout = float(rest[1]) if len(rest) > 1 else 0.0
    for call in flow.calls("dropout"):
        dropout = float(_plain(call.args[1])) if _plain(call.args[2]) is True else 0.0
    heads = next(
        _number(call.args[1], constants)
        for call in flow.calls("div")
        if any(k.arg == "rounding_mode" for k in call.keywords)
    )
    if heads < 1 or width % heads:
        return None
    given |= {"dropout": dropout, "batch_first": turned.pop()}
    several = isinstance(flow.result, ast.Tuple)
    told = f"{query}, {key}, {value}, need_weights={several or not kernels}"
    if several and not list(flow.calls("mean")):
        told += ", average_attn_weights=False"
    text = f"super().forward({told})" + ("" if several else "[0]")
    methods = {"forward": (", ".join(asked), text)}
    arguments = f"{width}, {heads}, {_spelled(given)}"
    return Whole("torch.nn.MultiheadAttention", arguments, methods, False, True if dropout > 0 else None)


# ---- recurrences


def _recurrence(
    word: str, state: Mapping[str, Any], node: ast.ClassDef, methods: Mapping[str, ast.FunctionDef]
) -> Whole | None:
    op = word.lower()
    fixed = constants_of(node)
    steps = {name: _Flow(method) for name, method in methods.items() if list(_Flow(method).calls(op))}
    first, second = _shape(state["weight_ih_l0"]), _shape(state["weight_hh_l0"])
    if first[0] != second[0] or first[0] != _GATES[word] * second[1] or fixed.get("proj_size", 0) != 0:
        return None
    built: dict[str, Any] | None = None
    drops: bool | None = None
    kept: dict[str, tuple[str, str]] = {}
    for name, flow in steps.items():
        (call,) = flow.calls(op)
        if len(call.args) != 9 or isinstance(call.args[2], ast.List):
            continue  # of sequences that are packed
        settings = [_plain(arg, None) for arg in call.args[3:6]] + [_plain(arg) for arg in call.args[7:9]]
        told = dict(zip(("bias", "num_layers", "dropout", "bidirectional", "batch_first"), settings, strict=True))
        if (built is not None and told != built) or any(one is None for one in settings):
            return None
        built = told
        given = [arg.arg for arg in methods[name].args.args[1:]]
        if "hidden_size" in fixed:  # a script takes what the layer takes
            kept[name] = (f"{given[0]}, {given[1]}=None", f"super().forward({given[0]}, {given[1]})")
        else:
            kept[name] = (", ".join(given), _stepped(word, flow, call, given))
            drops = bool(_plain(call.args[6])) if told["dropout"] else None
    if built is None:
        return None
    arguments = f"{first[1]}, {second[1]}, {_spelled(built)}"
    return Whole(f"torch.nn.{word}", arguments, kept, "hidden_size" in fixed, drops)


def _stepped(word: str, flow: _Flow, call: ast.Call, given: list[str]) -> str:
    """What a traced recurrence gives: parts of what the layer does. Raises ValueError where that is not plain."""
    starts = call.args[1].elts if isinstance(call.args[1], ast.List) else [call.args[1]]
    if isinstance(call.args[1], ast.Name) and isinstance(value := flow.values.get(call.args[1].id), ast.List):
        starts = value.elts
    sources = [flow.source(one)[0] for one in starts]
    read = flow.source(call.args[0])
    if read[0] not in given or read[1]:
        raise ValueError("what it reads is laid out anew")
    if all(one == "zeros" for one in sources):
        made = f"super().forward({read[0]})"
    elif all(one in given for one in sources):
        start = f"({', '.join(sources)})" if word == "LSTM" else sources[0]
        made = f"super().forward({read[0]}, {start})"
    else:
        raise ValueError("what it starts from is computed")
    parts = ["[0]", "[1][0]", "[1][1]"] if word == "LSTM" else ["[0]", "[1]"]
    where = dict(zip(flow.given_by(call), parts, strict=True))
    results = flow.result.elts if isinstance(flow.result, ast.Tuple) else [flow.result]
    texts = [f"{made}{where[one.id]}" for one in results if isinstance(one, ast.Name)]
    if len(texts) != len(results):
        raise ValueError("what it gives is computed")
    return f"({', '.join(texts)})" if isinstance(flow.result, ast.Tuple) else texts[0]


# ---- what code computes from what


class _Flow:
    """One method without branches: which name holds what."""

    def __init__(self, method: ast.FunctionDef) -> None:
        self.method = method
        self.parameters = parameters_of(method)[1:]
        self.own = method.args.args[0].arg
        self.values: dict[str, ast.expr] = {}
        self.result: ast.expr = ast.Constant(None)
        for one in method.body:
            if isinstance(one, ast.Assign):
                target = one.targets[0]
                for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(name, ast.Name):
                        self.values[name.id] = one.value
            elif isinstance(one, ast.Return) and one.value is not None:
                self.result = one.value

    def calls(self, word: str) -> Iterator[ast.Call]:
        """The calls of an op, in order."""
        for statement in self.method.body:
            for one in ast.walk(statement):
                if isinstance(one, ast.Call) and chain(one.func) == f"torch.{word}":
                    yield one

    def given_by(self, call: ast.Call) -> list[str]:
        """The names that get what a call gives."""
        for one in self.method.body:
            if isinstance(one, ast.Assign) and one.value is call and isinstance(one.targets[0], ast.Tuple):
                return [name.id for name in one.targets[0].elts if isinstance(name, ast.Name)]
        raise ValueError("what it gives has no names")

    def source(self, node: ast.expr, limit: int = 64) -> tuple[str, int]:
        """Where a value comes from: a parameter, or "self.name"; and how many times it was turned on the way.

        Raises:
            ValueError: it is computed.
        """
        turned = 0
        for _ in range(limit):
            if isinstance(node, ast.Name):
                if node.id in self.parameters:
                    return node.id, turned
                node = self.values[node.id]
            elif isinstance(node, ast.Attribute):
                owner = node.value
                if isinstance(owner, ast.Name) and owner.id == self.own:
                    return f"self.{node.attr}", turned
                return f"{self.source(owner, limit - 1)[0]}.{node.attr}", turned
            elif isinstance(node, ast.Call) and chain(node.func) == "torch.zeros":
                return "zeros", turned
            elif isinstance(node, ast.Call) and chain(node.func).startswith("torch."):
                word = chain(node.func)[6:]
                if word == "transpose" and sorted(_plain(arg) for arg in node.args[1:]) == [0, 1]:
                    turned += 1
                elif word not in ("split", "split_with_sizes", "chunk", "contiguous"):
                    raise ValueError("it is computed")
                node = node.args[0]
            else:
                raise ValueError("it is computed")
        raise ValueError("it goes round in circles")


def _plain(node: ast.expr, *other: Any) -> Any:
    """The plain value that a node writes."""
    if isinstance(node, ast.Constant):
        return node.value
    if other:
        return other[0]
    raise ValueError("no plain value")


def _number(node: ast.expr, constants: Sequence[ast.expr]) -> int:
    name = chain(node)
    if name.startswith("CONSTANTS.c"):
        node = constants[int(name[11:])]
    value = _plain(node)
    if type(value) is not int:
        raise ValueError("no number")
    return value


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, TensorData):
        raise TypeError("no tensor")
    return value.shape


def _spelled(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in given.items())
