"""Builds what is traced: imports the target's module, and constructs what the symbol names with what it is given."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from archcheck.frontends.trace.child import settings
from archcheck.frontends.trace.child.presets import Presets
from archcheck.frontends.trace.child.settings import Setting
from archcheck.frontends.trace.child.sizes import Sizes

MOST_COMPLETED = 8  # fields of a configuration


class CannotBuildError(Exception):
    """The target cannot be built; the message says why, in the user's words."""


@dataclass
class Built:
    """What is traced.

    Attributes:
        model: the module whose parameters and places are told; None for a plain function.
        call: what is called.
        symbol: whose arguments `call` takes.
        assumed: what was taken for granted to build it, in words.
        made: constructor arguments that nobody gave and that are no configurations -> what they were taken to be.
        config: the configuration that sizes of inputs are taken from.
        arguments: what the constructor was given, from which they are taken where there is no configuration.
        completes: whether the configuration was made here with its defaults, and may be completed.
    """

    model: torch.nn.Module | None
    call: Callable[..., Any]
    symbol: str
    assumed: list[str] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    config: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    completes: bool = False


def import_target(request: Mapping[str, Any]) -> types.ModuleType:
    """The module of the target; its own folders come first where modules are looked for."""
    presets = Presets(request["presets"], request["defaults"])
    presets.watch()
    sys.path[:0] = [path for path in request["roots"] if path not in sys.path]
    try:
        module = importlib.import_module(request["module"])
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, MemoryError)):
            raise
        raise CannotBuildError(f"importing {request['module']} failed: {_told(error)}") from error
    presets.watch()  # with the packages that it has brought in
    return module


def build(request: Mapping[str, Any], module: types.ModuleType) -> Built:
    """What the request's symbol names, built.

    Raises:
        CannotBuildError: there is no such symbol, or it cannot be constructed.
    """
    first, *rest = str(request["symbol"]).split(".")
    value = getattr(module, first, None)
    if value is None:
        raise CannotBuildError(f"{module.__name__} has no {first}")
    given = {name: _evaluated(name, text, module) for name, text in request["arguments"].items()}
    builder = _Builder(module, given, request)
    built = builder.build(value, rest)
    if builder.unused:
        raise CannotBuildError(f"{request['symbol']} has no parameter {sorted(builder.unused)[0]}")
    if built.model is not None:
        built.model.train(bool(request["training"]))
    return built


def _evaluated(name: str, text: str, module: types.ModuleType) -> Any:
    try:
        return eval(text, dict(vars(module)))  # the user's own expression, as for the reader: --arg NAME=EXPR
    except Exception as error:
        for other in list(sys.modules.values()):  # a class of a module that the target does not import by name
            if getattr(other, "__name__", "").startswith(module.__name__.partition(".")[0]):
                try:
                    return eval(text, {**vars(other), **vars(module)})
                except Exception:  # the next module may know the name
                    continue
        raise CannotBuildError(f"--arg {name}={text}: {_told(error)}") from error


def _told(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0][:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Builder:
    def __init__(self, module: types.ModuleType, given: dict[str, Any], request: Mapping[str, Any]) -> None:
        self.module = module
        self.given = given
        self.unused = set(given)
        self.request = request
        self.presets = Presets(request["presets"], request["defaults"])
        self.assumed: list[str] = []
        self.made: dict[str, Any] = {}
        self.config: Any = None
        self.constructed: dict[str, Any] = {}
        self.defaults = False  # whether the configuration was made here

    def build(self, value: Any, rest: list[str]) -> Built:
        if inspect.isclass(value):
            if self.presets.is_config(value):
                return self._of_config(self._called(value))
            made = self._called(value)
        elif isinstance(value, torch.nn.Module):
            made = value
        elif self.presets.is_config(type(value)):
            return self._of_config(value)
        else:
            return self._function(value, rest)
        return self._bound(made, rest, type(made).__name__)

    def _bound(self, made: Any, rest: list[str], symbol: str) -> Built:
        model = made if isinstance(made, torch.nn.Module) else None
        call = made
        for part in rest:
            call = getattr(call, part, None)
            symbol = f"{symbol}.{part}"
        if not callable(call):
            raise CannotBuildError(f"{symbol} cannot be called")
        config = self.config or getattr(made, "config", None)
        return Built(model, call, symbol, self.assumed, self.made, config, self.constructed, self.defaults)

    def _function(self, value: Any, rest: list[str]) -> Built:
        for part in rest:
            value = getattr(value, part, None)
        if not callable(value):
            raise CannotBuildError(f"{self.request['symbol']} is {type(value).__name__}, which computes nothing")
        name = getattr(value, "__name__", str(self.request["symbol"]))
        if self.request.get("factory"):
            made = self._called(value)
            if not isinstance(made, torch.nn.Module):
                raise CannotBuildError(f"{name} gives {type(made).__name__}, which is no model")
            return self._bound(made, [], name)
        self.unused.clear()
        return Built(None, value, name, self.assumed)

    # ---- constructors

    def _called(self, function: Any) -> Any:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                if parameter.kind == parameter.VAR_KEYWORD:
                    keywords |= {name: self.given[name] for name in sorted(self.unused)}
                    self.unused.clear()
                continue
            name = parameter.name
            if name in self.given:
                self.unused.discard(name)
                value = self._noted(self.given[name])
            elif parameter.default is not parameter.empty:
                continue
            else:
                value = self._required(function, parameter)
            if parameter.kind == parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                keywords[name] = value
        self.constructed = keywords
        completed: list[str] = []
        while True:
            try:
                made = function(*positional, **keywords)
            except CannotBuildError:
                raise
            except Exception as error:
                if (setting := self._completing(error, completed)) is None:
                    raise CannotBuildError(
                        f"constructing {getattr(function, '__name__', function)} failed: {_told(error)}"
                    ) from error
                setting.apply()
                completed.append(setting.assumed)
            else:
                self.assumed += completed
                return made

    def _completing(self, error: Exception, completed: list[str]) -> Setting | None:
        """A field of a configuration with defaults that has none, where a value for it follows from others."""
        if not self.defaults or len(completed) >= MOST_COMPLETED:
            return None
        proposed = settings.completing(error, Sizes(None, self.config))
        return next((one for one in proposed if one.assumed not in completed), None)

    def _noted(self, value: Any) -> Any:
        if self.presets.is_config(type(value)):
            self.config = self._preset(value)
        return value

    def _required(self, function: Any, parameter: inspect.Parameter) -> Any:
        """A constructor's argument that is not given: a configuration with its defaults, or what is usual."""
        name = parameter.name
        wanted = self.request["configs"].get(name)
        if wanted is not None:
            cls = getattr(importlib.import_module(wanted[0]), wanted[1], None)
            if inspect.isclass(cls):
                self.assumed.append(f"{name} is {cls.__name__}(), with its defaults")
                return self._noted(self._made(cls))
        annotation = _annotation(function, parameter)
        if self.presets.is_config(annotation):
            self.assumed.append(f"{name} is {annotation.__name__}(), with its defaults")
            return self._noted(self._made(annotation))
        value = _usual(name, annotation)
        if value is None:
            raise CannotBuildError(f"the argument {name} is not given; --arg {name}=... gives it")
        self.assumed.append(f"{name} is {value!r}, as it is not given")
        self.made[name] = value
        return value

    def _made(self, cls: Any) -> Any:
        self.defaults = True
        try:
            return cls()
        except Exception as error:
            raise CannotBuildError(f"{cls.__name__}() cannot be made: {_told(error)}") from error

    # ---- configurations

    def _preset(self, config: Any) -> Any:
        """The configuration with what the library would set: attention and experts as they are spelled in PyTorch."""
        for assumed in self.presets.apply(config):
            if assumed not in self.assumed:
                self.assumed.append(assumed)
        return config

    def _of_config(self, config: Any) -> Built:
        """The model that transformers builds from a configuration."""
        self.unused.clear()
        transformers = importlib.import_module("transformers")
        self.config = self._preset(config)
        made = transformers.AutoModel.from_config(config)
        self.assumed.append(f"the model is what AutoModel builds from {type(config).__name__}")
        return self._bound(made, [], type(made).__name__)


def _annotation(function: Any, parameter: inspect.Parameter) -> Any:
    """The class that a parameter is said to be of; None where it is not said, or may be of several."""
    target = function.__init__ if inspect.isclass(function) else function
    try:
        found = inspect.get_annotations(target, eval_str=True).get(parameter.name)
    except Exception:
        found = parameter.annotation
    arguments = [one for one in getattr(found, "__args__", ()) if inspect.isclass(one) and one is not type(None)]
    if isinstance(found, types.UnionType) or getattr(found, "__origin__", None) is not None:
        return arguments[0] if arguments else None
    return found


# What constructors of layers ask for and seldom say the default of.
_SIZES = {
    "layer_idx": 0, "layer_id": 0, "layer_number": 1, "idx": 0, "block_idx": 0, "layer_index": 0,
    "num_heads": 4, "n_heads": 4, "n_head": 4, "heads": 4, "nhead": 4, "num_attention_heads": 4, "nheads": 4,
    "dim": 64, "d_model": 64, "embed_dim": 64, "hidden_size": 64, "hidden_dim": 64, "n_embd": 64, "width": 64,
    "embedding_dim": 64, "emb_dim": 64, "model_dim": 64, "in_features": 64, "out_features": 64, "channels": 64,
    "in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 64, "inplanes": 64, "planes": 64,
    "mlp_dim": 128, "d_ff": 128, "ffn_dim": 128, "intermediate_size": 128, "dim_head": 16, "head_dim": 16,
    "depth": 2, "num_layers": 2, "n_layers": 2, "n_layer": 2, "num_classes": 10, "vocab_size": 100, "num_tokens": 100,
    "max_seq_len": 32, "max_len": 32, "seq_len": 16, "block_size": 32, "drop_path": 0.0, "dropout": 0.1, "eps": 1e-6,
    "image_size": 32, "img_size": 32, "patch_size": 8, "input_resolution": (8, 8), "window_size": 4, "kernel_size": 3,
}  # fmt: skip


def _usual(name: str, annotation: Any) -> Any:
    if name in _SIZES:
        return _SIZES[name]
    return {int: 4, float: 0.1, bool: False}.get(annotation) if inspect.isclass(annotation) else None
