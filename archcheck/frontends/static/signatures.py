"""Arguments of a library call: by the names of its row's parameters, the tensors among them, what they state."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING

from archcheck.frontends import dialects
from archcheck.frontends.dialects.table import IGNORED_KEYWORDS, LayerRow, Parameter, Row
from archcheck.frontends.dialects.table import stated as as_stated
from archcheck.frontends.static.machine import flatten_tensors
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.values import Data, Tensor, Tensors, is_open
from archcheck.ir.ops import BY_NAME

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

WHERE = " if "  # between a parameter and another one without which it says nothing
LEFT_OF_ONE = "1 - "  # before the parameter of which an attribute states what is left of 1


def bind(
    parameters: Sequence[Parameter], args: list[Data], kwargs: dict[str, Data], *, strict: bool = True
) -> dict[str, Data] | None:
    """Arguments by parameter name, defaults filled in; None where they do not fit."""
    bound: dict[str, Data] = {}
    rest = dict(kwargs) if kwargs else {}
    position = 0
    count = len(args)
    for parameter in parameters:
        if parameter.double_star:
            bound[parameter.name] = tuple(rest.items())
            rest = {}
            continue
        if parameter.star:
            given = args[position:]
            if len(given) == 1 and isinstance(given[0], (list, tuple)):
                given = list(given[0])
            bound[parameter.name] = tuple(given)
            position = len(args)
        elif position < count and not parameter.keyword_only:
            bound[parameter.name] = args[position]
            position += 1
        elif rest and (spelling := _spelling(parameter.name, rest)) is not None:
            bound[parameter.name] = rest.pop(spelling)
        elif parameter.required:
            if strict:
                return None
            bound[parameter.name] = Open(f"the argument {parameter.name} is missing")
        else:
            bound[parameter.name] = parameter.default
    if strict and (position < len(args) or any(key not in IGNORED_KEYWORDS for key in rest)):
        return None
    return bound


def _spelling(name: str, given: dict[str, Data]) -> str | None:
    """The keyword by which a call gives a parameter: its name, or another spelling that the framework takes."""
    if name in given:
        return name
    return next((keyword for keyword in given if name in dialects.keyword(keyword)), None)


def bind_init(vm: Machine, row: LayerRow, args: list[Data], kwargs: dict[str, Data]) -> dict[str, Data]:
    """A layer's constructor arguments by name."""
    bound = bind(row.init_parameters, args, kwargs)
    if bound is None:
        bound = bind(row.init_parameters, args, kwargs, strict=False) or {}
        vm.assume(f"arguments of a {row.kind} that its dialect row does not list change nothing that is checked")
    return bound


def fits(bound: dict[str, Data] | None, parameters: Sequence[Parameter], plain: tuple[str, ...]) -> bool:
    """Whether a row says what a call with these arguments computes."""
    if bound is None:
        return False
    if not plain:
        return True
    defaults = {parameter.name: parameter.default for parameter in parameters}
    return all(_same(bound[name], defaults.get(name)) for name in plain if name in bound)


def _same(value: Data, default: Data) -> bool:
    if isinstance(value, (Open, Tensor, Tensors)):
        return False
    return bool(value == default)


def operands(
    vm: Machine, parameters: Sequence[Parameter], bound: dict[str, Data], numbers: Collection[str] = ()
) -> list[Tensor | Tensors]:
    """The tensors that a row reads, in its order; `numbers` are parameters that may also be stated as attributes.

    Beside other tensors, one that must be given and is not known stands as an opaque op: what is left of a
    convolution without its input is not the convolution of its weight.
    """
    found: list[Tensor | Tensors] = []
    missing: list[tuple[int, Data]] = []
    for parameter in parameters:
        if parameter.reads:
            value = bound.get(parameter.name)
            needed = parameter.required and not parameter.kept and parameter.name not in numbers
            if needed and (value is None or is_open(value)):
                missing.append((len(found), value))
            elif not (parameter.kept and isinstance(value, Tensor) and _is_kept(vm, value)):
                found.extend(_told(vm, value))
    if found:
        for place, value in reversed(missing):
            found.insert(place, unknown_operand(vm, value))
    return found


def unknown_operand(vm: Machine, value: Data) -> Tensor:
    """An opaque op in the place of a tensor that is not known."""
    why = value.why if isinstance(value, Open) else f"it is {value}" + " where a tensor must be given" * (value is None)
    return vm.opaque("operand", (), why)


def _is_kept(vm: Machine, tensor: Tensor) -> bool:
    """Whether a tensor is a buffer as the model holds it: neither computed by the call nor learned."""
    op = vm.recorder.by_path.get(tensor.value.op)
    return op is not None and op.kind.name in ("parameter", "constant") and not tensor.learned


def _told(vm: Machine, value: Data) -> list[Tensor | Tensors]:
    """The tensors in `value`; in a list of several, what could not be found out stands as an opaque op."""
    tensors = list(flatten_tensors(value))
    if not tensors or not isinstance(value, (list, tuple)) or not any(isinstance(item, Open) for item in value):
        return tensors
    told = [unknown_operand(vm, item) if isinstance(item, Open) else item for item in value]
    return list(flatten_tensors(told))


def ordered_operands(vm: Machine, row: LayerRow, bound: dict[str, Data]) -> list[Tensor | Tensors]:
    """The tensors that a layer's call reads, in the order of the kind's operands."""
    if not row.order:
        return operands(vm, row.call_parameters, bound)
    found: list[Tensor | Tensors] = []
    for choice in row.order:
        chosen = next((value for name in choice.split("|") if (value := bound.get(name)) is not None), None)
        found.extend(flatten_tensors(chosen))
    return found


def listed(value: Data) -> Sequence[Data]:
    return value if isinstance(value, (list, tuple)) else (value,)


@cache
def declared(kind: str) -> frozenset[str]:
    """The attributes that ops of `kind` may state."""
    return frozenset(declaration.name for declaration in BY_NAME[kind].attrs)


def stated(row: Row | LayerRow, parameters: Sequence[Parameter], bound: dict[str, Data]) -> dict[str, Data]:
    """The attributes that a call states."""
    found: dict[str, Data] = dict(row.const)
    if row.attrs:
        known = declared(row.kind)
        for attribute, parameter in row.attrs.items():
            named, _, condition = parameter.partition(WHERE)
            value = bound.get(named.removeprefix(LEFT_OF_ONE))
            if condition and bound.get(condition) is not True:
                value = bound.get(condition)
            if parameter.startswith(LEFT_OF_ONE) and isinstance(value, (int, float)):
                value = round(1 - value, 9)
            if value is None or attribute not in known or isinstance(value, (Tensor, Tensors)):
                continue
            said = as_stated(attribute, value) if isinstance(value, (str, bool, tuple)) else value
            if said is not None:
                found[attribute] = said
    return found
