"""Records the calls of torch that a model makes while it runs: what was called, where, on which tensors.

A call is recorded whole, as the code writes it: `F.layer_norm` is one call, and so is a layer for which the dialects
have a row. What calls mean is decided outside of the sandbox, by the dialect tables. Values are told apart by the
identity of their tensors; what happens to a tensor in place is noted beside the call, and so is what is a view.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.lazy import LazyModuleMixin
from torch.overrides import TorchFunctionMode

from archcheck.frontends.trace.child import guesses, naming
from archcheck.frontends.trace.child.concrete import Concrete
from archcheck.frontends.trace.child.encoding import MOST_ITEMS, Encoder
from archcheck.frontends.trace.child.kept import META, Kept, empty
from archcheck.frontends.trace.child.leaves import GIVEN, Key, Leaf, Leaves

_TORCH = torch.__path__[0]
_ITERATION = Tensor.__iter__.__code__
_CALL = torch.nn.Module._call_impl
_GLOBAL_HOOKS = (
    torch.nn.modules.module._global_backward_pre_hooks,
    torch.nn.modules.module._global_backward_hooks,
    torch.nn.modules.module._global_forward_hooks,
    torch.nn.modules.module._global_forward_pre_hooks,
)
_OWN = __file__.rpartition("/")[0]


@dataclass(frozen=True)
class Mark:
    """Where a record stands: how many calls and tensors, which tensors have which numbers, which the code had found."""

    calls: int
    concrete: Any
    kept: int
    numbers: dict[int, int]
    found: list[Any]


class Recorder(TorchFunctionMode):
    """Calls in the order in which they ran.

    Args:
        leaves: the layers that are recorded whole.
        cache: whether the shapes of what a call gives are taken from an equal call before.
    """

    def __init__(self, leaves: Leaves, *, cache: bool = True) -> None:
        super().__init__()
        self.leaves = leaves
        self.values = Encoder()
        self.concrete = Concrete(self.values, self.here, cache=cache)
        self.calls: list[tuple[Any, ...]] = []
        self.places: list[str] = [""]
        self.place = 0
        self.quiet = 0  # calls around that are recorded whole
        self.sites: dict[tuple[int, int], int] = {}
        self.codes: list[tuple[CodeType, int]] = []
        self.names: dict[str, int] = {}
        self.building = False
        self.raised: dict[tuple[str, int, str], bool] = {}  # calls that raised, where, what; whether tracing is why
        self.given: list[tuple[str, int]] = []  # names and numbers of the tensors that the call is given
        self._known: dict[Any, naming.Known] = {}
        self._skipped: dict[int, bool] = {}
        self._kept: list[CodeType] = []  # so that no other code object gets their identity
        self._place_of: dict[int, int] = {}

        self.concrete.lineage = self._lineage

    def _lineage(self, tensor: Tensor) -> list[str]:
        """The calls that a tensor comes from, each of the first operand of the one before, the last first."""
        names = list(self.names)
        wanted = self.values.numbers.get(id(tensor))
        found: list[str] = []
        for call in reversed(self.calls[-8:]):
            if wanted is not None and call[5] == ("t", wanted):
                found.append(names[call[0]])
                first = call[3][0] if call[3] else None
                wanted = first[1] if type(first) is tuple and first[0] == "t" else None
        return found

    # ---- attempts

    def mark(self) -> Mark:
        """Where the record stands."""
        values = self.values
        return Mark(len(self.calls), self.concrete.mark(), len(values.kept), dict(values.numbers), list(values.found))

    def back(self, mark: Mark) -> None:
        """Forget what was recorded since."""
        del self.calls[mark.calls :]
        self.concrete.back(mark.concrete)
        del self.values.kept[mark.kept :]
        self.values.numbers = dict(mark.numbers)
        self.values.found = list(mark.found)

    # ---- where

    def settle(self, model: torch.nn.Module) -> None:
        """Take the places of a model's modules from now on, those of a module with several names by the first."""
        self.places = [""]
        self._place_of = {}
        for name, module in model.named_modules():
            if name:
                self._place_of[id(module)] = len(self.places)
                self.places.append(name)
        self._place_of[id(model)] = 0

    def here(self) -> int:
        """The site of the innermost code that is neither torch's nor the recorder's; -1 where there is none."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            code = frame.f_code
            skipped = self._skipped.get(id(code))
            if skipped is None:
                skipped = self._skip(code)
            if not skipped:
                break
            frame = frame.f_back
        if frame is None:
            return -1
        key = (id(frame.f_code), frame.f_lasti)
        site = self.sites.get(key)
        if site is None:
            site = self.sites[key] = len(self.codes)
            self.codes.append((frame.f_code, frame.f_lasti))
        return site

    def _skip(self, code: CodeType) -> bool:
        name = code.co_filename
        skipped = name.startswith((_TORCH, _OWN, "<")) or name.endswith("/contextlib.py")
        self._skipped[id(code)] = skipped
        self._kept.append(code)
        return skipped

    # ---- what

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        known = self._known.get(func)
        if known is None:
            known = self._known[func] = naming.learn(func)
        try:
            if known.tells:
                return func(*args, **kwargs) if kwargs else func(*args)
            if self.quiet:
                return self.concrete.run(func, known, args, kwargs)[0]
            return self._recorded(func, known, args, kwargs)
        except Exception as error:
            self._raises(known.name, error)
            raise

    def _raises(self, name: str, error: Exception) -> None:
        """Note that a call of torch raises something: code that goes on after that may do so as it would not on real
        numbers."""
        if not self.building:
            told = str(error).strip().partition("\n")[0][:200]
            why = f"{type(error).__name__}: {told}" if told else type(error).__name__
            self.raised.setdefault((name, self.here(), why), guesses.is_of_tracing(error))

    def _recorded(self, func: Any, known: naming.Known, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
        """What a call gives, which is recorded."""
        concrete = self.concrete
        encoded, named, key, given = self._read(func, args, kwargs)
        try:
            kept = concrete.cache.get(key) if concrete.cache is not None else None
            read = (key, given)
        except TypeError:  # an argument cannot be compared with others
            kept, read = None, ((), given)
        if kept:
            if kept.pairs is None and kept.kind is None:
                return self._again(known, encoded, named, kept)
            out, written, views = concrete.again(kept, func, args, kwargs, given)
        else:
            out, written, views = concrete.run(func, known, args, kwargs, read)
            if type(out) is not Tensor and not known.inplace and not self.values.holds_tensor(out):
                return out
        name = known.name
        if known.short == "unbind" and sys._getframe(2).f_code is _ITERATION:
            name = "torch.Tensor.__iter__"  # a loop over a tensor, which is no split
        if views and not written and (type(out) is Tensor or isinstance(out, Tensor)):
            out = self._apart(out, views)
        self._add(name, encoded, named, _first(args, kwargs) if out is None else out, written, views)
        return out

    def _read(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> tuple[Any, Any, Any, Any]:
        """How the arguments are told, those by name, the call's key, and the tensors that it is given."""
        handles = self.concrete.handles
        encoded: list[Any] = []
        key: list[Any] = [func]
        given: list[Tensor] = []
        for arg in args:
            handle = handles.get(id(arg))
            if handle is None:
                handle = self._both(arg, given)
            else:
                given.append(arg)
            encoded.append(handle[0])
            key.append(handle[1])
        named = None
        if kwargs:
            named = {}
            for name, arg in kwargs.items():
                named[name], own = self._both(arg, given)
                key.append((name, own))
        return encoded, named, tuple(key), given

    def _both(self, value: Any, given: list[Tensor], depth: int = 8) -> tuple[Any, Any]:
        """How a value is told, and what stands for it in the key of a call."""
        kind = type(value)
        if kind is int or value is None:
            return value, value
        if isinstance(value, Tensor):
            given.append(value)
            handle = self.concrete.handles.get(id(value))
            if handle is None:
                handle = (("t", self.values.number(value)), self.concrete.signature(value))
                self.concrete.handles[id(value)] = handle
            return handle
        if kind is float or kind is bool:
            return value, (kind, value)
        if depth and (kind is tuple or kind is list or kind is torch.Size):
            both = [self._both(item, given, depth - 1) for item in value]
            told = [one for one, _ in both[:MOST_ITEMS]]
            return ("l" if kind is list else "u", *told), (kind, *[own for _, own in both])
        if depth and kind is slice:
            start, stop, step = [self._both(part, given, depth - 1) for part in (value.start, value.stop, value.step)]
            return ("s", start[0], stop[0], step[0]), (slice, start[1], stop[1], step[1])
        return self.values.encode(value, depth), self.concrete.key(value, given)

    def _again(self, known: naming.Known, encoded: Any, named: Any, kept: Kept) -> Tensor:
        """A call that is known to give a tensor of its own."""
        ((size, stride, dtype),) = kept.shapes
        out = empty(size, stride, dtype=dtype, device=META)
        values = self.values
        at = id(out)
        number = values.numbers[at] = len(values.kept)
        values.kept.append(out)
        told = ("t", number)
        self.concrete.handles[at] = told, kept.signature
        name = known.name
        called = self.names.get(name)
        if called is None:
            called = self.names[name] = len(self.names)
        self.calls.append((called, self.place, self.here(), encoded, named, told, None, None, self.building))
        return out

    def _apart(self, out: Tensor, views: list[Any]) -> Tensor:
        """What a call gives, as a tensor of its own where it gives what it was given: `x.float()`, dropout of p=0.

        The two are one value and two places: what is done to the one later is no part of the other's past.
        """
        for at, (one, of) in enumerate(views):
            if one is out and of is out:
                with torch._C.DisableTorchFunction():
                    out = out.detach()
                views[at] = (out, of)
        return out

    def _add(self, name: str, args: Any, kwargs: Any, out: Any, written: Any, views: Any) -> None:
        number = self.names.get(name)
        if number is None:
            number = self.names[name] = len(self.names)
        values = self.values
        given = values.encode_result(out)
        changed = [values.numbers[id(one)] for one in written if id(one) in values.numbers] if written else None
        pairs = None
        if views:
            numbers = values.numbers
            pairs = [(numbers.get(id(one)), numbers.get(id(of))) for one, of in views if one is not of]
        self.calls.append((number, self.place, self.here(), args, kwargs, given, changed, pairs, self.building))

    def tell(self, name: str, args: tuple[Any, ...], out: Tensor) -> None:
        """Record a call that the code makes and torch does not."""
        if not self.quiet:
            self._add(name, [self.values.encode(arg) for arg in args], None, out, None, None)

    # ---- modules

    def layer(self, leaf: Leaf, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a layer that is recorded whole; it is run where no equal one has run on equal shapes."""
        if self.quiet or not leaf.fits(module, args, kwargs):
            return leaf.forward(module, *args, **kwargs)
        concrete = self.concrete
        with torch._C.DisableTorchFunction():
            alike = leaf.key(module)
            encoded, named, key, given = self._read(alike, args, kwargs)
            key = (module.training, *key)
            try:
                kept = concrete.cache.get(key) if concrete.cache is not None else None
            except TypeError:
                kept, key = None, ()
            out = written = views = None
            if kept:
                out, written, views = concrete.again(kept, None, args, kwargs, given)
        if not kept:
            self.quiet += 1
            try:
                out, written, views = concrete.run_layer(leaf, module, args, kwargs, (key, given))
            finally:
                self.quiet -= 1
        if named is None:
            named = {}
        named["*"] = self._constructor(leaf, alike, module)
        if views and not written and isinstance(out, Tensor):
            out = self._apart(out, views)
        self._add(leaf.name, encoded, named, out, written, views)
        return out

    def _constructor(self, leaf: Leaf, alike: Key, module: torch.nn.Module) -> Any:
        """How what a layer's constructor was given is told; once for all that are alike, but for tensors in it."""
        told = alike.constructed
        if told is None:
            given = leaf.given(module)
            told = self.values.encode(given)
            if not self.values.holds_tensor(given):
                alike.constructed = told
        return told

    def function(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a library's function that is recorded whole."""
        if self.quiet or not self.values.holds_tensor((args, tuple(kwargs.values()))):
            return function(*args, **kwargs)
        values = self.values
        encoded = [values.encode(arg) for arg in args]
        named = {key: values.encode(arg) for key, arg in kwargs.items()}
        self.quiet += 1
        try:
            out = function(*args, **kwargs)
        finally:
            self.quiet -= 1
        if values.holds_tensor(out):
            self._add(name, encoded, named, out, None, None)
        return out

    def silence(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call in which nothing is recorded."""
        self.quiet += 1
        try:
            return function(*args, **kwargs)
        finally:
            self.quiet -= 1

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Calls of modules are followed, and those of leaves recorded whole."""
        original = torch.nn.Module.__call__
        recorder = self

        def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            before = recorder.place
            place = recorder._place_of.get(id(module))
            if place is not None:
                recorder.place = place
            try:
                if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
                    with torch._C.DisableTorchFunction():  # sizes follow from the input, which computes nothing
                        module._infer_parameters(module, args, kwargs)
                    module.__dict__.pop(GIVEN, None)  # it is of another class now
                if _is_hooked(module):
                    return original(module, *args, **kwargs)
                return module.forward(*args, **kwargs)
            finally:
                recorder.place = before

        torch.nn.Module.__call__ = call  # type: ignore[method-assign]
        try:
            with self.leaves.watched(self.layer, self.function, self.silence):
                yield
        finally:
            torch.nn.Module.__call__ = original  # type: ignore[method-assign]

    # ---- the answer

    def sites_told(self) -> list[list[Any]]:
        """Places in files, in the order of the sites' numbers: file, function, line and column, with their ends."""
        told: list[list[Any]] = []
        positions: dict[int, list[Any]] = {}
        for code, at in self.codes:
            if id(code) not in positions:
                positions[id(code)] = list(code.co_positions())
            line, end_line, column, end_column = positions[id(code)][at // 2]
            name = getattr(code, "co_qualname", code.co_name)
            told.append([code.co_filename, name, line or code.co_firstlineno, column, end_line, end_column])
        return told


def _is_hooked(module: torch.nn.Module) -> bool:
    """Whether a call of a module is more than a call of its `forward`."""
    return bool(
        module._forward_pre_hooks
        or module._forward_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or type(module)._call_impl is not _CALL
        or module._compiled_call_impl is not None
        or any(_GLOBAL_HOOKS)
    )


def _first(args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    return args[0] if args else next(iter((kwargs or {}).values()))


def named_tensors(model: torch.nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    """Learned tensors and buffers with all their names: name, tensor, whether it is learned."""
    for name, parameter in model.named_parameters(remove_duplicate=False):
        yield name, parameter, True
    for name, buffer in model.named_buffers(remove_duplicate=False):
        yield name, buffer, False
