"""The graph in an exported program, checked as it enters: it was written by whoever wrote the file.

The form is that of `torch/_export/serde/schema.py`, major versions 3 to 8: nodes with named arguments, each a union of
one kind; what the values are; and a signature that tells which inputs are learned. A name is read only behind what
gives it, so that no graph runs in a circle, and whatever does not hold up is an error that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archcheck.errors import TargetError
from archcheck.frontends.torch_export.program import Frame, Graph, Node, Program, Tensor
from archcheck.frontends.trace.wire import MOST_DEPTH, MOST_TEXT, Encoded

VERSIONS = range(3, 9)  # of the schema
MAX_NODES = 50_000
MAX_GRAPHS = 8  # graphs in each other
MAX_RANK = 64
MAX_FRAMES = 64
MOST_SIZES = 64  # that are told
UNKNOWN_SIZES = (11, 13, 17, 19, 23, 29, 31, 37)  # taken for sizes that the file does not tell

_FRAME = re.compile(r'File "([^"\n]{1,4096})", line (\d{1,9}), in (\S{1,256})(?:\n[ \t]*+(?!File ")([^\n]{0,1000}))?')
_SYMBOL = re.compile(r"Symbol\('(\w+)'[^()]*\)")
_PLACE = re.compile(r"[^\w.\-]")
_CALLED_AGAIN = re.compile(r"@\d+")
_FLOATS = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}


def parse(data: bytes, shown: str) -> Program:
    """The program that a JSON text holds.

    Args:
        data: the text.
        shown: how messages call the file.

    Raises:
        TargetError: it is no program, or one that makes no sense.
    """
    told = loaded(data, shown)
    try:
        version = told["schema_version"]
        major = version["major"] if isinstance(version, dict) else version
        if major not in VERSIONS or isinstance(major, bool):
            hint = "save it anew: torch.export.save(torch.export.export(model, inputs), FILE.pt2)"
            raise TargetError(f"the program is written in version {major!r} of its form", place=shown, hint=hint)
        return _Parser(told).program()
    except _NonsenseError as error:
        raise TargetError(f"the program makes no sense: {error}", place=shown) from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        why = f"{type(error).__name__} {str(error)[:120]}".strip()
        raise TargetError(
            f"the program makes no sense: its form is not that of a program ({why})", place=shown
        ) from None


def loaded(data: bytes, shown: str) -> Any:
    """A JSON object. Raises TargetError where there is none."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TargetError(f"the JSON in it cannot be read: {str(error)[:120]}", place=shown) from None
    if not isinstance(told, dict):
        raise TargetError("the JSON in it is no object", place=shown)
    return told


class _NonsenseError(Exception):
    """What is wrong with a program, in words."""


@dataclass
class _Scope:
    """The names of one graph."""

    told: Mapping[str, Any]
    depth: int
    tensors: dict[str, int] = field(default_factory=dict)
    others: dict[str, Encoded] = field(default_factory=dict)  # sizes, numbers, objects

    def is_known(self, name: str) -> bool:
        return name in self.tensors or name in self.others


def text(value: object) -> str:
    """`value`, which is a text, cut."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in the place of a text")
    return value[:MOST_TEXT]


def listed(value: object) -> list[Any]:
    """`value`, which is a list."""
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} in the place of a list")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} in the place of a whole number")
    return value


def _number(value: object) -> float:
    if isinstance(value, str) and value in _FLOATS:
        return _FLOATS[value]
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} in the place of a number")
    return float(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} in the place of true or false")
    return value


def union(value: object) -> tuple[str, Any]:
    """The kind and the content of a union, which is an object with one key."""
    if not isinstance(value, dict) or len(value) != 1:
        raise TypeError("a union has one key")
    ((kind, content),) = value.items()
    return text(kind), content


def shape_of(meta: Mapping[str, Any], size: Callable[[object], int]) -> tuple[int, ...]:
    """The sizes of a tensor."""
    sizes = listed(meta["sizes"])
    if len(sizes) > MAX_RANK:
        raise _NonsenseError(f"a tensor has {len(sizes)} axes")
    return tuple(size(one) for one in sizes)


class _Parser:
    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told
        self.module = told["graph_module"]
        self.found = Program(Graph((), (), ()))
        self.nodes = 0

    def program(self) -> Program:
        found = self.found
        scope = self._scope(self.module["graph"], 0)
        signature = self.module["signature"]
        names = self._argument_names(listed(signature["input_specs"]))
        users = iter(names)
        for spec in signature["input_specs"]:
            kind, content = union(spec)
            if kind == "user_input":
                word = next(users)
                argument, value = union(content["arg"])
                if argument == "as_tensor":
                    found.inputs.append((word, self._known(scope, value["name"])))
            elif kind in ("parameter", "buffer", "tensor_constant"):
                word = text(content[f"{kind}_name"])
                held = {"parameter": found.parameters, "buffer": found.buffers}.get(kind, found.constants)
                held[self._known(scope, content["arg"]["name"])] = _PLACE.sub("_", word)
            elif kind == "constant_input":
                next(users, None)
        found.graph = self._graph(scope)
        for spec, output in zip(listed(signature["output_specs"]), found.graph.outputs, strict=True):
            kind, _ = union(spec)
            if kind in ("user_output", "loss_output") and isinstance(output, list) and output[0] == "t":
                found.results.append(output[1])
        found.as_exported = "ATEN" not in listed(self.told.get("verifiers", [])) and self.told.get("dialect") != "ATEN"
        return found

    # ---- names of arguments

    def _argument_names(self, specs: list[Any]) -> list[str]:
        """What the inputs that a user gives are called; without the tree of arguments, as the graph calls them."""
        users = [content for kind, content in map(union, specs) if kind in ("user_input", "constant_input")]
        plain = []
        for content in users:
            value = union(content["arg"])[1] if "arg" in content else None
            name = value.get("name", value.get("as_name")) if isinstance(value, dict) else content.get("name", "")
            plain.append(text(name or "")[:256])
        try:
            names = self._from_tree()
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError):
            return plain  # of another form than is known: the names in the graph serve as well
        return names if len(names) == len(plain) else plain

    def _from_tree(self) -> list[str]:
        signature = listed(self.module["module_call_graph"])[0]["signature"]
        _, tree = json.loads(signature["in_spec"])
        args, kwargs = tree["children_spec"]
        words = [text(word) for word in listed(signature["forward_arg_names"])]
        keys = json.loads(kwargs["context"])
        keys = keys[1] if keys and isinstance(keys[0], dict) else keys
        branches = [*args["children_spec"], *kwargs["children_spec"]]
        words = [*words[: len(args["children_spec"])], *(text(key) for key in keys)]
        found: list[str] = []
        for word, branch in zip(words, branches, strict=True):
            if branch["type"] is None:
                found.append(word)
            else:
                leaves = _leaves(branch, 0)
                found += [f"{word}[{at}]" for at in range(leaves)]
        return [word[:256] for word in found]

    # ---- graphs

    def _scope(self, told: Mapping[str, Any], depth: int) -> _Scope:
        if depth > MAX_GRAPHS:
            raise _NonsenseError(f"more than {MAX_GRAPHS} graphs stand in each other")
        scope = _Scope(told, depth)
        for one in listed(told["inputs"]):
            kind, content = union(one)
            if kind == "as_tensor":
                self._new(scope, content)
            elif isinstance(content, dict) and isinstance(content.get("name", content.get("as_name")), str):
                name = text(content.get("name", content.get("as_name")))
                scope.others[name] = self._other(scope, kind, name)
        return scope

    def _graph(self, scope: _Scope) -> Graph:
        inputs = tuple(scope.tensors.values())
        told = listed(scope.told["nodes"])
        self.nodes += len(told)
        if self.nodes > MAX_NODES:
            raise _NonsenseError(f"it has {self.nodes:,} nodes; at most {MAX_NODES:,} are read")
        nodes = tuple(self._node(scope, one) for one in told)
        outputs = tuple(self._argument(scope, one) for one in listed(scope.told["outputs"]))
        return Graph(inputs, nodes, outputs)

    def _node(self, scope: _Scope, told: Mapping[str, Any]) -> Node:
        target = text(told["target"])[:256]
        args: list[Encoded] = []
        names: list[str] = []
        kwargs: dict[str, Encoded] = {}
        for one in listed(told["inputs"]):
            name, value = text(one["name"])[:256], self._argument(scope, one["arg"])
            kind = one.get("kind")
            if kind == 2 or (kind is None and name in _KEYWORDS and not target.partition("aten.")[2].startswith(_OWN)):
                kwargs[name] = value
            else:
                args.append(value)
                names.append(name)
        given = ["u", *(self._output(scope, one) for one in listed(told["outputs"]))]
        metadata = told.get("metadata") or {}
        return Node(
            target,
            args,
            names,
            kwargs,
            given[1] if len(given) == 2 else given if len(given) > 2 else None,
            tuple(frames_in(text_or_none(metadata.get("stack_trace")))),
            tuple(_modules(text_or_none(metadata.get("nn_module_stack")))),
            text_or_none(metadata.get("torch_fn"))[:256],
        )

    # ---- values

    def _known(self, scope: _Scope, name: object) -> int:
        word = text(name)
        if word not in scope.tensors:
            raise _NonsenseError(f'"{word[:80]}" is read, and nothing before gives it')
        return scope.tensors[word]

    def _new(self, scope: _Scope, told: Mapping[str, Any]) -> Encoded:
        name = text(told["name"])
        if scope.is_known(name):
            raise _NonsenseError(f'"{name[:80]}" is given twice')
        meta = scope.told["tensor_values"].get(name)
        if meta is None:  # a result that is never read
            tensor = Tensor((), (), 0)
        else:
            strides = tuple(self._size(one) for one in listed(meta.get("strides", [])))
            tensor = Tensor(shape_of(meta, self._size), strides, _whole(meta.get("dtype", 0)))
        scope.tensors[name] = len(self.found.tensors)
        self.found.tensors.append(tensor)
        return ["t", scope.tensors[name]]

    def _size(self, told: object) -> int:
        kind, content = union(told)
        return _whole(content) if kind == "as_int" else int(self._expression(content))

    def _expression(self, told: Mapping[str, Any]) -> Any:
        """What a symbolic number was when the program was saved."""
        symbol = _SYMBOL.sub(r"\1", text(told["expr_str"]))[:80]
        hint = told.get("hint")
        value = union(hint)[1] if hint else None
        if not isinstance(value, (int, float)):
            if before := self.found.sizes.get(symbol, ""):
                return int(before.rpartition(" ")[2])
            value = UNKNOWN_SIZES[len(self.found.sizes) % len(UNKNOWN_SIZES)]
            if symbol.isidentifier() and len(self.found.sizes) < MOST_SIZES:
                self.found.sizes[symbol] = f"the size {symbol} is free, and is taken to be {value}"
        elif symbol.isidentifier() and len(self.found.sizes) < MOST_SIZES:
            self.found.sizes.setdefault(symbol, f"the size {symbol} is free, and was saved as {value}")
        return value

    def _other(self, scope: _Scope, kind: str, name: str) -> Encoded:
        """A value that is no tensor: a size, a number, an object."""
        table = {"as_sym_int": "sym_int_values", "as_sym_float": "sym_float_values", "as_sym_bool": "sym_bool_values"}
        told = scope.told.get(table.get(kind, ""), {}).get(name)
        if told is None:
            return ["x", f"value {name[:256]}"]
        how, content = union(told)
        if how == "as_expr":
            return self._expression(content)
        return content if _is_number(content) else ["x", f"value {name[:256]}"]

    def _output(self, scope: _Scope, told: object) -> Encoded:
        kind, content = union(told)
        if kind == "as_tensor":
            return self._new(scope, content)
        if kind == "as_tensors":
            return ["l", *(self._new(scope, one) for one in listed(content))]
        if kind in ("as_optional_tensor", "as_optional_tensors"):
            parts = [union(one) for one in (listed(content) if kind.endswith("s") else [content])]
            found = [self._new(scope, one) if how == "as_tensor" else None for how, one in parts]
            return ["l", *found] if kind.endswith("s") else found[0]
        if kind.startswith("as_sym_") or kind in ("as_custom_obj", "as_none"):
            name = content.get("as_name", content.get("name")) if isinstance(content, dict) else None
            if isinstance(name, str):
                if scope.is_known(name):
                    raise _NonsenseError(f'"{name[:80]}" is given twice')
                scope.others[name] = self._other(scope, kind, name)
        return None

    def _argument(self, scope: _Scope, told: object, depth: int = 0) -> Encoded:
        if depth > MOST_DEPTH // 2:
            raise _NonsenseError("an argument nests too deeply")
        kind, content = union(told)
        if kind == "as_none":
            return None
        if kind == "as_tensor":
            return ["t", self._known(scope, content["name"])]
        if kind == "as_tensors":
            return ["l", *(["t", self._known(scope, one["name"])] for one in listed(content))]
        if kind in _PLAIN:
            return _PLAIN[kind](content)
        if kind in _LISTS:
            return ["l", *(_LISTS[kind](one) for one in listed(content))]
        if kind in _LISTS_OF_LISTS:
            return ["l", *(["l", *(_LISTS_OF_LISTS[kind](one) for one in listed(row))] for row in listed(content))]
        if kind in _SYMBOLIC:
            return self._symbolic(scope, kind, content)
        if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools"):
            return ["l", *(self._symbolic(scope, kind[:-1], one) for one in listed(content))]
        if kind == "as_optional_tensor":
            return self._argument(scope, content, depth + 1)
        if kind == "as_optional_tensors":
            return ["l", *(self._argument(scope, one, depth + 1) for one in listed(content))]
        if kind == "as_nested_tensors":
            rows = [[["t", self._known(scope, one["name"])] for one in listed(row)] for row in listed(content)]
            return ["l", *(["l", *row] for row in rows)]
        if kind == "as_string_to_argument":
            found: list[Encoded] = ["d"]
            for key, value in content.items():
                found += [text(key), self._argument(scope, value, depth + 1)]
            return found
        if kind == "as_graph":
            number = len(self.found.graphs)
            self.found.graphs.append(Graph((), (), ()))
            self.found.graphs[number] = self._graph(self._scope(content["graph"], scope.depth + 1))
            return ["x", f"graph {number}"]
        if kind in ("as_custom_obj", "as_complex"):
            return ["x", kind[3:]]
        raise _NonsenseError(f'an argument is of the kind "{kind[:80]}", which this version does not know')

    def _symbolic(self, scope: _Scope, kind: str, told: object) -> Encoded:
        how, content = union(told)
        if how != "as_name":
            return _PLAIN[how](content)
        name = text(content)
        if name not in scope.others:
            raise _NonsenseError(f'"{name[:80]}" is read, and nothing before gives it')
        return scope.others[name]


def text_or_none(value: object) -> str:
    """A text of any length, "" for what is none."""
    return value[: 16 * MOST_TEXT] if isinstance(value, str) else ""


def _is_number(value: object) -> bool:
    return isinstance(value, (bool, int, float))


def _leaves(tree: Mapping[str, Any], depth: int) -> int:
    """How many leaves a tuple or a list of leaves has; deeper trees have no short names."""
    if not str(tree["type"]).endswith((".tuple", ".list")) or any(
        one["type"] is not None for one in tree["children_spec"]
    ):
        raise ValueError("no flat tuple")
    return len(tree["children_spec"])


def frames_in(told: str) -> list[Frame]:
    """The lines of code that a stack trace tells, outermost first."""
    return [
        Frame(file, int(line), name, line_text) for file, line, name, line_text in _FRAME.findall(told)[-MAX_FRAMES:]
    ]


def _modules(told: str) -> list[tuple[str, str]]:
    """`key,path,class` for each module around a node, outermost first; the path names a called-again module too."""
    found = []
    for one in told.split(";"):
        parts = one.rsplit(",", 2)
        if len(parts) != 3 or parts[1].startswith("_empty_nn_module_stack"):
            continue
        path = _CALLED_AGAIN.sub("", parts[1].removeprefix("L['self']").lstrip("."))
        found.append((_PLACE.sub("_", path)[:512], parts[2].removeprefix("<class '").removesuffix("'>")[:256]))
    return found


# of ops in files that do not tell how an argument is given
_KEYWORDS = frozenset({"alpha", "beta", "dtype", "layout", "device", "pin_memory", "memory_format", "approximate"})
_KEYWORDS |= {"scale", "enable_gqa", "correction", "rounding_mode", "generator"}
_OWN = (
    "elu",
    "celu",
    "selu",
    "to.",
    "softmax.",
    "log_softmax.",
    "sum.",
    "mean.",
    "cumsum.",
    "prod.",
)  # in these they are positional
_DTYPES = dict(enumerate(("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"), 1))
_DTYPES |= {12: "bool", 13: "bfloat16"}
_PLAIN: dict[str, Callable[[Any], Encoded]] = {
    "as_int": _whole,
    "as_float": _number,
    "as_bool": _truth,
    "as_string": text,
    "as_operator": lambda value: ["x", f"operator {text(value)[:256]}"],
    "as_scalar_type": lambda value: ["x", f"torch.{_DTYPES.get(_whole(value), 'dtype')}"],
    "as_memory_format": lambda value: ["x", "torch.memory_format"],
    "as_layout": lambda value: ["x", "torch.layout"],
    "as_device": lambda value: ["x", "torch.device"],
}
_LISTS: dict[str, Callable[[Any], Encoded]] = {
    "as_ints": _whole,
    "as_floats": _number,
    "as_bools": _truth,
    "as_strings": text,
}
_LISTS_OF_LISTS: dict[str, Callable[[Any], Encoded]] = {"as_int_lists": _whole, "as_float_lists": _number}
_SYMBOLIC = frozenset({"as_sym_int", "as_sym_float", "as_sym_bool"})
