"""Hooks around the calls of modules: they see what a module is given and gives, and may replace both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archcheck.frontends.static.values import Args, Class, Data, Instance, Kwargs, Layer, Native, Scope

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine


@dataclass(slots=True)
class Hooks:
    """Functions that run before and after each call of a module; each with whether it takes keyword arguments too."""

    before: list[Data] = field(default_factory=list)
    after: list[Data] = field(default_factory=list)


def before(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    """`module.register_forward_pre_hook(hook)`: called with the module and the arguments; what it gives, if anything,
    takes their place."""
    return _register(vm, _hooks(module).before, args, kwargs)


def after(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> Data:
    """`module.register_forward_hook(hook)`: called with the module, the arguments and the result; what it gives, if
    anything, takes the result's place."""
    return _register(vm, _hooks(module).after, args, kwargs)


def _hooks(module: Instance | Layer) -> Hooks:
    if module.hooks is None:
        module.hooks = Hooks()
    return module.hooks


def _register(vm: Machine, hooks: list[Data], args: Args, kwargs: Kwargs) -> Data:
    """Note a hook; gives what takes it away again, as `torch.utils.hooks.RemovableHandle` does."""
    entry = (args[0] if args else kwargs.get("hook"), kwargs.get("with_kwargs") is True)
    hooks.insert(0 if kwargs.get("prepend") is True else len(hooks), entry)

    def remove(vm: Machine, args: Args, kwargs: Kwargs) -> None:
        hooks[:] = [one for one in hooks if one is not entry]

    handle = Instance(Class("RemovableHandle", (), Scope(vm.frame.file), None))
    handle.attributes["remove"] = Native("remove", remove)
    return handle


def enter(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """The arguments of a call, after the hooks that run before it."""
    for hook, takes_all in list(module.hooks.before) if module.hooks is not None else ():
        given = [module, tuple(args), kwargs] if takes_all else [module, tuple(args)]
        found = vm.call(hook, given, {})
        if found is None:
            continue
        if takes_all and isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict):
            found, kwargs = found
        args = list(found) if isinstance(found, tuple) else [found]
    return args, kwargs


def leave(vm: Machine, module: Instance | Layer, args: Args, kwargs: Kwargs, result: Data) -> Data:
    """The result of a call, after the hooks that run behind it."""
    for hook, takes_all in list(module.hooks.after) if module.hooks is not None else ():
        given = [module, tuple(args), kwargs, result] if takes_all else [module, tuple(args), result]
        found = vm.call(hook, given, {})
        result = result if found is None else found
    return result
