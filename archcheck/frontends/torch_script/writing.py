"""An archive → two files of Python: the classes of the model that it holds, and those that torch has given it.

Each object of the pickle becomes the construction of its class, in the constructor of the whole model; tensors that
share their numbers are one. The static reader reads these files as it reads any others. Lines remember what they were
made of.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from typing import Any

from archcheck.errors import TargetError
from archcheck.frontends.torch_export.archive import Archive
from archcheck.frontends.torch_script import calls, held
from archcheck.frontends.torch_script.code import Code, CodeFile, Definition, chain, constants_of, listed, types_of
from archcheck.frontends.torch_script.pickles import Object, TensorData
from archcheck.frontends.torch_script.translating import UNREAD, Line, Translator
from archcheck.frontends.torch_script.whole import ASSUMED, Whole, whole_layer

MAX_PARTS = 400_000  # of the values that objects hold
MAX_TEXT = 4_000_000  # characters
MAX_HELD = 256 * 1024**2  # bytes of tensors that nothing learns
PACKAGE = "torchscript"
LIBRARY, PROGRAM = f"{PACKAGE}.library", f"{PACKAGE}.program"
_OWN = "__torch__.torch."  # what torch itself has defined
_HEAD = "import math\nimport torch\nfrom typing import Dict, List, NamedTuple, Optional, Tuple\n"


@dataclass
class Written:
    """One file of Python.

    Attributes:
        text: its lines.
        origins: for each line, the file of the archive and the node that it was made of; None where there is none.
    """

    lines: list[str] = field(default_factory=list)
    origins: list[tuple[CodeFile, ast.AST] | None] = field(default_factory=list)
    size: int = 0

    @property
    def text(self) -> str:
        """The whole file."""
        return "\n".join(self.lines) + "\n"

    def add(self, depth: int, text: str, origin: tuple[CodeFile, ast.AST] | None = None) -> None:
        """One more line."""
        self.lines.append("    " * depth + text)
        self.origins.append(origin)
        self.size += len(self.lines[-1]) + 1


class Writer:
    """Writes the files for one archive.

    Args:
        archive: open.
        model: what its `data.pkl` holds.
        constants: what its `constants.pkl` holds.
        inside: names within the archive -> its entries.
        training: the mode that is asked for.
    """

    def __init__(self, archive: Archive, model: Object, constants: Any, inside: dict[str, str], training: bool) -> None:
        self.archive = archive
        self.inside = inside
        self.code = Code(archive)
        self.program, self.library = Written(), Written()
        self.symbols: dict[str, str] = {}  # the name of a class here -> the name that it has
        self.names: dict[str, str] = {}  # qualified name -> the name here
        self.waiting: list[str] = []
        self.parts = 0
        self.tensors: dict[TensorData, str] = {}
        self.objects: dict[int, str] = {}
        self.model = model
        self.training = bool(model.state.get("training", True))
        self.as_saved = self.training is training  # the mode that it was saved in is that which is asked for
        self.reads_mode = False  # whether its code asks in which mode it is
        self.frozen = False  # whether some of its parts were saved in another mode, and are read in that
        self.switches: list[tuple[str, bool]] = []
        self.learned: set[TensorData] = set()
        self.building: list[str] = []
        self.layers: dict[str, str] = {}  # whole layers of torch -> the classes that stand for them
        self.assumed: dict[str, None] = {}
        self.left = MAX_HELD
        self.read: dict[tuple[str, str], bytes] = {}  # storages of tensors that nothing learns
        self.constants = [self.constant(one) for one in (constants if isinstance(constants, tuple) else ())]

    def write(self) -> str:
        """Write both files.

        Returns:
            The name of the whole model's class.

        Raises:
            TargetError: the archive's parts do not fit each other, or there is too much of them.
        """
        for file in (self.program, self.library):
            for line in _HEAD.splitlines():
                file.add(0, line)
            file.add(0, f"import {LIBRARY}, {PROGRAM}")
        root = self.define(self.model.cls)
        name = self.named(self.model.cls, queue=False)
        fields = self.fields(root)
        self.learned = self._learned()
        values = self.values(self.model, root)
        self._write_class(self.program, name, root, fields, values)
        while self.waiting:
            self._write(self.waiting.pop())
        return name

    def mode(self) -> bool:
        """Whether a model whose code does not ask for its mode was saved in train mode.

        Its dropouts tell it before what else has a switch, since a norm may be frozen in train mode; and where nothing
        has one, what its root says of itself.
        """
        dropping = {on for op, on in self.switches if "dropout" in op}
        others = {on for op, on in self.switches if "dropout" not in op}
        return all(dropping) if dropping else any(others) if others else self.training

    # ---- classes and functions

    def define(self, qualified: str) -> Definition:
        """The class of an object.

        Raises:
            TargetError: the archive does not define it.
        """
        found = self.code.find(qualified) if qualified.startswith("__torch__.") else None
        if found is None or not isinstance(found.node, ast.ClassDef):
            shown = qualified.partition("\n")[0][:120]
            raise TargetError(
                f'an object is of class "{shown}", which its code does not define', place=self.archive.shown
            )
        return found

    def resolve(self, qualified: str) -> ast.expr:
        """What stands for a name of the archive in these files."""
        if self.code.find(qualified) is None:
            owner, _, word = qualified.rpartition(".")  # a member of an enumeration, or a method of a class
            if owner.count(".") and self.code.find(owner) is not None:
                return ast.Attribute(self.resolve(owner), word, ast.Load())
            return calls.name(f"{UNREAD}.{qualified.rpartition('.')[2]}")
        return self.place(qualified)

    def place(self, qualified: str) -> ast.expr:
        """The class or function of this name, from wherever it is used."""
        name = self.named(qualified)
        return calls.name(f"{LIBRARY if qualified.startswith(_OWN) else PROGRAM}.{name}")

    def named(self, qualified: str, *, queue: bool = True) -> str:
        """The name here of a class or function, which will be written."""
        if qualified not in self.names:
            word = qualified.partition(" ")[0].rpartition(".")[2]
            self.names[qualified] = f"{word}__{len(self.names)}"
            self.symbols[self.names[qualified]] = word
            if queue:
                self.waiting.append(qualified)
        return self.names[qualified]

    def _write(self, qualified: str) -> None:
        found = self.code.find(qualified)
        assert found is not None
        file = self.library if qualified.startswith(_OWN) else self.program
        name = self.names[qualified]
        if isinstance(found.node, ast.FunctionDef):
            self._lines(
                file,
                found,
                list(Translator(self.resolve, self.constants, {}, self.switches).function(found.node, 0, name=name)),
            )
            return
        bases = {ast.unparse(base) for base in found.node.bases}
        if "NamedTuple" in bases:
            file.add(0, f"class {name}(NamedTuple):", (found.file, found.node))
            for word in types_of(found.node):
                file.add(1, f"{word}: object" if word.isidentifier() else "pass")
            file.add(1, "pass")
        elif "Enum" in bases:
            file.add(0, f"{name} = {UNREAD}.Enum", (found.file, found.node))
        else:
            self._write_class(file, name, found, self.fields(found), None)

    def _write_class(
        self, file: Written, name: str, found: Definition, fields: dict[str, str], values: dict[str, str] | None
    ) -> None:
        """A class with its constructor, which takes its attributes, or builds them where `values` tells how."""
        node = found.node
        assert isinstance(node, ast.ClassDef)
        is_module = any(ast.unparse(base) == "Module" for base in node.bases)
        origin = (found.file, node)
        file.add(0, f"class {name}({'torch.nn.Module' if is_module else ''}):", origin)
        methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
        if is_module:  # TorchScript runs none of these where Python would
            methods = [one for one in methods if one.name not in _PYTHONS]
        if not any(one.name == "__init__" for one in methods):
            taken = "" if values is not None else "".join(f", p{at}" for at in range(len(fields)))
            file.add(1, f"def __init__(self{taken}):", origin)
            if is_module:
                file.add(2, "super().__init__()", origin)
            if values is not None:
                for line in self.building:
                    file.add(2, line, origin)
            buffers = listed(node, "__buffers__")
            for at, word in enumerate(fields):
                value = f"p{at}" if values is None else values.get(word, "None")
                if word in buffers:
                    file.add(2, f"self.register_buffer({word!r}, {value})", origin)
                elif word.isidentifier():
                    file.add(2, f"self.{word} = {value}", origin)
                else:
                    file.add(2, f"setattr(self, {word!r}, {value})", origin)
            for word, constant in constants_of(node).items():
                file.add(2, f"self.{word} = {f'{UNREAD}.value()' if constant is ... else repr(constant)}", origin)
            file.add(2, "pass", origin)
        types = types_of(node)
        for method in methods:
            lines = list(Translator(self.resolve, self.constants, types or {"": ""}, self.switches).function(method, 1))
            self._lines(file, found, lines)
            self.reads_mode = self.reads_mode or any(_reads_mode(one) for one in ast.walk(method))

    def _lines(self, file: Written, found: Definition, lines: list[Line]) -> None:
        for depth, text, node in lines:
            if depth > 90:
                raise TargetError("its code nests too deeply", place=f"{found.file.shown}:{getattr(node, 'lineno', 1)}")
            file.add(depth, text, (found.file, node))
            if file.size > MAX_TEXT:
                raise self.archive.refused(f"its code has more than {MAX_TEXT:,} characters")

    def fields(self, found: Definition) -> dict[str, str]:
        """The attributes that objects of a class hold, with their types, in order; its mode is no attribute here."""
        return {word: told for word, told in types_of(found.node).items() if word not in _LEFT_OUT}

    # ---- objects

    def _learned(self) -> set[TensorData]:
        """The tensors that some object lists among its parameters."""
        found: set[TensorData] = set()
        waiting: list[Any] = [self.model]
        seen: set[int] = set()
        while waiting:
            one = waiting.pop()
            if id(one) in seen or not isinstance(one, Object | list | tuple | dict):
                continue
            seen.add(id(one))
            if isinstance(one, Object):
                state = one.state if isinstance(one.state, dict) else {}
                definition = self.code.find(one.cls)
                for word in listed(definition.node, "__parameters__") if definition is not None else ():
                    if isinstance(state.get(word), TensorData):
                        found.add(state[word])
                waiting += list(state.values())
            else:
                waiting += list(one.values()) if isinstance(one, dict) else list(one)
        return found

    def values(self, made: Object, found: Definition) -> dict[str, str]:
        """What an object's attributes hold, as Python."""
        state = made.state if isinstance(made.state, dict) else {}
        return {word: self.value(state.get(word)) for word in self.fields(found)}

    def value(self, value: Any) -> str:
        """A value as Python; tensors and objects by the names under which they were made.

        Raises:
            TargetError: there are too many of them.
        """
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise self.archive.refused(f"its objects hold more than {MAX_PARTS:,} values")
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        if value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        if isinstance(value, list):
            return f"[{', '.join(map(self.value, value))}]"
        if isinstance(value, tuple):
            return f"({''.join(self.value(one) + ', ' for one in value)})"
        if isinstance(value, dict) and not any(isinstance(key, TensorData) for key in value):
            return f"{{{', '.join(f'{self.value(key)}: {self.value(one)}' for key, one in value.items())}}}"
        if isinstance(value, TensorData):
            return self.tensor(value)
        if isinstance(value, Object):
            return self.object(value)
        return f"{UNREAD}.value()"

    def object(self, made: Object) -> str:
        """The name under which an object was made."""
        if id(made) not in self.objects:
            found = self.define(made.cls)
            assert isinstance(found.node, ast.ClassDef)
            names = {one.name for one in found.node.body if isinstance(one, ast.FunctionDef)}
            bases = {ast.unparse(base) for base in found.node.bases}
            if (
                not isinstance(made.state, dict)
                or names & {"__setstate__", "__init__"}
                or bases & {"NamedTuple", "Enum"}
            ):
                return f"{UNREAD}.value()"
            whole = whole_layer(self.code, made, found, self.constants)
            if whole is not None:
                built = self.layer(made.cls, found, whole)
            else:
                built = f"{ast.unparse(self.place(made.cls))}({', '.join(self.values(made, found).values())})"
            name = f"m{len(self.objects)}"
            self.building.append(f"{name} = {built}")
            self.objects[id(made)] = name
            mode = made.state.get("training")
            if self.as_saved and isinstance(mode, bool) and mode is not self.training:
                self.building.append(f"{name}.training = {mode}")
                self.frozen = True
        return self.objects[id(made)]

    def layer(self, qualified: str, found: Definition, whole: Whole) -> str:
        """The construction of a whole layer of torch."""
        self.assumed[ASSUMED.format(name=whole.name)] = None
        self.reads_mode = self.reads_mode or whole.scripted
        if whole.drops is not None:
            self.switches.append(("dropout", whole.drops))
        if not whole.methods:
            return f"{whole.name}({whole.arguments})"
        key = f"{qualified} {whole!r}"
        if key not in self.layers:
            name = self.named(key, queue=False)
            file, origin = self.library, (found.file, found.node)
            file.add(0, f"class {name}({whole.name}):", origin)
            file.add(1, "def __init__(self):", origin)
            file.add(2, f"super().__init__({whole.arguments})", origin)
            for method, (given, result) in whole.methods.items():
                file.add(1, f"def {method}(self, {given}):", origin)
                file.add(2, f"return {result}", origin)
            self.layers[key] = f"{LIBRARY}.{name}"
        return f"{self.layers[key]}()"

    def tensor(self, tensor: TensorData) -> str:
        """The name under which a tensor was made."""
        if tensor not in self.tensors:
            name = f"t{len(self.tensors)}"
            shape = ", ".join(map(str, tensor.shape))
            if tensor in self.learned:
                made = f"torch.nn.Parameter(torch.empty(({shape}{',' if shape else ''})))"
            else:
                made = self.held(tensor, "data")
            self.building.append(f"{name} = {made}")
            self.tensors[tensor] = name
        return self.tensors[tensor]

    def held(self, tensor: TensorData, folder: str) -> str:
        """A tensor that is not learned, as Python; what it holds is told where that is little, or plain."""
        entry = self.inside.get(f"{folder}/{tensor.storage.key}")
        small = 0 < held.size_of(tensor) <= held.MOST and entry is not None
        if not small or entry is None or self.archive.entries[entry].size > held.MOST:
            return held.written(tensor, b"")
        if (tensor.storage.key, folder) not in self.read:
            size = self.archive.entries[entry].size
            if size > self.left:
                return held.written(tensor, b"")
            self.left -= size
            self.read[tensor.storage.key, folder] = self.archive.read(entry)
            self.archive.left += size  # code and pickles have a bound of their own
        return held.written(tensor, self.read[tensor.storage.key, folder])

    def constant(self, value: Any) -> ast.expr:
        """One of the constants beside the code: a number where it is a tensor of one."""
        if isinstance(value, TensorData):
            made = ast.parse(self.held(value, "constants"), mode="eval").body
            return made.args[0] if isinstance(made, ast.Call) and chain(made.func) == "torch.tensor" else made
        if value is None or isinstance(value, bool | int | float | str):
            return ast.Constant(value)
        return calls.call(f"{UNREAD}.constant")


_PYTHONS = frozenset({"__init__", "__new__", "__call__", "__getattr__", "__getattribute__", "__setattr__"})
_LEFT_OUT = frozenset({"training", "_is_full_backward_hook", "__parameters__", "__buffers__"})


def _reads_mode(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "training"


__all__ = ["LIBRARY", "PACKAGE", "PROGRAM", "Writer", "Written"]
