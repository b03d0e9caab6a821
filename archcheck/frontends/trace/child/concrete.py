"""Runs calls of torch without weights and without memory, on the meta device, and keeps small numbers real.

Indices, masks, grids and ranges are small and decide what a model does: they stay on the CPU and hold their numbers,
so that `mask.all()` and `lengths.tolist()` are answered and not guessed. Weights and what is computed with them have
shapes only, and so has what a call gives that mixes the two. The shapes of what a call gives are kept, by the shapes
of what it is given: most calls of a deep model have been made before, and need not cost torch's Python decompositions
a second time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from archcheck.frontends.trace.child import guesses
from archcheck.frontends.trace.child.encoding import Encoder, tensors
from archcheck.frontends.trace.child.kept import Kept, Kinds, Signature, kept, made_again
from archcheck.frontends.trace.child.leaves import Leaf
from archcheck.frontends.trace.child.naming import Known
from archcheck.frontends.trace.child.simple import told

SMALL = 65_536  # entries of a tensor that is kept real
MATERIAL = 1 << 22  # entries of all inputs of a call that is run on zeros, where torch has no shapes for it
MOST_REAL = 1 << 24  # entries of what a call on the CPU may give; what is larger has a shape only

_UNFILLED = frozenset({"empty", "empty_strided", "empty_permuted", "rand", "randn", "randint", "normal", "randperm"})
_MOVES = frozenset({"to", "cpu", "cuda", "npu", "xpu", "mps", "as_tensor", "asarray"})
_BY_VALUE = frozenset(  # what these give depends on numbers, not on shapes alone
    {"__getitem__", "repeat_interleave", "split", "tensor_split", "split_with_sizes", "masked_select", "nonzero",
     "argwhere", "where", "bincount", "unique", "unique_consecutive", "one_hot", "combinations", "histc"}
)  # fmt: skip
_BY_SIZE = frozenset(  # what these are given besides tensors are sizes and places, which may be tensors of one number
    {"view", "reshape", "expand", "repeat", "pad", "interpolate", "narrow", "new_zeros", "new_ones", "new_full",
     "new_empty", "unflatten", "roll", "chunk", "topk", "unfold", "tile", "resize_", "broadcast_to",
     "adaptive_avg_pool1d", "adaptive_avg_pool2d", "index_fill", "select", "tril", "triu", "diagonal", "as_strided"}
)  # fmt: skip
_OF_DATA = frozenset({"tensor", "as_tensor", "asarray", "scalar_tensor"})  # they are given numbers, not sizes
_MAKES = _UNFILLED | {"zeros", "ones", "full", "arange", "linspace", "eye", "range", "logspace", "hann_window"}

Outcome = tuple[Any, Any, Any]  # what a call gives, what it wrote into, which outputs are views of what


class Concrete:
    """One run's tensors.

    Args:
        values: which numbers tensors have.
        here: the site that the model's code has reached.
        cache: whether shapes are kept.
    """

    def __init__(self, values: Encoder, here: Callable[[], int], *, cache: bool = True) -> None:
        self.values = values
        self.here = here
        self.cache: dict[Any, Any] | None = {} if cache else None
        self.vague: set[int] = set()  # tensors on the CPU that something without numbers was written into
        self.lineage: Callable[[Tensor], list[str]] | None = None  # the calls that a tensor comes from, the last first
        self.guessed: dict[tuple[str, int, str], None] = {}
        self.handles: dict[int, tuple[Any, Signature]] = {}  # how a numbered tensor is told, and its signature
        self._guesses = 0
        self._signatures: dict[int, Signature] = {}
        self._kinds = Kinds()
        self._held: list[Any] = []  # so that no other tensor gets their identity
        self._given: list[Tensor] = []

    # ---- a function

    def run(
        self, func: Any, known: Known, args: tuple[Any, ...], kwargs: dict[str, Any] | None, read: Any = None
    ) -> Outcome:
        """What a call gives, with the tensors that it wrote into and the pairs of views and what they are of.

        Args:
            func: what is called.
            known: what is known of it.
            args: its arguments.
            kwargs: those by name.
            read: the key of the call and the tensors that it is given, where they were found before.
        """
        if read is None or known.short in _BY_SIZE or known.short in _MAKES:
            args, kwargs, key, given = self._keyed(func, known, args, kwargs)
        else:
            key, given = read
        if not given:
            return self._made(func, known, args, kwargs or {}), None, None
        signatures = [self.signature(one) for one in given]
        real = [one for one, signature in zip(given, signatures, strict=True) if not signature.meta]
        if len(real) == len(given):
            if not (self.vague and any(id(one) in self.vague for one in given)) and (
                len(given) == 1 or known.asks or not _is_large(given)
            ):
                return self._real(func, known, args, kwargs or {}, given)
            key = ()
        if known.asks:
            return self._guess(known, args, kwargs or {}), None, None
        cache = self.cache
        if cache is not None and key and (found := cache.get(key)) is not None:
            if found is not False:
                return self.again(found, func, args, kwargs, given)
        else:
            found = None
        by_value = known.short in _BY_VALUE
        before = self._guesses
        out, written, views = self._on_meta(func, known, args, kwargs or {}, given, real)
        if found is None and cache is not None and key and not (by_value and real):
            if written or known.inplace or self._guesses != before:
                cache[key] = False
            else:
                asis = known.short not in _MOVES and not real and not (kwargs and "device" in kwargs)
                asis = asis and (not by_value or (known.short == "__getitem__" and len(given) == 1))
                cache[key] = kept(self._kinds, out, views, given, asis=asis)
        return out, written, views

    def _keyed(
        self, func: Any, known: Known, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> tuple[tuple[Any, ...], dict[str, Any] | None, Any, list[Tensor]]:
        """Arguments with sizes as numbers; the key of the call, empty where it has none; the tensors that are given."""
        given: list[Tensor] = []
        self._given = given
        if known.short in _BY_SIZE or known.short in _MAKES:
            args, kwargs = self._sized(known, args, kwargs)
        try:
            key: tuple[Any, ...] = (func, *[self._key(arg) for arg in args])
            if kwargs:
                key = (*key, *[(name, self._key(value)) for name, value in kwargs.items()])
            hash(key)
        except TypeError:
            key = ()
        return args, kwargs, key, given

    def _sized(
        self, known: Known, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> tuple[tuple[Any, ...], dict[str, Any] | None]:
        """The arguments with numbers in place of tensors of one number, where they say sizes."""
        first = 0 if known.short in _MAKES else 1
        if any(_holds_number(arg) for arg in args[first:]):
            args = (*args[:first], *[self._number(arg) for arg in args[first:]])
        if kwargs and any(_holds_number(value) for value in kwargs.values()):
            kwargs = {name: value if name == "input" else self._number(value) for name, value in kwargs.items()}
        return args, kwargs

    def _number(self, value: Any) -> Any:
        if type(value) in (tuple, list, torch.Size):
            numbers = [self._number(item) for item in value]
            return numbers if type(value) is list else tuple(numbers)
        if not _holds_number(value):
            return value
        if value.is_meta or id(value) in self.vague:
            self._guessing("a size", "1")
            return 1
        return value.item()

    def key(self, value: Any, given: list[Tensor]) -> Any:
        """Equal for values for which calls give the same shapes; tensors in it are added to `given`."""
        self._given = given
        return self._key(value)

    def _key(self, value: Any) -> Any:
        kind = type(value)
        if kind is Tensor or isinstance(value, Tensor):
            self._given.append(value)
            return self.signature(value)
        if kind is int or kind is str or value is None:
            return value
        if kind is float or kind is bool:
            return (kind, value)
        if kind is tuple or kind is list or kind is torch.Size:
            return (kind, *[self._key(item) for item in value])
        if kind is slice:
            return (slice, self._key(value.start), self._key(value.stop), self._key(value.step))
        if kind is dict:
            return (dict, *[(name, self._key(item)) for name, item in value.items()])
        return value

    def signature(self, tensor: Tensor) -> Signature:
        """The same for tensors that are alike."""
        found = self._signatures.get(id(tensor))
        if found is None:
            handle = self.handles.get(id(tensor))
            return self._sign(tensor) if handle is None else handle[1]
        return found

    def _sign(self, tensor: Tensor) -> Signature:
        signature = self._signatures[id(tensor)] = self._kinds.of(tensor)
        self._held.append(tensor)
        return signature

    def mark(self) -> tuple[int, set[int], dict[tuple[str, int, str], None]]:
        """What is known by now, to come `back` to."""
        return len(self._held), set(self.vague), dict(self.guessed)

    def back(self, mark: tuple[int, set[int], dict[tuple[str, int, str], None]]) -> None:
        """Forget what a call that failed has brought."""
        count, vague, guessed = mark
        for tensor in self._held[count:]:
            self._signatures.pop(id(tensor), None)
        self.handles.clear()
        del self._held[count:]
        self.vague = set(vague)
        self.guessed = dict(guessed)

    # ---- nothing is given

    def _made(self, func: Any, known: Known, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a function gives that is given no tensor: on the CPU where it is small and holds numbers."""
        if not known.makes:
            return func(*args, **kwargs)
        if known.short in _UNFILLED:
            if known.short in ("rand", "randn") and not _entries(args, kwargs, 2):
                self.guessed[known.short, self.here(), "0.5"] = None
                return torch.full((), 0.5)
            if known.short == "empty" and _whole(kwargs.get("dtype")) and not _entries(args, kwargs, SMALL):
                size = {"size": kwargs["size"]} if "size" in kwargs else {}
                return torch.zeros(*args, **size, dtype=kwargs["dtype"])  # indices, which are filled one by one
            kwargs = {**kwargs, "device": "meta"}
            kwargs.pop("pin_memory", None)
            kwargs.pop("generator", None)
            return func(*args, **kwargs)
        device = kwargs.get("device")
        large = _holds(args[0] if args else kwargs.get("data"), SMALL) if known.short in _OF_DATA else None
        large = _entries(args, kwargs, SMALL) if large is None else large
        if device is None and not large:
            return func(*args, **kwargs)
        if device is not None:
            kwargs = {**kwargs, "device": "meta" if large else "cpu"}
        elif known.short in ("zeros", "ones", "full", "eye"):
            kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)

    # ---- all that is given holds numbers

    def _real(self, func: Any, known: Known, args: Any, kwargs: dict[str, Any], given: list[Tensor]) -> Outcome:
        if known.short in _MOVES and (kwargs.get("device") is not None or args[1:]):
            moved = _cast(args, kwargs)
            if moved is not None:
                return moved, None, self._relations(moved, given)
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": "cpu"}
        before = _versions(given)
        out = func(*args, **kwargs)
        written = self._written(given, before, known.inplace)
        return out, written, self._relations(out, given)

    # ---- shapes only

    def _on_meta(
        self, func: Any, known: Known, args: Any, kwargs: dict[str, Any], given: list[Tensor], real: list[Tensor]
    ) -> Outcome:
        short = known.short
        first = args[0] if args else next(iter(kwargs.values()))
        if short == "__setitem__" or (known.inplace and not first.is_meta):
            if not first.is_meta:
                self.vague.add(id(first))
            return None if short == "__setitem__" else first, [first], None
        if short in _MOVES:
            moved = _cast(args, kwargs)
            if moved is not None:
                return moved, None, self._relations(moved, given)
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": "meta"}
        if real or short in _BY_VALUE:
            guessed = guesses.shaped(short, func, args, kwargs, self._guessing)
            if guessed is not None:
                return guessed[0], None, None
            numbers = any(name in guesses.NUMBERS for name, _, _ in self.guessed)
            args, kwargs = guesses.by_value(short, args, kwargs, self.vague, self._guessing, guessed=numbers)
            args = tuple(_lifted(arg) for arg in args)
            kwargs = {name: _lifted(value) for name, value in kwargs.items()}
        before = _versions(given)
        try:
            out = func(*args, **kwargs)
        except (NotImplementedError, RuntimeError) as error:
            out = _on_zeros(func, args, kwargs, error)
            self._guessing(short, guesses.AS_FOR_ZEROS)
        if known.inplace and isinstance(out, Tensor) and first is given[0]:
            out = first
        return out, self._written(given, before, known.inplace), self._relations(out, given)

    def _written(self, given: list[Tensor], before: list[int | None], inplace: bool) -> list[Tensor] | None:
        """The tensors that were written into; where there is no counter that tells, the first of an in-place call."""
        after = _versions(given)
        written = [one for one, was, now in zip(given, before, after, strict=True) if was != now]
        if inplace and len(written) > 1 and written[0] is given[0]:
            # Views of one memory have one counter: `x[0] = x[1]` writes into the first alone.
            home = _home(given[0])
            written = [given[0], *(one for one in written[1:] if not home or _home(one) != home)]
        if inplace and given:
            if before[0] is None and not any(one is given[0] for one in written):
                written.insert(0, given[0])
            self._forget(given[0])
        for one in written:
            self._forget(one)
        return written or None

    def _forget(self, tensor: Tensor) -> None:
        """Its shape may have changed."""
        self._signatures.pop(id(tensor), None)
        self.handles.pop(id(tensor), None)

    def _relations(self, out: Any, given: list[Tensor]) -> Any:
        """Pairs of outputs and inputs that share memory."""
        outs = [out] if type(out) is Tensor else list(tensors(out))
        pairs = None
        for one in outs:
            home = _home(one)
            for source in given:
                if one is source or (home and _home(source) == home):
                    pairs = pairs or []
                    pairs.append((one, source))
                    break
        return pairs

    # ---- kept shapes

    def again(self, known: Kept, func: Any, args: Any, kwargs: dict[str, Any] | None, given: list[Tensor]) -> Outcome:
        """What a call gives that is known."""
        if known.pairs is None:
            return made_again(known), None, None
        if known.same >= 0:
            out = given[known.same]
            return out, None, [(out, out)]
        out = func(*args, **kwargs) if kwargs else func(*args)
        outs = (out,) if known.kind is None else out
        return out, None, [(outs[one], given[of]) for one, of in known.pairs]

    # ---- a layer

    def run_layer(
        self, leaf: Leaf, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], read: Any
    ) -> Outcome:
        """What a layer gives that is run; what is known of it is kept for its equals."""
        key, given = read
        with torch._C.DisableTorchFunction():
            keeps = self.cache is not None and bool(given) and all(self.signature(one).meta for one in given)
            plain = told(leaf.forward, module, args, kwargs) if keeps and len(given) == 1 else None
            if plain is not None and self.cache is not None:
                if key:
                    self.cache[key] = kept(self._kinds, plain, None, given, asis=False)
                return plain, None, None
            before, guesses_before = _versions(given), self._guesses
        out = leaf.forward(module, *args, **kwargs)
        with torch._C.DisableTorchFunction():
            written = self._written(given, before, inplace=False)
            views = self._relations(out, given)
            if keeps and self.cache is not None and key and key not in self.cache:
                changed = written or self._guesses != guesses_before
                self.cache[key] = False if changed else kept(self._kinds, out, views, given, asis=False)
        return out, written, views

    @contextmanager
    def uncached(self) -> Iterator[None]:
        """Calls are made, whatever equal ones gave before: tensors may be wrapped."""
        before, self.cache = self.cache, None
        try:
            yield
        finally:
            self.cache = before

    # ---- what cannot be known

    def _guessing(self, name: str, answer: str) -> None:
        self._guesses += 1
        self.guessed[name, self.here(), answer] = None

    def _guess(self, known: Known, args: Any, kwargs: dict[str, Any]) -> Any:
        answer = guesses.content(known.short, args)
        if answer is False and self.lineage is not None and guesses.is_usual(self.lineage(args[0])):
            answer = True
        if known.short in ("__bool__", "item", "__contains__", "equal", "allclose", "is_nonzero") and not answer:
            answer = guesses.is_raised_otherwise(sys._getframe(3))
        self._guessing(known.short, repr(answer)[:40])
        return answer


def _versions(given: list[Tensor]) -> list[int | None]:
    """How often each was written into; None where that is not counted: in inference mode."""
    try:
        return [one._version for one in given]
    except RuntimeError:
        return [None if one.is_inference() else one._version for one in given]


def _whole(dtype: Any) -> bool:
    return isinstance(dtype, torch.dtype) and not dtype.is_floating_point and not dtype.is_complex


def _holds_number(value: Any) -> bool:
    """Whether a tensor of one whole number stands in `value`."""
    if isinstance(value, Tensor):
        return not value.dim() and not value.is_floating_point() and value.dtype != torch.bool
    return type(value) in (tuple, list, torch.Size) and any(_holds_number(item) for item in value)


def _is_large(given: list[Tensor]) -> bool:
    """Whether what is made of these tensors together may have too many entries to be held."""
    rank = max(one.dim() for one in given)
    count = 1
    for axis in range(1, rank + 1):
        count *= max(one.shape[-axis] if one.dim() >= axis else 1 for one in given)
    return count > MOST_REAL


def _home(tensor: Tensor) -> int:
    """The memory that a tensor looks at; 0 where it has none of its own."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return 0


def _lifted(value: Any) -> Any:
    """`value` with shapes only."""
    if isinstance(value, Tensor):
        return value if value.is_meta else value.to("meta")
    if type(value) in (list, tuple):
        return type(value)(_lifted(item) for item in value)
    if type(value) is dict:
        return {name: _lifted(item) for name, item in value.items()}
    return value


def _cast(args: Any, kwargs: dict[str, Any]) -> Tensor | None:
    """The first argument in another dtype, as a move to a device asks for; where it lives stays as it is."""
    first = args[0] if args else None
    if not isinstance(first, Tensor):
        return None
    dtype = kwargs.get("dtype")
    for arg in (*args[1:], *kwargs.values()):
        if isinstance(arg, torch.dtype):
            dtype = arg
        elif isinstance(arg, Tensor):
            dtype = arg.dtype
    copied = kwargs.get("copy") is True
    return first.to(dtype, copy=copied) if dtype is not None else first.clone() if copied else first


def _entries(args: tuple[Any, ...], kwargs: dict[str, Any], most: int) -> bool:
    """Whether a tensor of these sizes has `most` entries or more, as far as its arguments tell."""
    count = 1
    for arg in (*args, *[kwargs[name] for name in ("size", "N", "n") if name in kwargs]):
        for size in arg if isinstance(arg, (tuple, list)) else (arg,):
            if isinstance(size, int) and not isinstance(size, bool):
                count *= max(size, 1)
    return count >= most


def _holds(data: Any, most: int) -> bool:
    """Whether nested lists hold `most` numbers or more."""
    waiting, count = [data], 0
    while waiting and count < most:
        one = waiting.pop()
        if isinstance(one, (list, tuple)):
            waiting += one
        else:
            count += 1
    return count >= most


def _on_zeros(func: Any, args: Any, kwargs: dict[str, Any], error: Exception) -> Any:
    """The shapes of what a call gives for zeros, where torch has no shapes for it.

    Raises:
        Exception: `error`, where it cannot be run so either.
    """
    given = [*tensors(args), *tensors(kwargs)]
    if sum(one.numel() for one in given) > MATERIAL:
        raise error
    try:
        out = func(*(_zeros(arg) for arg in args), **{name: _zeros(value) for name, value in kwargs.items()})
    except Exception:
        raise error from None
    return _lifted(out)


def _zeros(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.zeros_like(value, device="cpu") if value.is_meta else value
    if type(value) in (list, tuple):
        return type(value)(_zeros(item) for item in value)
    return torch.device("cpu") if isinstance(value, torch.device) else value
