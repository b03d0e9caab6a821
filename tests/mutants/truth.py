"""Whether a mutant computes what the model computes: both are run, with the same weights on the same input."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from typing import Any

CLOSE = 1e-9  # of double precision; a norm makes twice its input nearly the same


class Truth(Enum):
    """What came of running both."""

    SAME = "the same"
    DIFFERS = "another function"
    BROKEN = "does not run"


@dataclass(frozen=True)
class Subject:
    """How a model is built and called.

    Attributes:
        symbol: a class of the file, or a function that builds a model.
        arguments: Python expressions in the file's words.
        inputs: the shape of each; empty: one of as many features for each argument that must be given.
        width: how many that are.
        package: what the file's own imports start from.
        build: the expression that builds it, in the file's words; empty: a call of the symbol with the arguments.
        call: what it is called with, as the inside of a call; empty: by `inputs` and `width`.
    """

    symbol: str
    arguments: dict[str, str]
    width: int
    inputs: tuple[tuple[int, ...], ...] = ()
    package: str = ""
    build: str = ""
    call: str = ""


def compare(original: str, mutant: str, subject: Subject, *, renamed: bool = False) -> Truth:
    """What a mutant is, by one input in train mode (with the same random numbers) and in eval mode.

    Args:
        renamed: whether it may be the same with two of its matrices exchanged: queries and keys, for one.
    """
    try:
        first = _run(original, subject, None)
    except Exception as error:
        raise ValueError(f"the model itself does not run: {error}") from error
    try:
        second = _run(mutant, subject, first[0])
    except Exception:  # any: a mutant that raises is no model
        return Truth.BROKEN
    shapes = [tuple(one.shape) for one in first[0]]
    if shapes != [tuple(one.shape) for one in second[0]]:
        return Truth.DIFFERS
    if _alike(first, second):
        return Truth.SAME
    for one, other in combinations(range(len(shapes)), 2) if renamed else ():
        if shapes[one] == shapes[other] and len(shapes[one]) > 1:
            order = list(range(len(shapes)))
            order[one], order[other] = other, one
            if (
                one + 1 < len(shapes)
                and other + 1 < len(shapes)
                and len(shapes[one + 1]) == 1 == len(shapes[other + 1])
            ):
                order[one + 1], order[other + 1] = other + 1, one + 1
            if _alike(first, _run(mutant, subject, [first[0][at] for at in order])):
                return Truth.SAME
            for two, twin in combinations(range(len(shapes)), 2):  # and norms of these
                if len(shapes[two]) == 1 and shapes[two] == shapes[twin] and order[two] == two and order[twin] == twin:
                    both = list(order)
                    both[two], both[twin] = twin, two
                    if _alike(first, _run(mutant, subject, [first[0][at] for at in both])):
                        return Truth.SAME
    for one in range(len(shapes)) if renamed else ():  # of three maps in one matrix, the first two
        if shapes[one][0] == 3 * shapes[one][-1] and len(shapes[one]) == 2:
            held = [_turned(weight) if at in (one, one + 1) else weight for at, weight in enumerate(first[0])]
            alone = [_turned(weight) if at == one else weight for at, weight in enumerate(first[0])]
            if any(_alike(first, _run(mutant, subject, weights)) for weights in (held, alone)):
                return Truth.SAME
    return Truth.DIFFERS


def _turned(weight: Any) -> Any:
    import torch

    if len(weight) % 3:
        return weight
    first, second, third = weight.chunk(3)
    return torch.cat([second, first, third])


def _alike(first: tuple[list[Any], ...], second: tuple[list[Any], ...]) -> bool:
    """Whether both give the same, in eval mode and in train mode."""
    import torch

    for one, two in zip(first[1:], second[1:], strict=True):
        if len(one) != len(two) or any(a.shape != b.shape for a, b in zip(one, two, strict=True)):
            return False
        if not all(torch.allclose(a, b, rtol=CLOSE, atol=CLOSE, equal_nan=True) for a, b in zip(one, two, strict=True)):
            return False
    return True


def _run(text: str, subject: Subject, weights: list[Any] | None) -> tuple[list[Any], list[Any], list[Any]]:
    import torch

    name = f"{subject.package}.a_mutant" if subject.package else "a_mutant"
    module = types.ModuleType(name)
    module.__package__, module.__file__ = subject.package or None, "model.py"
    sys.modules[name] = module
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    exec(compile(text, "model.py", "exec"), module.__dict__)  # our own fixtures, and what is made of them
    arguments = {key: eval(value, module.__dict__) for key, value in subject.arguments.items()}
    build = f"{subject.build}.double()" if subject.build else ""
    model = eval(build, module.__dict__) if build else getattr(module, subject.symbol)(**arguments)
    own = list(model.parameters())
    with torch.no_grad():
        for at, one in enumerate(own):
            if weights is not None and at < len(weights) and weights[at].shape == one.shape:
                one.copy_(weights[at])
            elif weights is None:
                one.copy_(torch.randn(one.shape) * 0.2 + 0.05 * (at % 3))
    found = []
    for mode in (False, True):
        model.train(mode)
        torch.manual_seed(2)
        if subject.call:
            inputs = eval(f"({subject.call},)", {**module.__dict__, "torch": torch})
        else:
            inputs = [torch.randn(shape) for shape in subject.inputs] or _inputs(model, subject.width)
        torch.manual_seed(3)
        with torch.no_grad():
            found.append(_flat(model(*inputs)))
    return [one.detach().clone() for one in own], *found


def _inputs(model: Any, width: int) -> list[Any]:
    """A tensor for each argument that must be given."""
    import inspect

    import torch

    parameters = inspect.signature(model.forward).parameters.values()
    needed = [one for one in parameters if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]
    return [torch.randn(2, 5, width) for _ in needed]


def _flat(value: Any) -> list[Any]:
    import torch

    if isinstance(value, (list, tuple)):
        return [inner for item in value for inner in _flat(item)]
    return [value] if isinstance(value, torch.Tensor) else []
