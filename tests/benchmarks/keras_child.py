"""One process of `bench_keras`: models are built and called in a graph, bare and traced, by turns."""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from archcheck.frontends.trace.tensorflow_child import main

ROUNDS = 7


def bare(module: str, symbol: str, arguments: dict[str, Any]) -> float:
    """CPU seconds of building a functional model and calling it on placeholders, with nothing that records."""
    __import__(module)
    gc.collect()  # what the runs before have left is not this one's cost
    began = time.process_time()
    with tf.Graph().as_default():
        model = getattr(sys.modules[module], symbol)(**arguments)
        graph = FuncGraph("bare")
        with graph.as_default():
            given = [
                tf.compat.v1.placeholder(one.dtype, [size or (7 if at else 2) for at, size in enumerate(one.shape)])
                for one in keras.tree.flatten(model._inputs_struct)
            ]
            model(keras.tree.pack_sequence_as(model._inputs_struct, given), training=True)
    return time.process_time() - began


def traced(tables: dict[str, Any], module: str, symbol: str, arguments: dict[str, Any]) -> float:
    """CPU seconds of tracing the same."""
    asked = {"roots": [], "configs": {}, "factory": False, "inputs": {}, "given": [], "training": True}
    named = {name: repr(value) for name, value in arguments.items()}
    gc.collect()
    began = time.process_time()
    found = main.told({**tables, **asked, "module": module, "symbol": symbol, "arguments": named})
    assert not found.get("error"), found["error"]
    return time.process_time() - began


def run() -> None:
    """Read what is asked from standard input; print a line of JSON for each model."""
    asked = json.load(sys.stdin)
    for name, module, symbol, arguments in asked["models"]:
        bare(module, symbol, arguments)  # what is loaded on first use is loaded now
        rows = [
            (bare(module, symbol, arguments), traced(asked["tables"], module, symbol, arguments)) for _ in range(ROUNDS)
        ]
        print(json.dumps([name, *sorted(rows, key=lambda row: row[1] / row[0])[ROUNDS // 2]]), flush=True)


run()
