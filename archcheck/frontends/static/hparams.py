"""Objects of named values: `HParams`, `SimpleNamespace`, `argparse.Namespace`, each value with the line that set it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from archcheck.frontends.static.values import Args, Class, Data, Instance, Kwargs, Native, Scope
from archcheck.ir.span import Setting

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


def named_values(vm: Machine, args: Args, kwargs: Kwargs) -> Data:
    """An object of named values, as `HParams`, `SimpleNamespace` and `argparse.Namespace` are."""
    made = Instance(Class("HParams", (), Scope(vm.frame.file), None), bag=True)
    for name, value in kwargs.items():
        made.attributes[name] = value
        if value is None or isinstance(value, (bool, int, float, str)):
            made.settings[name] = (Setting(f"hparams.{name}", repr(value), vm.keyword_span(name), vm.trail()),)
    for method in ("add_hparam", "set_hparam"):
        made.attributes[method] = Native(method, lambda machine, a, k: _set_hparam(machine, made, a, k))
    made.attributes["values"] = Native("values", lambda machine, a, k: _plain_values(made))
    made.attributes["get"] = Native("get", lambda machine, a, k: machine.get(made, a[0], a[1] if len(a) > 1 else None))
    made.attributes["override_from_dict"] = Native(
        "override_from_dict", lambda machine, a, k: _override(machine, made, a[0])
    )
    made.attributes["parse"] = Native("parse", lambda machine, a, k: _parse_hparams(machine, made, a[0]))
    return made


def _set_hparam(vm: Machine, made: Instance, args: Args, kwargs: Kwargs) -> None:
    name = args[0] if args else kwargs.get("name")
    value = args[1] if len(args) > 1 else kwargs.get("value")
    if isinstance(name, str):
        made.attributes[name] = value
        made.settings[name] = (Setting(f"hparams.{name}", repr(value), vm.here(), vm.trail()),)


def _plain_values(made: Instance) -> dict[str, Data]:
    return {name: value for name, value in made.attributes.items() if not isinstance(value, Native)}


def _override(vm: Machine, made: Instance, values: Data) -> Data:
    if isinstance(values, dict):
        for name, value in values.items():
            _set_hparam(vm, made, [name, value], {})
    return made


def _parse_hparams(vm: Machine, made: Instance, text: Data) -> Data:
    if isinstance(text, str):
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            try:
                parsed = ast.literal_eval(value)
            except (ValueError, SyntaxError):
                parsed = value
            _set_hparam(vm, made, [name.strip(), parsed], {})
    return made
