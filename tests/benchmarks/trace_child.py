"""The part of `bench_trace` that runs beside torch: builds models without weights, calls them bare and recorded.

It reads one request a line from standard input, as a tracer's with a few fields of the benchmark, and answers each with
a line, so that the benchmark does its own part of a model's work while the machine is in the same phase.
"""

from __future__ import annotations

import copy
import gc
import inspect
import json
import os
import random
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from archcheck.frontends.trace.child import tracing
from archcheck.frontends.trace.child.building import Built, build, import_target
from archcheck.frontends.trace.child.guesses import by_value, content, shaped
from archcheck.frontends.trace.child.inputs import Inputs
from archcheck.frontends.trace.child.leaves import Leaves
from archcheck.frontends.trace.child.naming import ASKING
from archcheck.frontends.trace.child.recorder import Recorder

_BY_CONTENT = (
    "nonzero",
    "where",
    "__getitem__",
    "split",
    "one_hot",
    "repeat_interleave",
)  # whose shapes are answers too
MOST_REAL = 400_000_000  # parameters of a model that is given weights, for peers that need some
Called = tuple[torch.nn.Module, Any, Any]  # a model, and what it is called with
RECORDINGS = 8  # that are kept at the same time to see what one of them takes


class Answering(TorchFunctionMode):
    """Questions about the content of tensors that have none are answered, and nothing else is done."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name in ASKING and isinstance(args[0], Tensor) and args[0].is_meta:
            return content(name, args)
        if name in _BY_CONTENT:
            found = shaped(name, func, args, kwargs, lambda asked, answer: None)
            if found is not None:
                return found[0]
            args, kwargs = by_value(name, args, kwargs, set(), lambda asked, answer: None, guessed=True)
        return func(*args, **kwargs)


class Case:
    """One model: as a tracer builds it, and once more with everything on the meta device."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.leaves = Leaves(asked["layers"], asked["functions"], asked["silent"])
        module = import_target(asked)
        self.leaves.note_constructors()
        recorder = Recorder(self.leaves)
        _seed()
        with torch.no_grad():
            recorder.building = True
            with recorder, self.leaves.watched(recorder.layer, recorder.function, recorder.silence):
                self.built: Built = build(asked, module)
            recorder.building = False
            assert self.built.model is not None
            self.model = self.built.model
            tracing._without_weights(self.model, recorder)
            recorder.settle(self.model)
            inputs = Inputs(self.built, asked["inputs"], asked["given"])
            error, result = tracing._called(self.built, inputs, recorder)
        if error:
            raise RuntimeError(error)
        self.recording = tracing._told(recorder, self.built, inputs, result)
        self.recording |= {"error": "", "stage": "run", "symbol": self.built.symbol, "version": 1}
        self.recording |= {"seconds": 0.0, "torch": torch.__version__, "times": {}}
        self.args, self.kwargs = inputs.arguments()
        self.bare_model = _on(copy.deepcopy(self.model), "meta")
        self.bare_args = _moved((self.args, self.kwargs), "meta")
        self.answered = False

    def forward(self) -> float:
        """CPU seconds of the bare forward."""
        args, kwargs = self.bare_args
        if self.answered:
            with Answering():
                return _timed(lambda: self.bare_model(*args, **kwargs))[0]
        return _timed(lambda: self.bare_model(*args, **kwargs))[0]

    def record(self, *, cache: bool = True) -> tuple[float, Recorder]:
        """CPU seconds of the same call under a new recorder."""

        def run() -> Recorder:
            recorder = Recorder(self.leaves, cache=cache)
            recorder.settle(self.model)
            with recorder.watching(), recorder:
                self.built.call(*self.args, **self.kwargs)
            return recorder

        return _timed(run)

    def measured(self, runs: int) -> dict[str, Any]:
        """Medians, and what is the same in all recordings."""
        try:
            self.forward()
        except Exception:  # it asks what only numbers could tell
            self.answered = True
            self.forward()
        _, cached = self.record()
        uncached_cost, uncached = self.record(cache=False)
        same = _told(cached) == _told(uncached)
        sited = sum(call[2] >= 0 for call in cached.calls)
        placed = sum(0 <= call[1] < len(cached.places) for call in cached.calls)
        count = len(cached.calls)
        del uncached, cached
        forward, record = [], []
        for _ in range(runs):
            forward.append(self.forward())
            record.append(self.record()[0])
        megabytes = self._grown()
        return {
            "calls": count, "same": same, "sited": sited, "placed": placed, "answered": self.answered,
            "forward": statistics.median(forward), "record": statistics.median(record), "uncached": uncached_cost,
            "megabytes": megabytes, "parameters": sum(one.numel() for one in self.model.parameters()),
        }  # fmt: skip

    def _grown(self) -> float:
        """The most megabytes that one of several recordings has added while all before are kept.

        The first ones take what earlier models have left free.
        """
        kept, grown = [], [0.0]
        for _ in range(RECORDINGS):
            before = _resident()
            kept.append(self.record()[1])
            gc.collect()
            grown.append(_resident() - before)
        return max(grown)

    # ---- peers

    def peers(self) -> dict[str, Any]:
        """CPU seconds of each peer on this model, or why it failed; None where it needs more weights than are made."""
        bare = (self.bare_model, *self.bare_args)
        small = sum(one.numel() for one in self.model.parameters()) <= MOST_REAL
        return {
            "torchview": _apart(_torchview, lambda: bare),
            "torch.export": _apart(_export, lambda: bare),
            "TorchLens": _apart(_lens, self._with_weights) if small else None,
        }

    def _with_weights(self) -> Called:
        return (_on(copy.deepcopy(self.model), "cpu"), *_moved((self.args, self.kwargs), "cpu"))


def _torchview(model: torch.nn.Module, args: Any, kwargs: Any) -> float:
    import torchview

    given = {**dict(zip(inspect.signature(model.forward).parameters, args, strict=False)), **kwargs}
    return _timed(lambda: torchview.draw_graph(model, input_data=given, device="meta"))[0]


def _export(model: torch.nn.Module, args: Any, kwargs: Any) -> float:
    return _timed(lambda: torch.export.export(model, tuple(args), kwargs, strict=False))[0]


def _lens(model: torch.nn.Module, args: Any, kwargs: Any) -> float:
    import torchlens

    log = getattr(torchlens, "log_forward_pass", None) or torchlens.trace
    return _timed(lambda: log(model, list(args), dict(kwargs)))[0]


def _apart(peer: Callable[[torch.nn.Module, Any, Any], float], given: Callable[[], Called]) -> float | str:
    """What a peer costs in a copy of this process, or why it failed.

    Peers wrap the functions of torch and leave them so; what is measured after them would pay for it. A small model
    comes first: what a peer imports and makes once is not its cost.
    """
    ours, theirs = os.pipe()
    if not (copied := os.fork()):
        try:
            model, args, kwargs = given()
            device = next(model.parameters()).device
            peer(torch.nn.Linear(4, 4, device=device), (torch.zeros(2, 4, device=device),), {})
            found: float | str = peer(model, args, kwargs)
        except BaseException as error:
            found = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:80]}"
            if os.environ.get("ARCHCHECK_BENCH_TRACEBACK"):
                traceback.print_exc()
        os.write(theirs, json.dumps(found).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as told:
        answer = told.read()
    _, status = os.waitpid(copied, 0)
    return json.loads(answer) if answer else f"ended with {os.waitstatus_to_exitcode(status)}"


def _told(recorder: Recorder) -> Any:
    """A recording as data, with the shapes of its tensors."""
    shapes = [(tuple(one.shape), one.dtype) for one in recorder.values.kept]
    guessed = list(recorder.concrete.guessed)
    return recorder.calls, list(recorder.names), recorder.sites_told(), recorder.values.found, shapes, guessed


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    _seed()
    gc.collect()
    with torch.no_grad():
        start = time.process_time()
        found = run()
        return time.process_time() - start, found


def _seed() -> None:
    torch.manual_seed(0)
    random.seed(0)


def _resident() -> float:
    """Megabytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, Tensor):
        return torch.zeros_like(value, device=device) if value.is_meta and device != "meta" else value.to(device)
    if type(value) in (list, tuple):
        return type(value)(_moved(item, device) for item in value)
    return {key: _moved(item, device) for key, item in value.items()} if type(value) is dict else value


def _on(model: torch.nn.Module, device: str) -> torch.nn.Module:
    """A model with all its tensors on a device."""
    for module in model.modules():
        for held in (module._parameters, module._buffers, module.__dict__):
            for name, one in list(held.items()):
                if isinstance(one, torch.nn.Parameter):
                    held[name] = torch.nn.Parameter(_moved(one.data, device), requires_grad=one.requires_grad)
                elif isinstance(one, Tensor):
                    held[name] = _moved(one, device)
    return model


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    sys.setrecursionlimit(20_000)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            case = Case(asked)
            found = case.measured(asked["runs"])
            if asked["peers"]:
                sys.path[1:1] = [path for path in asked["paths"] if path not in sys.path]
                found["peers"] = case.peers()
            found["recording"] = case.recording
        except Exception as error:
            if os.environ.get("ARCHCHECK_BENCH_TRACEBACK"):
                traceback.print_exc()
            found = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        json.dump(found, answers, separators=(",", ":"))
        answers.write("\n")
        answers.flush()
        case = None  # type: ignore[assignment]


if __name__ == "__main__":
    main()
