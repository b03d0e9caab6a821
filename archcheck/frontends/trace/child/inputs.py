"""Makes the arguments of a call: from what the user gives, from the signature, the configuration and the modules.

Only what the call must have is given, as when the model is read. What it turns out to want besides is found by trying:
an exception tells what is missing or has the wrong shape.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from archcheck.frontends.trace.child import recipes
from archcheck.frontends.trace.child.building import Built, CannotBuildError

MOST_TRIES = 12
_NOT_TENSORS = ("int", "bool", "str", "float", "Callable", "Cache", "dict")


class Inputs:
    """The arguments of a call, which are mended where the call fails.

    Args:
        built: what is called.
        given: name -> text of `--input`: a shape `2x7x64`, a shape with a dtype `2x7:int64`, or an expression.
        wanted: optional arguments that are given too.
    """

    def __init__(self, built: Built, given: Mapping[str, str], wanted: list[str]) -> None:
        self.built = built
        function = built.call.forward if isinstance(built.call, torch.nn.Module) else built.call
        try:
            self.parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            self.parameters = []
        self.sizes = recipes.Sizes(built.model, built.config)
        self.values: dict[str, Any] = {}
        self.positional: list[Any] = []
        self.tried: set[str] = set()
        self.assumed: list[str] = []
        names = {one.name for one in self.parameters}
        open_ended = any(one.kind == one.VAR_KEYWORD for one in self.parameters)
        for name, text in given.items():
            if name not in names and not open_ended:
                raise CannotBuildError(
                    f"--input {name}: the call has no such parameter; it takes {', '.join(sorted(names))}"
                )
            self.values[name] = _given(name, text)
        for name in wanted:
            if name in names and name not in self.values:
                self._give(name)
        self._required()

    @property
    def names(self) -> list[str]:
        """Of the arguments that are given, in the order of the signature."""
        order = {one.name: at for at, one in enumerate(self.parameters)}
        return sorted(self.values, key=lambda name: order.get(name, len(order)))

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments."""
        positional = list(self.positional)
        only = [one.name for one in self.parameters if one.kind == one.POSITIONAL_ONLY]
        positional += [self.values[name] for name in only if name in self.values]
        return positional, {name: self.values[name] for name in self.names if name not in only}

    def _required(self) -> None:
        for one in self.parameters:
            if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) or one.default is not one.empty:
                continue
            if one.name not in self.values:
                self._give(one.name)
        if not any(recipes.holds_tensor(value) for value in self.values.values()):
            self._give_main()

    def _give_main(self) -> None:
        """A call that would be given no tensor gets the one that it is about."""
        main = getattr(self.built.model, "main_input_name", None)
        names = [one.name for one in self.parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
        if isinstance(main, str) and main in names:
            self._give(main)
        elif names:
            self._give(names[0])
        elif any(one.kind == one.VAR_POSITIONAL for one in self.parameters) or not self.parameters:
            self.positional = [recipes.make("x", None, self.sizes)]

    def _give(self, name: str) -> None:
        annotation = next((one.annotation for one in self.parameters if one.name == name), None)
        self.values[name] = recipes.make(name, annotation, self.sizes)

    # ---- mending

    def mend(self, error: BaseException) -> bool:
        """Whether there is something else to try, after the call failed with `error`."""
        text = str(error)
        if text in self.tried or len(self.tried) >= MOST_TRIES:
            return False
        self.tried.add(text)
        return self._reshape(text) or self._give_more(text, error)

    def _reshape(self, text: str) -> bool:
        """Give a tensor the size that the exception tells."""
        for pattern, at in _SIZES_TOLD:
            if (match := re.search(pattern, text)) is None:
                continue
            numbers = [int(number) for number in re.findall(r"\d+", match[1])]
            if not numbers:
                continue
            size = numbers[-1]
            changed = False
            for name, value in self.values.items():
                if isinstance(value, Tensor) and value.is_floating_point() and value.dim() >= 2:
                    shape = list(value.shape)
                    axis = at if at < 0 or value.dim() > at else -1
                    if shape[axis] != size:
                        shape[axis] = size
                        self.values[name] = recipes.floating(*shape)
                        changed = True
            if changed:
                return True
        if match := re.search(r"Expected (\d)D \(unbatched\) or (\d)D|[Ee]xpected (\d)D|must be (\d)-?[dD]", text):
            rank = int(next(number for number in reversed(match.groups()) if number))
            for name, value in self.values.items():
                if isinstance(value, Tensor) and value.is_floating_point() and value.dim() != rank:
                    self.values[name] = recipes.of_rank(rank, self.sizes)
                    return True
        return False

    def _give_more(self, text: str, error: BaseException) -> bool:
        """Give an optional argument that the exception, or the line that raised it, names."""
        names = [one.name for one in self.parameters if one.name not in self.values]
        tensors = [one.name for one in self.parameters if one.name in names and _may_be_tensor(one)]
        spoken = [name for name in tensors if re.search(rf"\b{re.escape(name)}\b", text)]
        if not spoken:
            line = recipes.failing_code(error)
            spoken = [name for name in tensors if re.search(rf"\b{re.escape(name)}\b", line)]
        if not spoken and "NoneType" in text:
            spoken = [name for name in tensors if name not in ("past_key_values", "labels")][:1]
        for name in spoken[:1]:
            self._give(name)
            self.assumed.append(f"called with {name}, without which the call fails")
            return True
        return False


def _may_be_tensor(parameter: inspect.Parameter) -> bool:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return False
    text = str(parameter.annotation)
    return "Tensor" in text or parameter.annotation is parameter.empty


_SIZES_TOLD: tuple[tuple[str, int], ...] = (
    (r"mat1 and mat2 shapes cannot be multiplied \(\d+x\d+ and (\d+)x\d+\)", -1),
    (r"a and b must have same reduction dim, but got \[.*?\] X \[(\d+), \d+\]", -1),
    (r"normalized_shape=\[([\d, ]+)\]", -1),
    (r"expected input\[.*?\] to have (\d+) channels", 1),
    (r"running_mean should contain \d+ elements not (\d+)", 1),
    (r"input\.size\(-1\) must be equal to input_size\. Expected (\d+)", -1),
    (r"The size of tensor a \(\d+\) must match the size of tensor b \((\d+)\) at non-singleton dimension", -1),
)


def _given(name: str, text: str) -> Any:
    """The value of `--input NAME=TEXT`."""
    shape, _, dtype = text.partition(":")
    if re.fullmatch(r"\d+(x\d+)*", shape.strip()):
        sizes = [int(size) for size in shape.strip().split("x")]
        kind = getattr(torch, dtype.strip() or "float32", None)
        if not isinstance(kind, torch.dtype):
            raise CannotBuildError(f"--input {name}={text}: there is no dtype {dtype!r}")
        if kind.is_floating_point or kind.is_complex:
            return torch.empty(sizes, dtype=kind, device="meta")
        return torch.ones(sizes, dtype=kind)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise CannotBuildError(
            f"--input {name}={text}: give a shape, as 2x7x64 or 2x7:int64, or a number, a text or a list of them"
        ) from None


Caller = Callable[[list[Any], dict[str, Any]], Any]
