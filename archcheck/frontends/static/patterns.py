"""`match`: whether a value fits a pattern, with three truths, and the names that a pattern binds."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from archcheck.frontends.static import conditions, names
from archcheck.frontends.static.inspection import PLAIN, is_one_of
from archcheck.frontends.static.values import Class, Data, Instance, Native, Scope, is_open, is_undecided

if TYPE_CHECKING:
    from archcheck.frontends.static.machine import Machine

Truth = bool | None  # None: not known


def fits(vm: Machine, pattern: ast.pattern, subject: Data, scope: Scope) -> Truth:
    """Whether `subject` fits `pattern`; names in it are bound in `scope` on the way, as Python does."""
    match pattern:
        case ast.MatchValue(value=node):
            equal = conditions.compare(vm, ast.Eq, subject, vm.evaluate(node, scope))
            return equal if isinstance(equal, bool) else None
        case ast.MatchSingleton(value=value):
            return None if is_open(subject) else subject is value
        case ast.MatchOr(patterns=options):
            return _any([fits(vm, option, subject, scope) for option in options])
        case ast.MatchAs(pattern=inner, name=name):
            fitting = True if inner is None else fits(vm, inner, subject, scope)
            if fitting and name:
                names.store(scope, name, subject, ())
            return fitting
        case ast.MatchSequence(patterns=parts):
            return _sequence(vm, parts, subject, scope)
        case ast.MatchMapping():
            return _mapping(vm, pattern, subject, scope)
        case ast.MatchClass():
            return _class(vm, pattern, subject, scope)
    return None


def _any(truths: list[Truth]) -> Truth:
    return True if True in truths else None if None in truths else False


def _all(truths: list[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def _sequence(vm: Machine, parts: list[ast.pattern], subject: Data, scope: Scope) -> Truth:
    if is_undecided(subject):
        return None
    if not isinstance(subject, (list, tuple, range)):
        return False
    star = next((at for at, part in enumerate(parts) if isinstance(part, ast.MatchStar)), None)
    if len(subject) != len(parts) if star is None else len(subject) < len(parts) - 1:
        return False
    if star is None:
        pairs = list(zip(parts, subject, strict=True))
    else:
        behind = len(subject) - (len(parts) - star - 1)
        pairs = [
            *zip(parts[:star], subject[:star], strict=True),
            *zip(parts[star + 1 :], subject[behind:], strict=True),
        ]
        _bind(scope, getattr(parts[star], "name", None), list(subject[star:behind]))
    return _all([fits(vm, part, item, scope) for part, item in pairs])


def _mapping(vm: Machine, pattern: ast.MatchMapping, subject: Data, scope: Scope) -> Truth:
    if is_undecided(subject):
        return None
    if not isinstance(subject, dict):
        return False
    keys = [vm.evaluate(key, scope) for key in pattern.keys]
    if any(is_undecided(key) for key in keys):
        return None
    if any(key not in subject for key in keys):
        return False
    _bind(scope, pattern.rest, {key: value for key, value in subject.items() if key not in keys})
    return _all([fits(vm, part, subject[key], scope) for key, part in zip(keys, pattern.patterns, strict=True)])


def _class(vm: Machine, pattern: ast.MatchClass, subject: Data, scope: Scope) -> Truth:
    kind = vm.evaluate(pattern.cls, scope)
    belongs = None if is_open(subject) else is_one_of(subject, kind)
    if not belongs:
        return belongs
    truths = []
    if pattern.patterns and isinstance(kind, Native) and kind.name in PLAIN:
        truths.append(fits(vm, pattern.patterns[0], subject, scope))  # `int(n)` binds the number itself
    elif pattern.patterns:
        fields = _match_args(kind)
        if fields is None or len(fields) < len(pattern.patterns):
            return None
        truths += [
            _attribute(vm, subject, name, part, scope) for name, part in zip(fields, pattern.patterns, strict=False)
        ]
    for name, part in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
        truths.append(_attribute(vm, subject, name, part, scope))
    return _all(truths)


def _match_args(kind: Data) -> list[str] | None:
    """The attributes that positional patterns of a class are held against."""
    if not isinstance(kind, Class):
        return None
    stated = kind.lookup("__match_args__")
    if stated is not None:
        return [name for name in stated[1] if isinstance(name, str)] if isinstance(stated[1], (tuple, list)) else None
    return list(dict.fromkeys(name for base in reversed(kind.mro) if isinstance(base, Class) for name in base.fields))


def _attribute(vm: Machine, subject: Data, name: str, pattern: ast.pattern, scope: Scope) -> Truth:
    absent = object()
    value = vm.get(subject, name, absent) if isinstance(subject, Instance) else vm.get(subject, name)
    return False if value is absent else fits(vm, pattern, value, scope)


def _bind(scope: Scope, name: str | None, value: Data) -> None:
    if name is not None:
        names.store(scope, name, value, ())
