"""Makes the arguments of a call: from what the user gives, the signature, its documentation, and the model.

Only what the call must have is given, as when the model is read. What it turns out to want besides is found by trying:
an exception tells what is missing or has the wrong shape, and of several things to try the one comes first that
mends a call which got further than others.
"""

from __future__ import annotations

import ast
import heapq
import inspect
import re
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from archcheck.frontends.trace.child import documented, recipes
from archcheck.frontends.trace.child.building import Built, CannotBuildError, names_of, parameters_of
from archcheck.frontends.trace.child.mending import Mender, Proposal
from archcheck.frontends.trace.child.settings import Set, Setting
from archcheck.frontends.trace.child.sizes import Sizes, field_of

_State = tuple[dict[str, Any], tuple[Setting, ...]]  # arguments, and fields of the configuration that were set
MOST_TRIES = 48
MOST_SECONDS = 40.0  # of processor time, for all tries together
_NOT_GIVEN = ("past_key_values", "output_attentions", "output_hidden_states", "return_dict")


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
        self.parameters = parameters_of(built.call) or []
        names = names_of(self.parameters)
        named = [one for one in self.parameters if one.name in names]
        required = [one.name for one in named if one.default is one.empty]
        main = field_of(built.model, "main_input_name")
        main = main if isinstance(main, str) and main in names else ""
        self.sizes = Sizes(built.model, built.config, built.arguments)
        self.recipes = recipes.Recipes(self.sizes, documented.shapes(function), names, required, main)
        said = documented.kinds(function)
        self.annotations = {one.name: f"{_annotation(one)} {said.get(one.name, '')}".strip() for one in named}
        self.values: dict[str, Any] = dict(built.fixed)
        self.positional: list[Any] = []
        self._open_ended = any(one.kind == one.VAR_KEYWORD for one in self.parameters)
        self._candidates: dict[str, list[Any]] = {}
        for name, text in given.items():
            if name in self.values:
                raise CannotBuildError(
                    f"{name} is given twice, with --arg and with --input", hint="leave one of them out"
                )
            if name not in names and not self._open_ended:
                hint = f"it takes {', '.join(names) or 'none'}"
                raise CannotBuildError(f"--input {name}: the call has no such parameter", hint=hint)
            self.values[name] = _given(name, text)
        free = {one: kind for one, kind in self.annotations.items() if one not in {*self.values, *_NOT_GIVEN}}
        self.mender = Mender(free, frozenset(required), self.candidates, self.sizes, completes=built.completes)
        for name in [*wanted, *required]:
            if name in names and name not in self.values:
                self._give(name)
        if not any(recipes.holds_tensor(value) for value in self.values.values()):
            self._give_main(main, [name for name in names if name not in self.values])
        self._first = dict(self.values)
        self._tries = 0
        self._started = time.process_time()
        self._settings: tuple[Setting, ...] = ()
        self._undo: list[Set] = []
        self._cost = 0.0
        self._waiting: list[tuple[int, float, int, tuple[str, ...], _State]] = []
        self._seen = {_signature(self.values, ())}
        self._furthest: tuple[int, _State] = (-1, (self.values, ()))
        self._last = False
        self._path: tuple[str, ...] = ()  # what was changed, in order
        self._good: _State | None = None  # with which the call came to its end
        self._doubted: list[str] | None = None  # changes that may not have been needed

    @property
    def names(self) -> list[str]:
        """Of the arguments that are given, in the order of the signature."""
        order = {one.name: at for at, one in enumerate(self.parameters)}
        return sorted(self.values, key=lambda name: order.get(name, len(order)))

    @property
    def settings(self) -> list[Set]:
        """Fields that got another value than their default, with which the call fails, and what they were."""
        return self._undo

    @property
    def assumed(self) -> list[str]:
        """What is taken for granted about the arguments, in the user's words."""
        told: list[str] = []
        for name in self.names:
            value = self.values[name]
            if name not in self._first:
                shown = f"={value}" if isinstance(value, (bool, int, float, str)) else ""
                told.append(f"called with {name}{shown}, without which the call fails")
            elif value is not self._first[name]:
                told.append(f"{name} is given {_shown(value)}, as the call fails with {_shown(self._first[name])}")
        told += [f"called without {name}, with which the call fails" for name in self._first if name not in self.values]
        return [*told, *[one.assumed for one in self._settings]]

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments."""
        positional = list(self.positional)
        only = [one.name for one in self.parameters if one.kind == one.POSITIONAL_ONLY]
        positional += [self.values[name] for name in only if name in self.values]
        return positional, {name: self.values[name] for name in self.names if name not in only}

    def candidates(self, name: str) -> list[Any]:
        """Values for an argument, the likeliest first."""
        if name not in self._candidates:
            self._candidates[name] = list(self.recipes.candidates(name, self.annotations.get(name)))[:16]
        return self._candidates[name]

    def _give(self, name: str) -> None:
        self.values[name] = self.candidates(name)[0]

    def _give_main(self, main: str, names: list[str]) -> None:
        """A call that would be given no tensor gets the one that it is about."""
        if names:
            self._give(main if main in names else names[0])
        elif any(one.kind == one.VAR_POSITIONAL for one in self.parameters) or not self.parameters:
            self.positional = [next(self.recipes.candidates("x", None))]

    # ---- mending

    def mend(self, error: BaseException, reached: int = 0) -> bool:
        """Whether there is something else to try, after the call failed with `error`.

        Where there is nothing left, the call that got furthest is made once more, so that it is the one that is told.

        Args:
            error: why the call failed.
            reached: how far it got: how many calls of torch were made.
        """
        if self._good is not None:
            return not self._last and self._less()
        if self._last:
            return False
        if reached > self._furthest[0]:
            self._furthest = reached, (self.values, self._settings)
        self._tries += 1
        if self._tries < MOST_TRIES and time.process_time() - self._started < MOST_SECONDS:
            for proposal in self.mender.proposals(error, self.values):
                self._add(proposal, reached)
            if self._waiting:
                _, self._cost, _, self._path, state = heapq.heappop(self._waiting)
                self._take(state)
                return True
        self._last = True
        if self.values is self._furthest[1][0]:
            return False
        self._take(self._furthest[1])
        return True

    def lessen(self) -> bool:
        """Whether to call once more, after a call came to its end, as it may do so with less being given.

        What was changed last was needed; what was changed before may have been a wrong turn.
        """
        if self._last or len(self._path) < 2 or time.process_time() - self._started > MOST_SECONDS:
            return False
        self._good = self.values, self._settings
        if self._doubted is None:
            self._doubted = list(dict.fromkeys(name for name in self._path[:-1] if name != self._path[-1]))
        return self._less()

    def _less(self) -> bool:
        """Take back one change that is doubted; or, where there is none left, come back to what is known to do."""
        assert self._good is not None
        values, settings = self._good
        while self._doubted:
            name = self._doubted.pop(0)
            less = {one: value for one, value in values.items() if one != name}
            if name in self._first:
                less[name] = self._first[name]
            if _signature(less, settings) != _signature(values, settings):
                self._take((less, settings))
                return True
        self._last = True
        if self.values is values:
            return False
        self._take(self._good)
        return True

    def _take(self, state: _State) -> None:
        for setting, before in reversed(self._undo):
            setting.undo(before)
        self.values, self._settings = state
        self._undo = [(setting, setting.apply()) for setting in self._settings]

    def _add(self, proposal: Proposal, reached: int) -> None:
        values = {name: value for name, value in self.values.items() if name not in proposal.dropped}
        values |= proposal.given
        settings = (*self._settings, *proposal.settings)
        signature = _signature(values, settings)
        if signature in self._seen:
            return
        self._seen.add(signature)
        cost = self._cost + proposal.cost
        path = (*self._path, *proposal.given, *proposal.dropped)
        heapq.heappush(self._waiting, (-reached, cost, len(self._seen), path, (values, settings)))


def _annotation(parameter: inspect.Parameter) -> str:
    """The type of an argument, as it is written, or that of its default."""
    if parameter.annotation is not parameter.empty:
        return str(parameter.annotation)
    default = parameter.default
    return type(default).__name__ if isinstance(default, (bool, int, float, str)) else str(parameter.empty)


def _signature(values: Mapping[str, Any], settings: tuple[Setting, ...]) -> str:
    set_ = sorted((setting.name, repr(setting.value)) for setting in settings)
    return repr((sorted((name, _shown(value)) for name, value in values.items()), set_))


def _shown(value: Any) -> str:
    """A value in few words: a tensor by its shape."""
    if isinstance(value, Tensor):
        kind = (
            ""
            if value.is_floating_point()
            else " of whole numbers"
            if value.dtype != torch.bool
            else " of truth values"
        )
        return f"[{', '.join(map(str, value.shape))}]{kind}"
    if isinstance(value, (list, tuple)):
        return f"({', '.join(_shown(item) for item in value)})"
    return repr(value)[:80]


def _given(name: str, text: str) -> Any:
    """The value of `--input NAME=TEXT`."""
    shape, _, dtype = text.partition(":")
    if re.fullmatch(r"\d+(x\d+)*", shape.strip()) and ("x" in shape or dtype):
        sizes = [int(size) for size in shape.strip().split("x")]
        kind = getattr(torch, dtype.strip() or "float32", None)
        if not isinstance(kind, torch.dtype):
            hint = "float32, bfloat16, int64 and bool are some"
            raise CannotBuildError(f"--input {name}={text}: torch has no dtype {dtype!r}", hint=hint)
        if kind.is_floating_point or kind.is_complex:
            return torch.empty(sizes, dtype=kind, device="meta")
        return torch.ones(sizes, dtype=kind)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        hint = "give a shape, as 2x7x64 or 2x7:int64, or a number, a text in quotes or a list of them"
        raise CannotBuildError(f"--input {name}={text}: this is no shape and no literal", hint=hint) from None
