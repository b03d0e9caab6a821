"""The traced side for TensorFlow: builds the model, calls it once under the recorder, and tells what was recorded."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from archcheck.frontends.trace.child.serving import VERSION, OutOfTime, serve, until


def main(request: bytes, answer: Callable[[bytes], None]) -> None:
    """Answer a request, or several; what fails is told in the answer."""
    serve(request, answer, told)


def told(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import tensorflow as tf

        for package in asked.get("packages", ()):  # so that their layers are watched from the first one on
            __import__(package)
    except ImportError as error:
        return {
            "version": VERSION,
            "error": f"{error.name or 'tensorflow'} cannot be imported: {error}",
            "stage": "tensorflow",
        }
    from archcheck.frontends.trace.tensorflow_child.building import CannotBuildError
    from archcheck.frontends.trace.tensorflow_child.frames import Frames
    from archcheck.frontends.trace.tensorflow_child.tracing import trace

    tf.get_logger().setLevel("ERROR")
    tf.debugging.disable_traceback_filtering()  # what is raised is told as the code raises it
    for name in ("keras.config", "keras"):
        if (disable := getattr(sys.modules.get(name), "disable_traceback_filtering", None)) is not None:
            disable()
    start = time.process_time()
    try:
        with until(asked.get("until"), asked.get("seconds")):
            found = trace(asked)
    except CannotBuildError as error:
        return {"version": VERSION, "error": str(error), "stage": "build", "hint": error.hint, "at": error.at}
    except OutOfTime as error:
        why = f"the model's code did not end within {asked['seconds']:g} seconds"
        return {"version": VERSION, "error": why, "stage": "time", "at": Frames().place(error)}
    return {"version": VERSION, "tensorflow": tf.__version__, "seconds": time.process_time() - start, **found}
