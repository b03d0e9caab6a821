"""Recorded calls become ops: each is looked up in the dialect tables, as the static reader looks up what it reads.

Reading and tracing so share what names of frameworks mean, how arguments are bound and stated, and how in-place
operations change a tensor and what it is a view of. What the tables do not list stays as an opaque op.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import archcheck.frontends.static.machine  # noqa: F401  # before its parts, which import it
from archcheck.errors import TargetError
from archcheck.frontends import dialects
from archcheck.frontends.static import conditions, iteration, modules, rows, signatures, sizes
from archcheck.frontends.static.library import Library
from archcheck.frontends.static.machine import Frame, Limits, Machine, OutOfFuel, Raised, flatten_tensors
from archcheck.frontends.static.sources import SourceFile
from archcheck.frontends.static.statements import write
from archcheck.frontends.static.values import Data, External, Layer, Tensor, TensorMethod, Tensors, shown
from archcheck.frontends.trace.wire import Call, Encoded, Recording, Site, Weight, decode
from archcheck.ir.graph import OpGraph, Origin, Unknown, Value
from archcheck.ir.span import Span
from archcheck.ir.verify import verify

_BINARY: dict[str, type[ast.operator]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "div": ast.Div, "truediv": ast.Div, "pow": ast.Pow,
    "matmul": ast.MatMult, "floordiv": ast.FloorDiv, "mod": ast.Mod, "and": ast.BitAnd, "or": ast.BitOr,
    "xor": ast.BitXor, "lshift": ast.LShift, "rshift": ast.RShift,
}  # fmt: skip
_RUNS_GRAPHS = {  # ops of TensorFlow that are given graphs
    **dict.fromkeys(("While", "StatelessWhile"), "a loop whose rounds a tensor decides"),
    **dict.fromkeys(("If", "StatelessIf"), "it runs one of two graphs, by what a tensor holds"),
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), "it runs a graph of its own"),
}
_RELATIONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
_METHODS = ("torch.Tensor.", "tensorflow.Tensor.", "jax.Array.")  # before the name of a method
_LAYING_OUT = frozenset({
    "torch.Tensor.view", "torch.Tensor.reshape", "torch.reshape", "torch.Tensor.expand", "tensorflow.reshape",
    "keras.ops.reshape", "tensorflow.broadcast_to", "keras.ops.broadcast_to", "jax.numpy.reshape",
    "jax.numpy.broadcast_to",
})  # fmt: skip
_PART = re.compile(r"(.+)\[(\d+)\]")  # of an input that is a tuple
CONSTRUCTED = "*"  # the keyword under which a layer's constructor arguments are told


@dataclass
class Replayed:
    """The graph of a recording."""

    graph: OpGraph
    shapes: Mapping[Value, tuple[int, ...]]  # of what ops give, in elements
    unread: dict[tuple[str, str], Span | None] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)


def replay(recording: Recording, library: Library, source: SourceFile, training: bool) -> Replayed:
    """The graph of what was recorded.

    Args:
        recording: of the traced process.
        library: the sources of the target, in which places are shown.
        source: the target's file.
        training: whether the model was in training mode.
    """
    with library.footprint.of(), library.loaded(frozenset()) as loaded:
        machine = Machine(library, training=training, loaded=loaded, limits=Limits(steps=50_000_000))
        machine.frames.append(Frame("", source, 1, fixed=True))
        return _Replay(machine, recording, Places(library)).run()


class Places:
    """Where sites stand, as reports show them."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._files: dict[str, SourceFile | None] = {}
        self._spans: dict[Site, Span | None] = {}

    def span(self, site: Site | None) -> Span | None:
        """The place of a site; None where its file is not among the sources."""
        if site is None:
            return None
        if site not in self._spans:
            file = self.file(site.file)
            shown = file.shown if file is not None else Path(site.file).name
            self._spans[site] = Span(shown, site.line, max(site.column, 1), site.end_line, site.end_column)
        return self._spans[site]

    def file(self, name: str) -> SourceFile | None:
        """The source of this name among those that may be read; None for any other."""
        if name not in self._files:
            path = Path(name)
            try:
                found = self.library.file(path) if path.suffix == ".py" and path.is_absolute() else None
            except TargetError:
                found = None
            self._files[name] = found
        return self._files[name]


class _Replay:
    def __init__(self, vm: Machine, recording: Recording, places: Places) -> None:
        self.vm = vm
        self.recording = recording
        self.places = places
        self.tensors: dict[int, Tensor] = {}
        self.weights: dict[int, Weight] = {}
        for weight in recording.weights:
            self.weights.setdefault(weight.tensor, weight)
        self.parents: dict[int, tuple[int, Call]] = {}  # view -> what it is of, and the call that gave it
        self.groups: dict[int, list[int]] = {}  # tensor -> all that look at the same memory
        self.stale: set[int] = set()
        self.parts: dict[int, tuple[Tensor, int]] = {}  # inputs that are parts of one, until they are read
        self.shapes: dict[Value, tuple[int, ...]] = {}
        self.sizes = sizes.Sizes(sizes.Sample({}, {}), vm.recorder.by_path)  # for layers that are spelled by the sizes
        self.stands: Span | None = vm.here()  # where nothing else does

    def run(self) -> Replayed:
        vm, recording = self.vm, self.recording
        for call, following in zip_longest(recording.calls, recording.calls[1:]):
            if not call.building and not vm.invoked:
                vm.invoked = True
                self._begin()
            if not self._fills(call):
                self._at(call)
                self._call(call, following)
        if not vm.invoked:
            self._begin()
        results = tuple(dict.fromkeys(self._tensor(number).value for number in recording.results))
        mode = "train" if vm.training else "eval"
        graph = OpGraph(tuple(vm.recorder.ops), results, Origin("trace", recording.symbol, mode))
        assumed = [f"{told} (at {span})" if span else told for told, span in self._guesses()]
        taken = [*recording.assumed, *vm.notes.assumptions, *assumed]
        return Replayed(verify(graph, "tracer"), self.shapes, dict(vm.notes.unknowns), taken)

    def _fills(self, call: Call) -> bool:
        """Whether a constructor's call only gives learned tensors the numbers that they start from."""
        written = [self.weights.get(number) for number in call.written] if call.building else []
        return bool(written) and all(weight is not None and weight.learned for weight in written)

    def _begin(self) -> None:
        """Everything is built: learned tensors that calls are given stand in the order of the modules, then inputs.

        Those of a library's layers stand where a call first reads them, as they do when the code is read.
        """
        given = {number for call in self.recording.calls if not call.building for number in _numbers(call)}
        listed = {one.place for one in self.recording.modules if _is_listed(f"{one.module}.{one.name}")}
        for number, weight in self.weights.items():
            own = weight.learned and weight.name.rpartition(".")[0] not in listed
            if own and number in given and number not in self.tensors:
                self._tensor(number)
        self._inputs()

    def _inputs(self) -> None:
        """What the call is given: a tuple of tensors is one input, as it is when it is read."""
        vm = self.vm
        whole: dict[str, Tensor] = {}
        for name, number in self.recording.inputs:
            part = _PART.fullmatch(name)
            word = part[1] if part is not None else name
            if word not in whole:
                path = vm.recorder.emit("input", (), {"name": word}, place="", span=self.stands)
                whole[word] = Tensor(Value(path))
            if part is None:
                self._bind_one(number, whole[word])
            else:
                self.parts[number] = (whole[word], int(part[2]))

    def _guesses(self) -> Iterator[tuple[str, Span | None]]:
        for name, site, answer in self.recording.guesses:
            yield f"{name} of a tensor without content was taken to give {answer}", self.places.span(site)

    def _at(self, call: Call) -> None:
        self.vm.frames[-1].place = call.place
        self.vm.stands = self.places.span(call.site) or self.stands

    # ---- one call

    def _call(self, call: Call, following: Call | None) -> None:
        part = self._is_put_back(call, following)
        if part:
            self._tensor(call.written[0]).base = None
        for number in call.written:
            self._tensor(number)
        alike = {other for number in call.written for other in (number, *self.groups.get(number, ()))}
        before = {other: self.tensors[other].value for other in alike if other in self.tensors}
        result = self._computed(call, *self._given(call))
        for number in call.written:
            self._written(number, call, result, before, alone=part)
        self._bind(call.given, result, call)
        for view, of in call.views:
            if view != of and view not in self.parents:
                self.parents[view] = (of, call)
                group = self.groups.setdefault(of, [of])
                group.append(view)
                self.groups[view] = group

    def _is_put_back(self, call: Call, following: Call | None) -> bool:
        """Whether what a call changes in place is a part that is put back at once: `x[i] += y` takes a view, adds to
        it, and sets it. The setting is what changes `x`."""
        if following is None or following.name != "torch.Tensor.__setitem__" or len(call.written) != 1:
            return False
        (part,) = call.written
        of, source = self.parents.get(part, (-1, call))
        return following.args == [["t", of], source.args[1] if len(source.args) > 1 else None, ["t", part]]

    def _with_tokens(self, call: Call, args: list[Data]) -> list[Data]:
        """The arguments with sizes that are the tensor's own as such."""
        if not args or call.args[0][:1] != ["t"] or not isinstance(args[0], Tensor):
            return args
        own = self.recording.shapes[call.args[0][1]]
        whole = len(args) == 2 and isinstance(args[1], (tuple, list))
        found = sizes.laid_out(self.vm, args[0], own, args[1] if whole else args[1:])
        return [args[0], found] if whole else [args[0], *found]

    def _given(self, call: Call) -> tuple[list[Data], dict[str, Data]]:
        return [self._value(arg) for arg in call.args], {key: self._value(arg) for key, arg in call.kwargs.items()}

    def _computed(self, call: Call, args: list[Data], kwargs: dict[str, Data]) -> Data:
        """What a call gives; an opaque op where nobody lists it, or not with these arguments."""
        if call.name in _LAYING_OUT:
            args = self._with_tokens(call, args)
        try:
            result = self._result(call, args, kwargs)
        except (Raised, OutOfFuel) as error:
            return self.vm.opaque(call.name, _tensors(args, kwargs), str(error))
        if (result is rows.UNLISTED or result is None) and _given_any(call.given):
            why = _RUNS_GRAPHS.get(call.name.rpartition(".")[2], f"{call.name} is not in the dialect")
            return self.vm.opaque(call.name, _tensors(args, kwargs), why)
        return result

    def _result(self, call: Call, args: list[Data], kwargs: dict[str, Data]) -> Data:
        vm, name = self.vm, call.name
        if CONSTRUCTED in kwargs:
            return self._layer(name, args, kwargs)
        if name.startswith(_METHODS) and args and isinstance(args[0], Tensor):
            return self._method(call, name.split(".", 2)[2], args, kwargs)
        if name.startswith("property.") and isinstance(args[0], Tensor):
            row = dialects.property_row(name.removeprefix("property."))
            return rows.UNLISTED if row is None else rows.apply(vm, name, row, [args[0]], {})
        if name.startswith("setting.") and len(args) == 2 and isinstance(args[1], Tensor):
            return args[1]
        return rows.call_function(vm, name, args, kwargs)

    def _method(self, call: Call, name: str, args: list[Data], kwargs: dict[str, Data]) -> Data:
        vm, tensor = self.vm, args[0]
        if name == "__getitem__":
            return vm.item(tensor, args[1])
        if name == "__setitem__":
            reads = [tensor, *([args[2]] if isinstance(args[2], (Tensor, Tensors)) else [])]
            return vm.emit("update", reads, {"index": args[1]})
        if name == "__iter__":
            return [vm.item(tensor, at) for at in range(len(call.given) - 1)]
        if name.startswith("__") and name.endswith("__"):
            word = name[2:-2]
            if word == "invert":
                return conditions.unary(vm, ast.Invert, tensor)
            if word in ("neg", "pos", "abs"):
                word = {"neg": "neg", "pos": "positive", "abs": "abs"}[word]
                return rows.call_method(vm, TensorMethod(tensor, word), args[1:], kwargs)
            if word in _RELATIONS:
                return rows.call_method(vm, TensorMethod(tensor, word), args[1:], kwargs)
            if word in _BINARY:
                return conditions.binary(vm, _BINARY[word], tensor, args[1])
            if word[:1] == "r" and word[1:] in _BINARY:
                return conditions.binary(vm, _BINARY[word[1:]], args[1], tensor)
            if word[:1] == "i" and word[1:] in _BINARY:
                return conditions.binary(vm, _BINARY[word[1:]], tensor, args[1])
        return rows.call_method(vm, TensorMethod(tensor, name), args[1:], kwargs)

    def _layer(self, name: str, args: list[Data], kwargs: dict[str, Data]) -> Data:
        vm = self.vm
        constructed = kwargs.pop(CONSTRUCTED)
        row = dialects.layer(name)
        if row is None and isinstance(constructed, dict) and dialects.formula(name) is not None:
            given = constructed.get("args") or ()
            named = {**(constructed.get("attributes") or {}), **(constructed.get("kwargs") or {})}
            built = rows.call_function(vm, name, list(given), named)
            vm.sizes, before = self.sizes, vm.sizes
            try:
                return vm.call(built, args, kwargs)
            finally:
                vm.sizes = before
        if row is None or not isinstance(constructed, dict):
            return vm.opaque(name, _tensors(args, kwargs), "it is recorded as a layer that no dialect lists")
        attributes = constructed.get("attributes") or {}
        if isinstance(constructed.get("args"), tuple):
            arguments = signatures.bind_init(vm, row, list(constructed["args"]), dict(constructed["kwargs"] or {}))
            for key, value in attributes.items():
                if key in arguments and not _alike(arguments[key], value):
                    arguments[key] = value
        else:
            arguments = signatures.bind_init(vm, row, [], attributes)
        return modules.call_layer(vm, Layer(row, name, arguments), args, kwargs)

    # ---- values

    def _value(self, encoded: Encoded) -> Data:
        return decode(encoded, self._tensor, External)

    def _tensor(self, number: int) -> Tensor:
        """The handle of a tensor; one that was changed through another view of its memory is looked at anew."""
        found = self.tensors.get(number)
        if found is None and number in self.parts:
            self._bind_one(number, self.vm.item(*self.parts[number]))
            found = self.tensors[number]
        if found is None:
            found = self.tensors[number] = self._first(number)
        if number in self.stale:
            self.stale.discard(number)
            self._refresh(number, found)
        return found

    def _first(self, number: int) -> Tensor:
        """A tensor that no call gave: a weight, a buffer, or something that slipped by."""
        vm, shape = self.vm, self.recording.shapes[number]
        weight = self.weights.get(number)
        place, vm.frames[-1].place = vm.frames[-1].place, "" if weight is None else weight.name.rpartition(".")[0]
        try:
            if weight is not None and weight.learned:
                made = vm.emit("parameter", (), {"name": weight.name, "shape": shape})
                made.learned = True
            elif weight is not None:
                made = vm.emit("constant", (), {"shape": shape, "value": Unknown(f"the content of {weight.name}")})
            elif not vm.invoked:  # by what is not recorded, NumPy mostly; no input goes into it
                made = vm.emit("constant", (), {"shape": shape, "value": Unknown("what made it was not recorded")})
            else:
                made = vm.opaque("tensor", (), "it was made before, or by something that was not recorded")
        finally:
            vm.frames[-1].place = place
        self._shaped(made, number)
        return made

    def _shaped(self, tensor: Tensor, number: int) -> None:
        """Note a tensor's sizes; where only what it holds would tell them, they are not known."""
        shape = self.recording.shapes[number]
        if min(shape, default=0) >= 0:
            self.shapes.setdefault(tensor.value, shape)
            self.sizes.know(tensor.value, shape)

    def _refresh(self, number: int, handle: Tensor) -> None:
        parent = self.parents.get(number)
        if parent is None:
            handle.value = self.vm.opaque("tensor", (handle,), "a view of it was changed in place").value
            return
        of, call = parent
        source = self._tensor(of)
        place, stands = self.vm.frames[-1].place, self.vm.stands
        self._at(call)
        args, kwargs = self._given(call)
        args = [source if arg == ["t", of] else value for arg, value in zip(call.args, args, strict=True)]
        fresh: dict[int, Tensor] = {}
        self._collect(call.given, self._computed(call, args, kwargs), fresh, call)
        self.vm.frames[-1].place, self.vm.stands = place, stands
        if number in fresh:
            handle.value, handle.base = fresh[number].value, fresh[number].base
        else:
            handle.value = self.vm.opaque("tensor", (handle,), "it looks at what was changed in place").value

    def _written(self, number: int, call: Call, result: Data, before: Mapping[int, Value], *, alone: bool) -> None:
        """A call wrote into a tensor: its handle gets the new value, and so does the tensor of which it is a view; what
        else looks at the same memory, and still has the value of before, is looked at anew when it is read."""
        handle = self.tensors[number]
        if handle.learned and not self.vm.invoked:
            return  # numbers that a learned tensor starts from
        if handle.value == before[number]:
            if isinstance(result, Tensor):
                write(self.vm, handle, result)
            else:
                reads = _tensors([self._value(arg) for arg in call.args], {})
                write(self.vm, handle, self.vm.opaque(call.name, reads or (handle,), "it changes a tensor in place"))
        for other in self.groups.get(number, ()) if not alone else ():
            if other != number and other in before and self.tensors[other].value == before[other]:
                self.stale.add(other)

    # ---- results

    def _bind(self, given: Encoded, result: Data, call: Call) -> None:
        fresh: dict[int, Tensor] = {}
        if _given_any(given):
            self._collect(given, result, fresh, call)
        for number, tensor in fresh.items():
            if number in call.written and number in self.tensors:
                continue  # it is the tensor that was written into
            self._bind_one(number, tensor)

    def _bind_one(self, number: int, tensor: Tensor) -> None:
        self.tensors[number] = tensor
        self._shaped(tensor, number)

    def _collect(self, given: Encoded, result: Data, found: dict[int, Tensor], call: Call) -> None:
        """The tensors of a result, by the numbers that they had in the traced process."""
        if type(given) is not list:
            return
        if given[0] == "t":
            number = given[1]
            if isinstance(result, Tensors):
                result = iteration.item_of(result, 0)
            if isinstance(result, (tuple, list)) and len(result) == 1:
                result = result[0]
            if isinstance(result, Tensor):
                found.setdefault(number, result)
            else:
                found[number] = self.vm.opaque(call.name, (), f"what it gives is not known: {shown(result)}")
            return
        for at, part in enumerate(given[1:]):
            if not _given_any(part):
                continue
            if isinstance(result, Tensors):
                one: Data = iteration.item_of(result, at)
            elif isinstance(result, (tuple, list)):
                one = result[at] if at < len(result) else None
            elif isinstance(result, Tensor):
                one = result if len(given) == 2 else self.vm.item(result, at)
            else:
                one = result
            self._collect(part, one, found, call)


def _is_listed(qualified: str) -> bool:
    """Whether a class is a library's layer."""
    return qualified.startswith("torch.nn.") or dialects.layer(dialects.canonical(qualified)) is not None


def _numbers(call: Call) -> Iterator[int]:
    """The tensors that a call is given."""
    waiting: list[Encoded] = [*call.args, *call.kwargs.values()]
    while waiting:
        value = waiting.pop()
        if type(value) is list:
            if value[0] == "t":
                yield value[1]
            else:
                waiting.extend(value[1:])


def _given_any(given: Encoded) -> bool:
    if type(given) is not list:
        return False
    return given[0] == "t" or any(_given_any(part) for part in given[1:])


def _alike(one: Data, other: Data) -> bool:
    """Whether two spellings of a size are one: 3 and (3, 3); whether there is a bias, and that it is there."""
    if one == other:
        return True
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(_alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, (list, tuple)):
        return all(_alike(item, other) for item in one) and bool(one)
    return isinstance(other, (list, tuple)) and bool(other) and all(_alike(one, item) for item in other)


def _tensors(args: Data, kwargs: dict[str, Data]) -> list[Tensor | Tensors]:
    return list(flatten_tensors([args, {key: value for key, value in kwargs.items() if key != CONSTRUCTED}]))
