"""Builds what is traced: imports the target's module, and makes what the symbol names a function of learned tensors."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax

from archcheck.frontends.trace.child.usual import annotation, usual
from archcheck.frontends.trace.jax_child.frames import Frames

_MISSING = object()
_KEYS = ("params", "dropout", "default", "drop_path", "droppath", "stochastic_depth", "noise", "gumbel", "carry")
_OF_FLAX = ("parent", "name", "rngs")  # what constructors of modules take that says nothing of what they are


class CannotBuildError(Exception):
    """The target cannot be built; the message says why, in the user's words.

    Args:
        problem: what is wrong.
        hint: what to do about it, or "".
        at: the place in code that raised it, as `Frames.place` tells it; None where there is none.
    """

    def __init__(self, problem: str, *, hint: str = "", at: list[Any] | None = None) -> None:
        super().__init__(problem)
        self.hint = hint
        self.at = at


@dataclass
class Built:
    """What is traced.

    Attributes:
        call: what is called, whose parameters the inputs are.
        symbol: whose arguments `call` takes.
        bound: gives, for the arguments of the call, abstract state and a function of state, keys and these arguments.
        assumed: what was taken for granted to build it, in words.
        made: constructor arguments that nobody gave -> what they were taken to be.
        arguments: what the constructor was given, from which sizes of inputs are taken.
        fixed: arguments of the call that the user gives beside those of the constructor.
        cls: class of the model; None for a plain function.
    """

    call: Callable[..., Any]
    symbol: str
    bound: Callable[[Callable[[Any], Any]], tuple[list[tuple[str, Any, bool]], Any, Callable[..., Any]]]
    assumed: list[str] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    cls: type | None = None


def import_target(request: Mapping[str, Any], frames: Frames) -> types.ModuleType:
    """The module of the target; its own folders come first where modules are looked for."""
    sys.path[:0] = [path for path in request["roots"] if path not in sys.path]
    try:
        return importlib.import_module(request["module"])
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        hint = ""
        if isinstance(error, ImportError):
            hint = "--python names the interpreter of an environment that has it"
        elif isinstance(error, SystemExit):
            hint = "it ends when it is imported: what a script does belongs under if __name__ == '__main__'"
        problem = f"importing {request['module']} failed: {told(error)}"
        raise CannotBuildError(problem, hint=hint, at=frames.place(error)) from error


def build(request: Mapping[str, Any], module: types.ModuleType, frames: Frames) -> Built:
    """What the request's symbol names, built.

    Raises:
        CannotBuildError: there is no such symbol, it cannot be constructed, or nothing takes an argument that is given.
    """
    first, *rest = str(request["symbol"]).split(".")
    value = getattr(module, first, _MISSING)
    if value is _MISSING:
        raise CannotBuildError(f"{module.__name__} has no {first}")
    given = {name: _evaluated(name, text, module, frames) for name, text in request["arguments"].items()}
    return _Builder(given, request, frames).build(value, first, rest)


def told(error: BaseException) -> str:
    """An exception in one line."""
    text = next((line.strip() for line in str(error).strip().split("\n") if line.strip()), "")[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def parameters_of(call: Any) -> list[inspect.Parameter]:
    """The parameters of a function, without the object that a method is of."""
    if inspect.isclass(call) and _kind(call) == "nnx":
        call = call.__init__  # type: ignore[misc]  # its metaclass takes anything
    try:
        return [one for one in inspect.signature(call).parameters.values() if one.name != "self"]
    except (TypeError, ValueError):
        return []


def names_of(parameters: list[inspect.Parameter]) -> list[str]:
    """The names of those that take one value."""
    return [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def keys() -> dict[str, Any]:
    """Random keys, by the names under which modules ask for them."""
    return {name: jax.random.key(at) for at, name in enumerate(_KEYS)}


def _evaluated(name: str, text: str, module: types.ModuleType, frames: Frames) -> Any:
    try:
        return eval(text, dict(vars(module)))  # the user's own expression, as for the reader: --arg NAME=EXPR
    except SyntaxError as error:
        hint = "give a Python expression in the module's words"
        raise CannotBuildError(f"--arg {name}={text}: {error.msg}", hint=hint) from None
    except Exception as error:
        raise CannotBuildError(f"--arg {name}={text}: {told(error)}", at=frames.place(error)) from error


def _kind(value: Any) -> str:
    """Which library's module a class, or an object, is of; "" for none."""
    cls = value if inspect.isclass(value) else type(value)
    for kind, place in (("linen", "flax.linen"), ("nnx", "flax.nnx"), ("haiku", "haiku")):
        base = getattr(sys.modules.get(place), "Module", None)
        if base is not None and issubclass(cls, base):
            return kind
    return ""


class _Builder:
    def __init__(self, given: dict[str, Any], request: Mapping[str, Any], frames: Frames) -> None:
        self.given = given
        self.unused = set(given)
        self.request = request
        self.frames = frames
        self.assumed: list[str] = []
        self.made: dict[str, Any] = {}
        self.arguments: dict[str, Any] = {}
        self.takes: dict[str, None] = {}  # what arguments could be called

    def build(self, value: Any, first: str, rest: list[str]) -> Built:
        name = ".".join([first, *rest])
        if inspect.isclass(value) and _kind(value):
            return self._module(value, self._keywords(value), rest, name)
        if inspect.isclass(value):
            owner = self._called(value)
            return self._function(_followed(owner, rest or ["__call__"], first), name)
        if _kind(value) in ("linen", "nnx"):
            return self._bound(value, rest, name)
        function = _followed(value, rest, first)
        parameters = parameters_of(function)
        needed = {one.name for one in parameters if one.name in names_of(parameters) and one.default is one.empty}
        if not rest and (self.request["factory"] or self.given.keys() >= needed):
            try:
                made = self._called(function)
            except CannotBuildError:
                if self.request["factory"] or self.given:
                    raise
                made = None
            if _kind(made) in ("linen", "nnx"):
                return self._bound(made, [], name)
            if self.request["factory"]:
                raise CannotBuildError(f"{name} gives {type(made).__name__}, which is no module of Flax")
        self.unused, self.made, self.assumed = set(self.given), {}, []
        return self._function(function, name)

    def _module(self, cls: type, keywords: dict[str, Any], rest: list[str], name: str) -> Built:
        kind = _kind(cls)
        method = rest[0] if rest else "__call__"
        if len(rest) > 1 or not callable(getattr(cls, method, None)):
            raise CannotBuildError(f"{name}: {cls.__name__} has no method {'.'.join(rest) or '__call__'}")
        if kind == "linen":
            return self._bound(self._constructed(cls, keywords), rest, name)
        if kind == "nnx":
            return self._built(
                getattr(cls, method), name, lambda args: _of_nnx(cls, keywords, method, args, self.training), cls
            )

        def made(*given: Any, **named: Any) -> Any:
            return getattr(cls(**keywords), method)(*given, **named)

        return self._built(
            getattr(cls, method),
            name,
            lambda args: _of_haiku(made, args),
            cls,
        )

    @property
    def training(self) -> bool:
        return bool(self.request["training"])

    def _bound(self, model: Any, rest: list[str], name: str) -> Built:
        method = rest[0] if rest else "__call__"
        call = getattr(model, method, None)
        if call is None:
            raise CannotBuildError(f"{name}: {type(model).__name__} has no {method}")
        if _kind(model) == "linen":
            return self._built(call, name, lambda args: _of_linen(model, method, args, self.training), type(model))
        return self._built(call, name, lambda args: _of_nnx_model(model, method, args, self.training), type(model))

    def _function(self, function: Callable[..., Any], name: str) -> Built:
        def bound(args: Any) -> Any:
            if "haiku" in sys.modules:
                try:
                    return _of_haiku(function, args)
                except (KeyboardInterrupt, MemoryError):
                    raise
                except Exception as error:
                    if "hk.transform" not in str(error):
                        raise

            def run(state: Any, random: Any, tensors: Any) -> Any:
                filled = args(tensors)
                return function(*filled[0], **filled[1])

            return [], None, run

        return self._built(function, name, bound, None)

    def _built(self, call: Any, symbol: str, bound: Any, cls: type | None) -> Built:
        self.takes |= dict.fromkeys(names_of(parameters_of(call)))
        if strange := sorted(self.unused - self.takes.keys()):
            hint = f"it takes {', '.join(self.takes)}" if self.takes else "it takes none"
            raise CannotBuildError(f"{self.request['symbol']} has no parameter {strange[0]}", hint=hint)
        fixed = {name: value for name, value in self.given.items() if name in self.unused}
        return Built(call, symbol, bound, self.assumed, self.made, self.arguments, fixed, cls)

    def _keywords(self, function: Any) -> dict[str, Any]:
        """What a constructor is given."""
        keywords: dict[str, Any] = {}
        parameters = parameters_of(function)
        self.takes |= dict.fromkeys(one for one in names_of(parameters) if one not in _OF_FLAX)
        for parameter in parameters:
            name = parameter.name
            if parameter.kind == parameter.VAR_KEYWORD:
                continue
            if name in self.given:
                self.unused.discard(name)
                keywords[name] = self.given[name]
            elif (
                parameter.default is parameter.empty
                and name not in _OF_FLAX
                and parameter.kind != parameter.VAR_POSITIONAL
            ):
                keywords[name] = self._required(function, parameter)
        self.arguments = keywords
        return keywords

    def _called(self, function: Any) -> Any:
        return self._constructed(function, self._keywords(function))

    def _constructed(self, function: Any, keywords: dict[str, Any]) -> Any:
        try:
            return function(**keywords)
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:
            problem = f"constructing {getattr(function, '__name__', function)} failed: {told(error)}"
            hint = "--arg NAME=EXPR gives it something else"
            if self.made:
                made_up = ", ".join(f"{name}={value!r}" for name, value in self.made.items())
                hint = f"nobody said what it is given, and it got {made_up}; {hint}"
            raise CannotBuildError(problem, hint=hint, at=self.frames.place(error)) from error

    def _required(self, function: Any, parameter: inspect.Parameter) -> Any:
        """A constructor's argument that is not given: a configuration with its defaults, or what is usual."""
        name = parameter.name
        wanted = self.request["configs"].get(name)
        if wanted is not None:
            cls = getattr(importlib.import_module(wanted[0]), wanted[1], None)
            if inspect.isclass(cls):
                self.assumed.append(f"{name} is {cls.__name__}(), with its defaults")
                return cls()
        value = usual(name, annotation(function, parameter))
        if value is None:
            raise CannotBuildError(f"the argument {name} is not given", hint=f"--arg {name}=EXPR gives it")
        self.assumed.append(f"{name} is {value!r}, as it is not given")
        self.made[name] = value
        return value


# ---- what is learned, and a function of it


def _of_linen(model: Any, method: str, args: Any, training: bool) -> Any:
    """A module of Flax linen: its variables are made abstractly, and are arguments of what is traced."""
    positional, named = args(None)

    def made(random: Any, tensors: Any) -> Any:
        filled = args(tensors)
        return model.init(random, *filled[0], **filled[1], method=method)

    variables = jax.eval_shape(made, keys(), args.tensors)
    weights = [
        (".".join(str(_key(one)) for one in path[1:]), leaf, _key(path[0]) == "params")
        for path, leaf in jax.tree_util.tree_flatten_with_path(variables)[0]
    ]
    others = [name for name in variables if name != "params"]

    def run(state: Any, random: Any, tensors: Any) -> Any:
        filled = args(tensors)
        if training and others:
            return model.apply(state, *filled[0], **filled[1], rngs=random, mutable=others, method=method)[0]
        return model.apply(state, *filled[0], **filled[1], rngs=random, method=method)

    del positional, named
    return weights, variables, run


def _of_nnx(cls: Any, keywords: dict[str, Any], method: str, args: Any, training: bool) -> Any:
    from flax import nnx

    names = names_of(parameters_of(cls))

    def made() -> Any:
        more = {"rngs": nnx.Rngs(**dict.fromkeys(_KEYS, 0))} if "rngs" in names and "rngs" not in keywords else {}
        return cls(**keywords, **more)

    return _of_nnx_model(nnx.eval_shape(made), method, args, training)


def _of_nnx_model(model: Any, method: str, args: Any, training: bool) -> Any:
    """A module of Flax nnx, whose state is an argument of what is traced."""
    from flax import nnx

    (model.train if training else model.eval)()
    parts, state = nnx.split(model)
    learned = [
        isinstance(one, nnx.Param) for one in jax.tree.leaves(state, is_leaf=lambda one: isinstance(one, nnx.Variable))
    ]
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    abstract = jax.tree.map(lambda one: jax.ShapeDtypeStruct(one.shape, one.dtype), state)
    names = [[_key(one) for one in path] for path, _ in leaves]
    weights = [
        (".".join(str(one) for one in (path[:-1] if path[-1:] in (["value"], ["raw_value"]) else path)), leaf, known)
        for path, (_, leaf), known in zip(names, leaves, learned, strict=True)
    ]

    def run(given: Any, random: Any, tensors: Any) -> Any:
        filled = args(tensors)
        return getattr(nnx.merge(parts, given), method)(*filled[0], **filled[1])

    return weights, abstract, run


def _of_haiku(function: Callable[..., Any], args: Any) -> Any:
    """A function that makes modules of Haiku, or asks for their parameters."""
    import haiku as hk

    made = hk.transform_with_state(function)

    def start(random: Any, tensors: Any) -> Any:
        filled = args(tensors)
        return made.init(random, *filled[0], **filled[1])

    state = jax.eval_shape(start, jax.random.key(0), args.tensors)
    weights = []
    for at, part in enumerate(state):
        for path, leaf in jax.tree_util.tree_flatten_with_path(part)[0]:
            name = ".".join(str(_key(one)).replace("/~/", "/").replace("/", ".") for one in path)
            weights.append((name, leaf, at == 0))

    def run(given: Any, random: Any, tensors: Any) -> Any:
        filled = args(tensors)
        return made.apply(given[0], given[1], random["default"], *filled[0], **filled[1])[0]

    return weights, state, run


def _key(one: Any) -> Any:
    for name in ("key", "name", "idx"):
        if hasattr(one, name):
            return getattr(one, name)
    return one


def _followed(owner: Any, rest: list[str], symbol: str) -> Any:
    """What a chain of attributes leads to, which must be something that can be called."""
    value = owner
    for part in rest:
        value = getattr(value, part, _MISSING)
        if value is _MISSING:
            raise CannotBuildError(f"{symbol} has no {part}")
        symbol = f"{symbol}.{part}"
    if not callable(value):
        raise CannotBuildError(f"a {type(value).__name__} cannot be called", hint=f"name a method: {symbol}.METHOD")
    return value
