"""A configuration becomes ops: its layers are built and called as code that is read builds and calls them.

So that the tables of the Keras dialect, its formulas and the classes that it spells serve. A layer that stands once
and is called twice is one layer; a model in a model is called through. What the file only names stays opaque.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import archcheck.frontends.static.machine  # noqa: F401  # before its parts, which import it
from archcheck.frontends import dialects
from archcheck.frontends.keras_file.arguments import NotReadError, arguments_of, plain
from archcheck.frontends.keras_file.classes import function_of, is_function, not_told, qualified, takes
from archcheck.frontends.keras_file.layers import (
    Custom,
    Entry,
    Node,
    NonsenseError,
    Ref,
    ends_of,
    entry_of,
    graph_of,
    refs,
)
from archcheck.frontends.keras_file.order import first_call, in_order, listed
from archcheck.frontends.static import signatures
from archcheck.frontends.static.machine import Machine, OutOfFuel, Raised, flatten_tensors
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.sources import SpelledFile
from archcheck.frontends.static.values import (
    Class,
    Data,
    External,
    Instance,
    Layer,
    ModuleScope,
    Tensor,
    Tensors,
)
from archcheck.ir.graph import Op, OpGraph, Origin, Value
from archcheck.ir.shapes import Dims

MAX_CALLS = 50_000  # of layers, those of models in models each time that these are called
MAX_NESTING = 16  # models in models
_LAMBDA = "a Lambda layer holds compiled code, which is never decoded"
_NOT_A_WORD = re.compile(r"[^\w\-]")
_OPERATORS = {"getitem": "__getitem__"}


@dataclass
class _Model:
    """A model of the configuration, with its layers as far as they were built."""

    entry: Entry
    root: Instance
    layers: list[Entry] = field(default_factory=list)
    built: dict[str, Callable[[list[Data], dict[str, Data]], Data]] = field(default_factory=dict)
    models: dict[str, _Model] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)  # names of layers as places


class Builder:
    """Gives the graph of a configuration.

    Args:
        vm: records ops.
    """

    def __init__(self, vm: Machine) -> None:
        self.vm = vm
        self.left = MAX_CALLS
        self.inputs: list[str] = []
        self.nesting = 0
        self.root = _instance("Model")

    def graph(self, told: object, name: str) -> OpGraph:
        """The graph of a whole model.

        Raises:
            NonsenseError: it makes no sense.
        """
        entry = entry_of(told)
        model = _Model(entry, self.root)
        self.vm.invoked = True
        self.vm.stands = self.vm.here()
        if entry.is_graph:
            given = self._inputs(entry)
            results = self._graph(model, given, None)
        elif entry.is_sequence:
            first = next(iter(listed(entry)), None)
            is_input = first is not None and first.cls == "InputLayer"
            given = [self._input(first.name if is_input and first else "inputs", first.dims if first else None)]
            results = [self._sequence(model, given[0], None)]
        else:
            given = [self._input("inputs", None)]
            results = [self.vm.opaque(entry.cls, self._tensors(given), not_told(entry))]
        found = [one.value if isinstance(one, Tensor) else Value(one.op) for one in self._tensors(results)]
        if not found:
            raise NonsenseError("it gives nothing")
        mode = "train" if self.vm.training else "eval"
        return OpGraph(_needed(self.vm.recorder.ops, found), tuple(dict.fromkeys(found)), Origin(name, entry.cls, mode))

    # ---- inputs and results

    def _inputs(self, entry: Entry) -> list[Data]:
        ends = list(refs(ends_of(entry.config["input_layers"])))
        known = {one.name: one for one in graph_of(entry.config)}
        return [self._input(ref.layer, known[ref.layer].dims if ref.layer in known else None) for ref in ends]

    def _input(self, name: str, dims: Dims | None) -> Tensor:
        self.inputs.append(name)
        made = self.vm.emit("input", (), {"name": name})
        self._know(made, dims)
        return made

    def _know(self, tensor: Data, dims: Dims | None) -> None:
        """Note a shape that the file tells, where none follows from what was computed."""
        sizes = self.vm.sizes
        if isinstance(tensor, Tensor) and dims is not None and sizes is not None and sizes.shape(tensor.value) is None:
            sizes.know(tensor.value, dims)

    def _tensors(self, value: Data) -> list[Tensor | Tensors]:
        return list(flatten_tensors(value))

    # ---- models

    def _graph(self, model: _Model, given: list[Data], training: bool | None) -> list[Data]:
        """Run the calls of a model's layers, each behind those whose results it reads."""
        config = model.entry.config
        if not model.layers:
            model.layers = graph_of(config)
        by_name = {one.name: one for one in model.layers}
        starts, ends = list(refs(ends_of(config["input_layers"]))), list(refs(ends_of(config["output_layers"])))
        if len(starts) != len(given):
            raise NonsenseError(f'"{model.entry.name[:80]}" has {len(starts)} inputs and is called with {len(given)}')
        first = {one.name: first_call(one, model.layers, ends) for one in model.layers}
        results: dict[tuple[str, int], Data] = {}
        for ref, tensor in zip(starts, given, strict=True):
            results[ref.layer, ref.node] = tensor
        calls = [
            (one, first[one.name] + at, node)
            for one in model.layers
            for at, node in enumerate(one.nodes)
            if (one.name, first[one.name] + at) not in results
        ]
        for at in in_order(calls, results.keys()):
            entry, number, node = calls[at]
            result = self._call(model, entry, node, lambda ref: self._result(results, ref), training)
            results[entry.name, number] = result
        for ref in ends:
            if ref.layer not in by_name or (ref.layer, ref.node) not in results:
                raise NonsenseError(f'there is no call {ref.node} of a layer called "{ref.layer[:80]}"')
        return [self._result(results, ref) for ref in ends]

    def _result(self, results: Mapping[tuple[str, int], Data], ref: Ref) -> Data:
        found = results[ref.layer, ref.node]
        if isinstance(found, Tensors) or (isinstance(found, (list, tuple)) and len(found) > ref.tensor):
            found = self.vm.item(found, ref.tensor)
        elif ref.tensor:
            why = f"it is result {ref.tensor} of a layer of which only one is known"
            found = self.vm.opaque(ref.layer[:80], self._tensors(found), why)
        self._know(found, ref.dims)
        return found

    def _sequence(self, model: _Model, given: Data, training: bool | None) -> Data:
        if not model.layers:
            model.layers = list(listed(model.entry))
        for entry in model.layers:
            if entry.cls == "InputLayer" and entry.is_own:
                continue
            given = self._call(model, entry, Node((given,), {}, True), lambda ref: ref, training)
        return given

    # ---- one call

    def _call(
        self, model: _Model, entry: Entry, node: Node, found: Callable[[Ref], Data], training: bool | None
    ) -> Data:
        self.left -= 1
        if self.left < 0:
            raise NonsenseError(f"its layers are called more than {MAX_CALLS:,} times, those of models in it each time")
        args = [_filled(one, found) for one in node.args]
        kwargs = {key: _filled(one, found) for key, one in node.kwargs.items() if one is not None}
        told = kwargs.pop("training", None)
        for word in ("name", "mask"):  # a mask of padding says nothing of the architecture
            kwargs.pop(word, None)
        if node.old and isinstance(told, bool) and training is None:
            training = told  # Keras 3 writes the default there, and what the caller says wins
        frame = self.vm.frames[-1]
        outer, frame.place = frame.place, self._place(model, entry)
        try:
            if entry.is_graph or entry.is_sequence:
                return self._inner(model, entry, args, training)
            result = self._layer(model, entry, args, kwargs, training)
        except (Raised, OutOfFuel) as error:
            result = self._opaque(entry, [args, kwargs], str(error))
        except NotReadError as error:
            result = self._opaque(entry, [args, kwargs], str(error))
        finally:
            frame.place = outer
        if isinstance(result, (Open, External)) or (result is None):
            result = self._opaque(entry, [args, kwargs], result.why if isinstance(result, Open) else "it is not known")
        return result

    def _inner(self, model: _Model, entry: Entry, args: list[Data], training: bool | None) -> Data:
        """A model among layers: its own layers, called."""
        if entry.name not in model.models:
            root = _instance(entry.cls)
            self._own(model, entry, root)
            model.models[entry.name] = _Model(entry, root)
        inner = model.models[entry.name]
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise NonsenseError(f"more than {MAX_NESTING} models in each other")
        try:
            if entry.is_sequence:
                return self._sequence(inner, args[0] if args else None, training)
            if not entry.is_own:
                self.vm.assume(f"a {entry.cls} computes what its layers do: its own code is not in the file")
            results = self._graph(inner, _given_to(entry, args), training)
            return results[0] if len(results) == 1 else tuple(results)
        finally:
            self.nesting -= 1

    def _layer(
        self, model: _Model, entry: Entry, args: list[Data], kwargs: dict[str, Data], training: bool | None
    ) -> Data:
        if not entry.is_own:
            raise NotReadError(not_told(entry))
        if any(isinstance(one, Custom) for one in _parts([args, kwargs])):
            raise NotReadError("it is given an object that the file only names")
        if entry.cls == "Lambda":
            raise NotReadError(_LAMBDA)
        if is_function(entry):
            return self._operation(entry, args, kwargs)
        if entry.cls in ("TFOpLambda", "SlicingOpLambda"):
            return self._tensorflow(entry, args, kwargs)
        if entry.name not in model.built:
            made = self._construct(entry, self._rank([args, kwargs]))
            self._own(model, entry, made[0])
            model.built[entry.name] = self._caller(*made)
        if training is not None and takes(entry, "training"):
            kwargs = {**kwargs, "training": training}
        return model.built[entry.name](args, kwargs)

    def _caller(self, layer: Data, activation: Data) -> Callable[[list[Data], dict[str, Data]], Data]:
        def run(args: list[Data], kwargs: dict[str, Data]) -> Data:
            if isinstance(layer, Layer) and signatures.bind(layer.row.call_parameters, args, kwargs) is None:
                raise NotReadError("it is called with arguments of which nothing is known")
            result = self.vm.call(layer, args, kwargs)
            if isinstance(activation, str):  # why it is not known
                return self.vm.opaque("activation", self._tensors(result), activation)
            return result if activation is None else self.vm.call(activation, [result], {})

        return run

    def _construct(self, entry: Entry, rank: int | None) -> tuple[Data, Data]:
        """A layer of Keras, and the activation behind it where that is more than a name."""
        name = qualified(entry)
        is_wrapper = name == "keras.layers.TimeDistributed"
        if dialects.layer(name) is None and dialects.formula(name) is None and not dialects.spelled(name):
            raise NotReadError(f"{name} is not in the dialect")
        if is_wrapper:
            inner = entry_of(entry.config.get("layer") if isinstance(entry.config, dict) else None)
            if not inner.is_own or inner.is_graph or inner.is_sequence:
                raise NotReadError(f"it runs a {inner.cls} for each step")
            return self._construct(inner, None if rank is None else rank - 1)
        told = arguments_of(name, entry.config, rank)
        made = self.vm.call(External(name), [], told.given)
        if isinstance(made, Open):
            raise NotReadError(made.why)
        return made, None if told.activation is None else self._activation(told.activation)

    def _activation(self, told: Any) -> Data:
        """An activation that is a layer, or the reason why it is not known."""
        found = plain(told)
        is_code = isinstance(found, Custom) and found.name.startswith("a function")
        if isinstance(found, Custom) and not is_code and isinstance(told.get("config"), dict):
            entry = entry_of(told)
            if entry.is_own and entry.cls != "Lambda" and not entry.is_graph and not entry.is_sequence:
                layer, more = self._construct(entry, None)
                if more is None:
                    return layer
        if isinstance(found, Custom) and not is_code:
            return f"the activation is {found.name[:80]}, which the file only names"
        return "the activation is a function in compiled code, which is never decoded"

    def _operation(self, entry: Entry, args: list[Data], kwargs: dict[str, Data]) -> Data:
        """A function of `keras.ops`, which Keras 3 writes as a class with what else it was given."""
        if entry.cls == "GetItem":
            index = args[1] if len(args) > 1 else kwargs.get("key")
            return self.vm.item(args[0], tuple(index) if isinstance(index, list) else index)
        name = function_of(entry.cls)
        config = entry.config if isinstance(entry.config, dict) else {}
        more = {key: plain(one) for key, one in config.items() if key not in ("name", "dtype", "trainable")}
        if any(isinstance(one, Custom) for one in _parts(list(more.values()))):
            raise NotReadError("it is given an object that the file only names")
        if dialects.function(name) is None and dialects.formula(name) is None:
            raise NotReadError(f"{name} is not in the dialect")
        return self.vm.call(External(name), args, {**more, **kwargs})

    def _tensorflow(self, entry: Entry, args: list[Data], kwargs: dict[str, Data]) -> Data:
        """A function of TensorFlow, which Keras 2 writes as a layer."""
        word = entry.config.get("function") if isinstance(entry.config, dict) else None
        if not isinstance(word, str) or len(word) > 200 or not all(part.isidentifier() for part in word.split(".")):
            raise NotReadError("it is a function that the file does not name")
        family, _, method = word.rpartition(".")
        if family == "__operators__":
            if method == "getitem":
                index = kwargs.get("slice_spec", args[1] if len(args) > 1 else None)
                return self.vm.item(args[0], tuple(index) if isinstance(index, list) else index)
            word = {"add": "math.add"}.get(method, "")
        name = f"tensorflow.{word}"
        if not word or (dialects.function(name) is None and dialects.formula(name) is None):
            raise NotReadError(f"{name if word else method} is not in the dialect")
        return self.vm.call(External(name), args, kwargs)

    def _opaque(self, entry: Entry, value: Data, why: str) -> Tensor:
        name = (function_of(entry.cls) if is_function(entry) else qualified(entry)) if entry.is_own else entry.cls
        return self.vm.opaque(name[:200], self._tensors(value), why)

    # ---- places and sizes

    def _rank(self, value: Data) -> int | None:
        """How many axes the first tensor in it has."""
        first = next((one for one in self._tensors(value) if isinstance(one, Tensor)), None)
        dims = self.vm.sizes.shape(first.value) if first is not None and self.vm.sizes is not None else None
        return None if dims is None else len(dims)

    def _own(self, model: _Model, entry: Entry, part: Data) -> None:
        """Put a part of a model into the module tree."""
        if isinstance(part, (Layer, Instance)):
            word = self._word(model, entry)
            part.owner = (model.root, word)
            model.root.attributes[word] = part

    def _place(self, model: _Model, entry: Entry) -> str:
        words = [self._word(model, entry)]
        at = model.root
        while at.owner is not None:
            at, word = at.owner
            words.append(word)
        return ".".join(reversed(words))

    def _word(self, model: _Model, entry: Entry) -> str:
        """A layer's name as a part of a place; no two layers of a model have one."""
        if entry.name not in model.words:
            word = base = _NOT_A_WORD.sub("_", entry.name)[:80] or "layer"
            taken = set(model.words.values())
            number = 1
            while word in taken:
                number += 1
                word = f"{base}_{number}"
            model.words[entry.name] = word
        return model.words[entry.name]


def _needed(ops: Sequence[Op], results: list[Value]) -> tuple[Op, ...]:
    """The ops on which results depend, and inputs: what only made a mask of padding is left out."""
    needed = {value.op for value in results}
    kept: list[Op] = []
    for op in reversed(ops):
        if op.path in needed or op.kind.name == "input":
            kept.append(op)
            needed |= {value.op for value in op.reads}
    return tuple(reversed(kept))


# ---- arguments


def _given_to(entry: Entry, args: list[Data]) -> list[Data]:
    """What a model is called with, in the order of its inputs."""
    first = args[0] if args else None
    ends = ends_of(entry.config["input_layers"])
    if isinstance(first, dict) and isinstance(ends, dict) and first.keys() == ends.keys():
        return [tensor for key in ends for tensor in flatten_tensors(first[key])]
    return list(flatten_tensors(args))


def _filled(value: Any, found: Callable[[Ref], Data]) -> Data:
    """An argument with tensors where it names them."""
    if isinstance(value, Ref):
        return found(value)
    if isinstance(value, list):
        return [_filled(one, found) for one in value]
    if isinstance(value, tuple):
        return tuple(_filled(one, found) for one in value)
    if isinstance(value, dict):
        return {key: _filled(one, found) for key, one in value.items()}
    filled: Data = value
    return filled


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _parts(one)
    elif isinstance(value, dict):
        yield from _parts(list(value.values()))
    else:
        yield value


def _instance(name: str) -> Instance:
    word = name if name.isidentifier() else "Model"
    return Instance(Class(word, (External("keras.Model"),), ModuleScope(SpelledFile(word, ""), word), None))
