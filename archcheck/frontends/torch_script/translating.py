"""One function of a TorchScript archive → lines of Python that mean the same.

TorchScript writes Python's syntax with its own words: types as annotations, `torch.add` for `+` of any two values,
`ops.prim` for what has no name in torch, CONSTANTS for tensors kept beside the code. A word that nobody knows here
becomes the call of something unknown, which the reader takes for an opaque op.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from archcheck.frontends.torch_script import calls, indexing
from archcheck.frontends.torch_script.calls import LIST, NUMBER, OTHER
from archcheck.frontends.torch_script.code import chain

Line = tuple[int, str, ast.AST]  # depth, text, the statement that it was made of
Resolve = Callable[[str], ast.expr]

UNREAD = "torch.ops.torchscript"  # what is called so is opaque
_RESERVED = frozenset(
    {"torch", "torchscript", "math", "List", "Dict", "Tuple", "Optional", "NamedTuple", *dir(builtins)}
) - {"input"}
_CASTS = frozenset({"int", "float", "bool", "str", "complex"})
_PLAIN_CALLS = frozenset({"range", "len", "print", "enumerate", "zip", "reversed", "list", "dict", "min", "max"})
_NUMBERS = frozenset({"int", "float", "bool", "number"})
# op -> its argument that says whether it is active
_SWITCHES = dict.fromkeys(("torch.dropout", "torch.dropout_", "torch.feature_dropout", "torch.alpha_dropout"), 2)
_SWITCHES |= {"torch.batch_norm": 5, "torch.lstm": 6, "torch.gru": 6}
_ERRORS = frozenset(word for word in dir(builtins) if word.endswith("Error"))


class Translator:
    """Translates the functions of one class, or one function.

    Args:
        resolve: gives what stands for a class or a function of the archive, by qualified name.
        constants: what stands for each of the archive's constants.
        types: attribute of the class -> its type, as TorchScript writes it.
        switches: is given, for each op with a switch for training that is written down, its name and the switch.
    """

    def __init__(
        self,
        resolve: Resolve,
        constants: Sequence[ast.expr],
        types: Mapping[str, str],
        switches: list[tuple[str, bool]],
    ) -> None:
        self.resolve = resolve
        self.constants = constants
        self.types = types
        self.switches = switches
        self.kinds: dict[str, str] = {}
        self.uses: Counter[str] = Counter()
        self.lists: dict[str, ast.List] = {}  # names that hold a list that is used once
        self.own = ""

    # ---- statements

    def function(self, node: ast.FunctionDef, depth: int, *, name: str = "") -> Iterator[Line]:
        """A function with its body."""
        self.kinds = {}
        given = node.args
        self.own = given.args[0].arg if given.args and self.types else ""
        parameters = []
        spare = [None] * (len(given.args) - len(given.defaults))
        for arg, default in zip(given.args, [*spare, *given.defaults], strict=True):
            kind = arg.annotation
            self.kinds[arg.arg] = _kind_of_type(kind)
            told = _annotation(kind) if arg.arg != self.own else ""
            text = f"{_local(arg.arg)}: {told}" if told else _local(arg.arg)
            parameters.append(text + (f" = {ast.unparse(self.expr(default))}" if default is not None else ""))
        self.uses, self.lists = indexing.uses_of(node), {}
        yield depth, f"def {name or node.name}({', '.join(parameters)}):", node
        yield from self.block(node.body, depth + 1, node)

    def block(self, body: Sequence[ast.stmt], depth: int, around: ast.AST) -> Iterator[Line]:
        """Statements; `pass` where there are none."""
        self.lists = {}  # what is held in one block is told of no other
        if not body:
            yield depth, "pass", around
        for statement in indexing.inlined(body, self.uses):
            yield from self.statement(statement, depth)
        self.lists = {}

    def statement(self, node: ast.stmt, depth: int) -> Iterator[Line]:
        """One statement, with those inside it."""
        if isinstance(node, ast.If | ast.While):
            if (
                isinstance(node, ast.If)
                and node.orelse
                and all(map(_fails, node.orelse))
                and not all(map(_fails, node.body))
            ):
                yield from self.checked(node, depth)
                return
            word = "if" if isinstance(node, ast.If) else "while"
            yield depth, f"{word} {ast.unparse(self.expr(node.test))}:", node
            yield from self.block(node.body, depth + 1, node)
            if isinstance(node, ast.If) and any(not isinstance(one, ast.Pass) for one in node.orelse):
                yield depth, "else:", node
                yield from self.block(node.orelse, depth + 1, node)
        elif isinstance(node, ast.For):
            yield depth, f"for {ast.unparse(self.expr(node.target))} in {ast.unparse(self.expr(node.iter))}:", node
            yield from self.block(node.body, depth + 1, node)
        elif isinstance(node, ast.With):
            items = ", ".join(ast.unparse(self.expr(item.context_expr)) for item in node.items)
            yield depth, f"with {items}:", node
            yield from self.block(node.body, depth + 1, node)
        else:
            yield depth, ast.unparse(ast.fix_missing_locations(self.simple(node))), node

    def checked(self, node: ast.If, depth: int) -> Iterator[Line]:
        """`assert`, which TorchScript writes as a branch that does nothing, and one that fails."""
        yield depth, f"if not ({ast.unparse(self.expr(node.test))}):", node
        yield from self.block(node.orelse, depth + 1, node)
        yield from (line for one in node.body if not isinstance(one, ast.Pass) for line in self.statement(one, depth))

    def simple(self, node: ast.stmt) -> ast.stmt:
        """A statement with none inside it."""
        if (part := indexing.written(node, self.expr)) is not None:
            return part
        if isinstance(node, ast.Assign):
            return self.assign(node.targets, node.value)
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            made = self.assign([node.target], node.value)
            if isinstance(node.target, ast.Name):
                self.kinds[node.target.id] = _kind_of_type(node.annotation)
            return made
        if isinstance(node, ast.Return):
            return ast.Return(None if node.value is None else self.expr(node.value))
        if isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Call) and chain(node.value.func) == "ops.prim.RaiseException":
                return self.raised(node.value.args)
            return ast.Expr(self.expr(node.value))
        if isinstance(node, ast.Pass | ast.Break | ast.Continue):
            return node
        return ast.Expr(_unread(type(node).__name__))

    def assign(self, targets: Sequence[ast.expr], value: ast.expr) -> ast.stmt:
        """An assignment; what is known of the value is known of the name."""
        made = self.expr(value)
        for target in targets:
            if isinstance(target, ast.Name):
                self.kinds[target.id] = self.kind(value)
                self.lists = {word: one for word, one in self.lists.items() if target.id not in {word, *_names(one)}}
                if isinstance(items := _unwrapped(value), ast.List) and self.uses[target.id] == 1:
                    self.lists[target.id] = items
            elif isinstance(target, ast.Tuple):
                parts = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else []
                for at, one in enumerate(target.elts):
                    if isinstance(one, ast.Name):
                        told = self.kind(parts[at]) if parts else NUMBER if self._is_size(value) else OTHER
                        self.kinds[one.id] = told
        return ast.Assign([self.expr(target) for target in targets], made)

    def raised(self, args: Sequence[ast.expr]) -> ast.stmt:
        """An error; TorchScript keeps its class as a text."""
        told = args[1].value if len(args) > 1 and isinstance(args[1], ast.Constant) else ""
        word = str(told).rpartition(".")[2]
        return ast.Raise(
            calls.call(word if word in _ERRORS else "AssertionError", [self.expr(arg) for arg in args[:1]])
        )

    # ---- expressions

    def expr(self, node: ast.expr) -> ast.expr:
        """An expression as Python."""
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if isinstance(node, ast.Name):
            if node.id in ("inf", "nan") and node.id not in self.kinds:
                return calls.call("float", [ast.Constant(node.id)])
            return ast.Name(_local(node.id), node.ctx)
        if isinstance(node, ast.Constant):
            return node if not isinstance(node.value, bytes) else _unread("bytes")
        if isinstance(node, ast.Tuple):
            return ast.Tuple([self.expr(one) for one in node.elts], node.ctx)
        if isinstance(node, ast.List):
            return ast.List([self.expr(one) for one in node.elts], node.ctx)
        if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
            keys: list[ast.expr | None] = [self.expr(key) for key in node.keys if key is not None]
            return ast.Dict(keys, [self.expr(value) for value in node.values])
        if isinstance(node, ast.Subscript):
            return ast.Subscript(self.expr(node.value), self.expr(node.slice), node.ctx)
        if isinstance(node, ast.Slice):
            bounds = (node.lower, node.upper, node.step)
            return ast.Slice(*(None if one is None else self.expr(one) for one in bounds))
        if isinstance(node, ast.UnaryOp):
            return ast.UnaryOp(node.op, self.expr(node.operand))
        if isinstance(node, ast.BinOp):
            return ast.BinOp(self.expr(node.left), node.op, self.expr(node.right))
        if isinstance(node, ast.BoolOp):
            return ast.BoolOp(node.op, [self.expr(one) for one in node.values])
        if isinstance(node, ast.Compare):
            return ast.Compare(self.expr(node.left), node.ops, [self.expr(one) for one in node.comparators])
        if isinstance(node, ast.IfExp):
            return ast.IfExp(self.expr(node.test), self.expr(node.body), self.expr(node.orelse))
        return _unread(type(node).__name__)

    def attribute(self, node: ast.Attribute) -> ast.expr:
        """`CONSTANTS.c0`, a name of the archive, or an attribute of a value."""
        name = chain(node)
        first, _, rest = name.partition(".")
        if first == "__torch__":
            return self.resolve(name)
        if first == "CONSTANTS":
            at = int(rest[1:]) if rest[:1] == "c" and rest[1:].isdecimal() and len(rest) < 9 else -1
            return self.constants[at] if 0 <= at < len(self.constants) else _unread("constant")
        if first in ("torch", "ops"):
            return calls.name(name)
        return ast.Attribute(self.expr(node.value), node.attr, node.ctx)

    def call(self, node: ast.Call) -> ast.expr:
        """A call: of torch, of a method, of something in the archive, or of one of TorchScript's own words."""
        name = chain(node.func)
        if name in ("annotate", "unchecked_cast") and len(node.args) == 2:
            return self.expr(node.args[1])
        if name == "uninitialized":
            return ast.Constant(None)  # on a way that code never takes
        if name == "torch.index" and len(node.args) == 2 and isinstance(node.args[1], ast.Name):
            node = ast.Call(node.func, [node.args[0], self.lists.get(node.args[1].id, node.args[1])], node.keywords)
        args = [self.expr(_unwrapped(arg)) for arg in node.args]
        kwargs = {word.arg: self.expr(word.value) for word in node.keywords if word.arg is not None}
        if name == "isinstance" and len(args) == 2:
            return calls.call("isinstance", [args[0], _class_of_type(node.args[1])])
        if name == "getattr" and len(args) == 2:
            return calls.call("getattr", args)
        if name in _CASTS or name in _PLAIN_CALLS:
            if name in ("int", "float", "bool") and len(args) == 1 and self.kind(node.args[0]) == NUMBER:
                return args[0] if name == "int" and not self._divides(node.args[0]) else calls.call(name, args)
            return calls.call(name, args, kwargs)
        first, _, rest = name.partition(".")
        if indexing.is_step(node) and self.kind(node.args[0]) != LIST:
            whole = indexing.index(node, self.expr)
            if whole is not None:
                return whole
        at = _SWITCHES.get(name, len(node.args))
        if at < len(node.args) and isinstance(switch := node.args[at], ast.Constant) and type(switch.value) is bool:
            self.switches.append((rest, switch.value))
        if first == "torch" and rest and "." not in rest:
            known = {id(made): self.kind(arg) for made, arg in zip(args, node.args, strict=True)}
            return calls.torch_call(rest, args, kwargs, lambda made: known.get(id(made), OTHER))
        if first == "torch":
            return calls.call(name, args, kwargs)
        if first == "ops":
            space, _, word = rest.partition(".")
            made = calls.prim_call(word, args, kwargs) if space == "prim" else None
            if space == "aten":
                return calls.torch_call(word, args, kwargs, lambda made: OTHER)
            return made if made is not None else calls.call(f"torch.{name}", args, kwargs)
        if first == "__torch__":
            return calls.call(self.resolve(name), args, kwargs)
        if isinstance(node.func, ast.Attribute):
            receiver = self.expr(node.func.value)
            return calls.method(receiver, node.func.attr, args, kwargs)
        if isinstance(node.func, ast.Name):
            return calls.call(ast.Name(_local(node.func.id), ast.Load()), args, kwargs)
        return _unread("call", args)

    # ---- what is known of a value

    def kind(self, node: ast.expr) -> str:
        """Whether an expression is a number or a list, as far as that is known."""
        if isinstance(node, ast.Constant):
            told = isinstance(node.value, int | float | bool)
            return NUMBER if told else LIST if isinstance(node.value, str) else OTHER
        if isinstance(node, ast.List):
            return LIST
        if isinstance(node, ast.Name):
            return self.kinds.get(node.id, OTHER)
        if isinstance(node, ast.Attribute):
            name = chain(node)
            if name.startswith("CONSTANTS."):
                return NUMBER if isinstance(self.attribute(node), ast.Constant | ast.UnaryOp) else OTHER
            own = isinstance(node.value, ast.Name) and node.value.id == self.own
            return _kind_of_text(self.types.get(node.attr, "")) if own else OTHER
        if isinstance(node, ast.Subscript):
            return NUMBER if self._is_size(node.value) else OTHER
        if isinstance(node, ast.UnaryOp):
            return self.kind(node.operand)
        if isinstance(node, ast.Call):
            return self.kind_of_call(node)
        return OTHER

    def kind_of_call(self, node: ast.Call) -> str:
        """What a call gives."""
        name = chain(node.func)
        if name in ("annotate", "unchecked_cast") and len(node.args) == 2:
            return _kind_of_type(node.args[0])
        if name in ("int", "float", "bool", "ops.prim.NumToTensor", "len"):
            return NUMBER
        if name == "torch.size":
            return NUMBER if len(node.args) > 1 else LIST
        if name in ("torch.slice", "torch.format", "torch.list", "torch.split") and node.args:
            return LIST if self.kind(node.args[0]) == LIST else OTHER
        if name.startswith("torch.") and node.args:
            return NUMBER if calls.is_number_op(name[6:], [self.kind(arg) for arg in node.args]) else OTHER
        return OTHER

    def _is_size(self, node: ast.expr) -> bool:
        """Whether a value is the list of a tensor's sizes."""
        return isinstance(node, ast.Call) and chain(node.func) == "torch.size" and len(node.args) == 1

    def _divides(self, node: ast.expr) -> bool:
        """Whether a number may be a fraction, which `int` cuts off."""
        if isinstance(node, ast.Call):
            name = chain(node.func)
            if name in ("ops.prim.NumToTensor", "torch.size", "int", "torch.len", "torch.dim"):
                return False
            if name in ("torch.mul", "torch.add", "torch.sub", "torch.floor_divide"):
                return any(self._divides(arg) for arg in node.args[:2])
            return True
        return not (isinstance(node, ast.Constant) and isinstance(node.value, int)) and not isinstance(node, ast.Name)


def _unwrapped(node: ast.expr) -> ast.expr:
    """A value without what TorchScript says of its type."""
    if isinstance(node, ast.Call) and chain(node.func) in ("annotate", "unchecked_cast") and len(node.args) == 2:
        return node.args[1]
    return node


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _fails(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Call) and chain(value.func) == "ops.prim.RaiseException"


def _local(word: str) -> str:
    """A local name that hides nothing that these lines use."""
    return f"{word}_" if word in _RESERVED else word


def _unread(what: str, args: Sequence[ast.expr] = ()) -> ast.expr:
    return calls.call(f"{UNREAD}.{what}", args)


def _kind_of_type(node: ast.expr | None) -> str:
    return _kind_of_text("" if node is None else ast.unparse(node))


def _kind_of_text(text: str) -> str:
    text = text.removeprefix("Final[").removesuffix("]") if text.startswith("Final[") else text
    return NUMBER if text in _NUMBERS else LIST if text.startswith("List[") or text == "str" else OTHER


_ANNOTATIONS = {"Tensor": "torch.Tensor", "int": "int", "float": "float", "bool": "bool", "str": "str"}


def _annotation(node: ast.expr | None) -> str:
    """A type as Python's own annotations write it; "" for one that has no such form."""
    if isinstance(node, ast.Name):
        return _ANNOTATIONS.get(node.id, "")
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        inner = [_annotation(part) for part in parts]
        if node.value.id in ("List", "Dict", "Tuple", "Optional") and all(inner):
            return f"{node.value.id}[{', '.join(inner)}]"
    return ""


def _class_of_type(node: ast.expr) -> ast.expr:
    """The class that `isinstance` is asked for."""
    if isinstance(node, ast.Tuple):
        return ast.Tuple([_class_of_type(one) for one in node.elts], ast.Load())
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return ast.Name(node.value.id.lower(), ast.Load())
    told = ast.unparse(node)
    if told == "NoneType":
        return calls.call("type", [ast.Constant(None)])
    return calls.name("torch.Tensor") if told == "Tensor" else ast.Name(told if told in _CASTS else "list", ast.Load())
