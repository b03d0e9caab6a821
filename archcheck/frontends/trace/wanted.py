"""What the reader knows that the traced process must be told: configurations, and what a function is for."""

from __future__ import annotations

import ast

from archcheck.frontends.static import configs, names
from archcheck.frontends.static.machine import Frame, Machine
from archcheck.frontends.static.values import Class, Function
from archcheck.frontends.targets import Target


def of(target: Target, module: str, symbol: str) -> tuple[dict[str, list[str]], bool]:
    """Constructor argument -> module and name of the configuration's class; and whether a function builds a model.

    Both witnesses so look at the same configuration: the one that the reader takes.
    """
    library = target.library
    with library.footprint.of(), library.loaded(frozenset({names.opened_by(module)})) as loaded:
        vm = Machine(library, own_package=module, loaded=loaded)
        source = vm.module(module)
        if source is None:
            return {}, False
        vm.frames.append(Frame("", source.file, 1))
        value = names.global_value(vm, source.scope, symbol.partition(".")[0])
        if isinstance(value, Class):
            init = value.lookup("__init__")
            function = init[1] if init is not None else None
            owner = value
        else:
            function, owner = value, None
        if not isinstance(function, Function):
            return {}, False
        factory = owner is None and configs.makes_module(vm, function)
        if owner is None and not factory:
            return {}, False
        found: dict[str, list[str]] = {}
        for parameter in _required(function.signature, skip=1 if owner is not None else 0):
            place = configs.place_of(vm, parameter, function, owner, by_reads=True)
            if place is not None:
                found[parameter.arg] = list(place)
        return found, factory


def _required(spec: ast.arguments, skip: int) -> list[ast.arg]:
    positional = [*spec.posonlyargs, *spec.args]
    plain = positional[: len(positional) - len(spec.defaults)][skip:]
    return plain + [one for one, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if default is None]
