"""Records the calls of torch that a model makes while it runs: what was called, where, on which tensors.

A call is recorded whole, as the code writes it: `F.layer_norm` is one call, and so is a layer for which the dialects
have a row. What calls mean is decided outside of the sandbox, by the dialect tables. Values are told apart by the
identity of their tensors; what happens to a tensor in place is noted beside the call, and so is what is a view.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from archcheck.frontends.trace.child import naming
from archcheck.frontends.trace.child.concrete import Concrete
from archcheck.frontends.trace.child.encoding import Encoder
from archcheck.frontends.trace.child.leaves import Leaf, Leaves

_TORCH = torch.__path__[0]
_ITERATION = Tensor.__iter__.__code__
_OWN = __file__.rpartition("/")[0]


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
        self.given: list[tuple[str, int]] = []  # names and numbers of the tensors that the call is given
        self._constructed: dict[int, Any] = {}
        self._known: dict[Any, naming.Known] = {}
        self._skipped: dict[int, bool] = {}
        self._kept: list[CodeType] = []  # so that no other code object gets their identity
        self._place_of: dict[int, int] = {}

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
        if known.tells:
            return func(*args, **kwargs) if kwargs else func(*args)
        if self.quiet:
            return self.concrete.run(func, known, args, kwargs)[0]
        values = self.values
        encoded = [values.encode(arg) for arg in args]
        named = {name: values.encode(arg) for name, arg in kwargs.items()} if kwargs else None
        out, written, views = self.concrete.run(func, known, args, kwargs)
        if type(out) is not Tensor and not known.inplace and not values.holds_tensor(out):
            return out
        name = known.name
        if known.short == "unbind" and sys._getframe(1).f_code is _ITERATION:
            name = "torch.Tensor.__iter__"  # a loop over a tensor, which is no split
        if views and not written and (type(out) is Tensor or isinstance(out, Tensor)):
            out = self._apart(out, views)
        self._add(name, encoded, named, _first(args, kwargs) if out is None else out, written, views)
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

    # ---- modules

    def layer(self, leaf: Leaf, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a layer that is recorded whole."""
        if self.quiet or not leaf.fits(module, args, kwargs):
            return leaf.forward(module, *args, **kwargs)
        values = self.values
        encoded = [values.encode(arg) for arg in args]
        named = {name: values.encode(arg) for name, arg in kwargs.items()}
        self.quiet += 1
        try:
            out, written, views = self.concrete.run_layer(leaf, module, args, kwargs)
        finally:
            self.quiet -= 1
        constructed = self._constructed.get(id(module))
        if constructed is None:
            constructed = self._constructed[id(module)] = values.encode(leaf.given(module))
        named["*"] = constructed
        if views and not written and isinstance(out, Tensor):
            out = self._apart(out, views)
        self._add(leaf.name, encoded, named, out, written, views)
        return out

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
            recorder.place = recorder._place_of.get(id(module), before)
            try:
                return original(module, *args, **kwargs)
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


def _first(args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    return args[0] if args else next(iter((kwargs or {}).values()))


def named_tensors(model: torch.nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    """Learned tensors and buffers with all their names: name, tensor, whether it is learned."""
    for name, parameter in model.named_parameters(remove_duplicate=False):
        yield name, parameter, True
    for name, buffer in model.named_buffers(remove_duplicate=False):
        yield name, buffer, False
