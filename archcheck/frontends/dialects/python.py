"""Classes of Python's standard library that model code keeps values in, spelled in Python."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect

# one context, since nothing that is read runs beside anything else
_CONTEXT_VAR = """
class ContextVar:
    def __init__(self, name, *, default=None):
        self.name = name
        self.held = default

    def get(self, default=None):
        return default if self.held is None else self.held

    def set(self, value):
        before = self.held
        self.held = value
        return before

    def reset(self, token):
        self.held = token
"""

_SIGNATURE = """
class Signature:
    def __init__(self, parameters, args, defaults):
        self.parameters = parameters
        self.args = args
        self.defaults = defaults

    def bind(self, *args, **kwargs):
        found = dict(zip(self.args, args))
        found.update({name: value for name, value in kwargs.items() if name in self.args})
        return inspect.BoundArguments(found, self.defaults)

    def bind_partial(self, *args, **kwargs):
        return self.bind(*args, **kwargs)
"""

_BOUND_ARGUMENTS = """
class BoundArguments:
    def __init__(self, arguments, defaults):
        self.arguments = arguments
        self.defaults = defaults

    def apply_defaults(self):
        for name, value in self.defaults.items():
            self.arguments.setdefault(name, value)
"""

PYTHON = Dialect(
    name="python",
    classes={
        "contextvars.ContextVar": _CONTEXT_VAR,
        "inspect.Signature": _SIGNATURE,
        "inspect.BoundArguments": _BOUND_ARGUMENTS,
    },
)
