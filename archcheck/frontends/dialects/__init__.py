"""What the names of frameworks mean, looked up by qualified name; the tables are data, one file a framework.

Names are looked up after `canonical`, so callers may pass any spelling (`torch.nn.modules.linear.Linear`).
"""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect, Formula, LayerRow, Row
from archcheck.frontends.dialects.torch import TORCH

# where two dialects name a method, the first one's row counts
DIALECTS: tuple[Dialect, ...] = (TORCH,)

_ALIASES = {prefix: target for dialect in DIALECTS for prefix, target in dialect.aliases.items()}
_ALIAS_LENGTHS = tuple(sorted({len(prefix) for prefix in _ALIASES}, reverse=True))
_FUNCTIONS = {name: row for dialect in DIALECTS for name, row in dialect.functions.items()}
_LAYERS = {name: row for dialect in DIALECTS for name, row in dialect.layers.items()}
_FORMULAS = {name: formula for dialect in DIALECTS for name, formula in dialect.formulas.items()}
_METHODS = {name: row for dialect in reversed(DIALECTS) for name, row in dialect.methods.items()}
_METHOD_FORMULAS = {name: formula for dialect in reversed(DIALECTS) for name, formula in dialect.method_formulas.items()}
_PROPERTIES = {name: row for dialect in reversed(DIALECTS) for name, row in dialect.properties.items()}
_BASES = {name: methods for dialect in DIALECTS for name, methods in dialect.bases.items()}
_CONTAINERS = {name: form for dialect in DIALECTS for name, form in dialect.containers.items()}
_IGNORED = tuple(prefix for dialect in DIALECTS for prefix in dialect.ignored)
_METADATA = frozenset().union(*(dialect.metadata for dialect in DIALECTS))
_KEYWORDS = {spelling: name for dialect in DIALECTS for spelling, name in dialect.keywords.items()}


def canonical(qualified: str) -> str:
    """The name under which the tables list `qualified`: aliases applied, the longest prefix first, until none is left."""
    seen = {qualified}
    while True:
        for length in _ALIAS_LENGTHS:
            target = _ALIASES.get(qualified[:length])
            if target is not None:
                qualified = target + qualified[length:]
                break
        else:
            return qualified
        if qualified in seen:
            return qualified
        seen.add(qualified)


def function(qualified: str) -> Row | None:
    """The row of a function; None if no dialect lists it."""
    return _FUNCTIONS.get(canonical(qualified))


def formula(qualified: str) -> Formula | None:
    """The formula of a function, for calls that its row does not fit or that has none."""
    return _FORMULAS.get(canonical(qualified))


def layer(qualified: str) -> LayerRow | None:
    """The row of a layer class; None if no dialect lists it."""
    return _LAYERS.get(canonical(qualified))


def method(name: str) -> Row | None:
    """The row of a method of tensors, whatever the framework."""
    return _METHODS.get(name)


def method_formula(name: str) -> Formula | None:
    """The formula of a method of tensors, for calls that its row does not fit or that has none."""
    return _METHOD_FORMULAS.get(name)


def tensor_property(name: str) -> Row | None:
    """The row of an attribute of tensors that computes something when it is read (`x.T`)."""
    return _PROPERTIES.get(name)


def base_methods(qualified: str) -> tuple[str, ...] | None:
    """Methods that calling an instance of this base class runs, in order of preference; None if it is no such base."""
    return _BASES.get(canonical(qualified))


def container(qualified: str) -> str | None:
    """"sequential", "sequence" or "mapping" for a container class of layers."""
    return _CONTAINERS.get(canonical(qualified))


def is_ignored(qualified: str) -> bool:
    """Whether calling this name computes nothing: logging, checks, profiling, initialisation."""
    return canonical(qualified).startswith(_IGNORED)


def is_metadata(name: str) -> bool:
    """Whether this attribute or method of a tensor only tells about it."""
    return name in _METADATA


def keyword(name: str) -> str:
    """The parameter name that a framework means by the keyword `name`: `axis` -> `dim`."""
    return _KEYWORDS.get(name, name)
