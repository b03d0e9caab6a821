"""Kinds of files that hold a saved model and are read as data: one row a kind, told by content, with what reads it.

A new kind is a frontend with a function `load`, and one row in `KINDS`. Nothing of a frontend is imported before a
file is looked at that may be of its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archcheck.errors import TargetError

if TYPE_CHECKING:
    from archcheck.frontends.saved import Loaded
    from archcheck.frontends.static.library import Library


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Args:
        frontend: the name of what reads it, which reports tell.
        endings: of the names of its files; "" where files of any ending that means nothing else are looked into. A file
            with another ending is never looked into.
        holds: whether what is at a path is of this kind, by its content; it is given the path, and how messages call
            it. It raises where that cannot be told, or where it is known why nobody reads it.
        load: reads it: the path, the sources among which lines of code that it tells may lie, how reports call it, what
            of it is asked for ("" for all), and whether train mode is.
        evaluated: how the file is saved anew in eval mode, where it tells its mode.
        folder: whether it is a folder.
    """

    frontend: str
    endings: frozenset[str]
    holds: Callable[[Path, str], bool]
    load: Callable[[Path, Library, str, str, bool], Loaded]
    evaluated: str = ""
    folder: bool = False


def _is_export(path: Path, shown: str) -> bool:
    from archcheck.frontends.torch_export.contents import Content, content_of, refuse

    try:
        content = content_of(path, shown)
    except TargetError:
        if path.suffix.lower() in _CHECKPOINTS:
            return False  # whatever it is, it is no program
        raise
    if content not in (Content.OTHER, Content.PROGRAM, Content.TORCHSCRIPT):
        raise refuse(content, shown)
    return content is Content.PROGRAM


def _load_export(path: Path, library: Library, shown: str, choice: str, training: bool) -> Loaded:
    from archcheck.frontends.torch_export.reader import load

    return load(path, library, shown, choice, training=training)


def _is_script(path: Path, shown: str) -> bool:
    from archcheck.frontends.torch_export.contents import Content, content_of

    try:
        return content_of(path, shown) is Content.TORCHSCRIPT
    except TargetError:
        if path.suffix.lower() in _CHECKPOINTS:
            return False
        raise


def _load_script(path: Path, library: Library, shown: str, choice: str, training: bool) -> Loaded:
    from archcheck.frontends.torch_script.reader import load

    return load(path, library, shown, choice, training=training)


def _is_onnx(path: Path, shown: str) -> bool:
    return True  # the form has no mark of its own: what reads it says what it is not


def _load_onnx(path: Path, library: Library, shown: str, choice: str, training: bool) -> Loaded:
    from archcheck.frontends.onnx_model.reader import load

    return load(path, library, shown, choice, training=training)


def _is_keras(path: Path, shown: str) -> bool:
    from archcheck.frontends.keras_file.contents import is_saved

    return is_saved(path, shown)


def _load_keras(path: Path, library: Library, shown: str, choice: str, training: bool) -> Loaded:
    from archcheck.frontends.keras_file.reader import load

    return load(path, library, shown, choice, training=training)


def _is_graph(path: Path, shown: str) -> bool:
    return path.is_file() or (path / "saved_model.pb").exists()  # a file has no mark of its own


def _load_graph(path: Path, library: Library, shown: str, choice: str, training: bool) -> Loaded:
    from archcheck.frontends.tensorflow_graph.reader import load

    return load(path, library, shown, choice, training=training)


def _is_lite(path: Path, shown: str) -> bool:
    return True  # what reads it says what it is not


def _load_lite(path: Path, library: Library, shown: str, choice: str, training: bool) -> Loaded:
    from archcheck.frontends.tflite_model.reader import load

    return load(path, library, shown, choice, training=training)


_SAVED_IN_TRAINING = "name a signature that was made with training=False, after a colon, or save one"
_CHECKPOINTS = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"})

KINDS: tuple[Kind, ...] = (
    Kind(
        "torch_export",
        _CHECKPOINTS | {".pt2", ""},
        _is_export,
        _load_export,
        "save it anew, with model.eval() before torch.export.export",
    ),
    Kind(
        "torch_script",
        _CHECKPOINTS | {".pt2", ".ts", ".torchscript", ""},
        _is_script,
        _load_script,
        "save it anew, with model.eval() before torch.jit.trace",
    ),
    Kind(
        "onnx_model",
        frozenset({".onnx"}),
        _is_onnx,
        _load_onnx,
        "save it anew, with model.eval() before torch.onnx.export",
    ),
    Kind("keras_file", frozenset({".keras", ".h5", ".hdf5", ".json"}), _is_keras, _load_keras),
    Kind("tflite_model", frozenset({".tflite", ".lite"}), _is_lite, _load_lite),
    Kind("tensorflow_graph", frozenset({".pb"}), _is_graph, _load_graph, _SAVED_IN_TRAINING),
    Kind("tensorflow_graph", frozenset(), _is_graph, _load_graph, _SAVED_IN_TRAINING, folder=True),
)


def kind_of(path: Path, shown: str, *, other: bool = False) -> Kind | None:
    """The kind of saved model at a path; None where it is none that is read.

    Args:
        path: of a file or folder that is there.
        shown: how messages call it.
        other: whether the ending of its name says that it is something else, unless a kind lists that ending.

    Raises:
        TargetError: it cannot be read, or is a saved model that nobody reads.
    """
    ending, is_folder = path.suffix.lower(), path.is_dir()
    for kind in KINDS:
        asked = ending in kind.endings or ("" in kind.endings and not other)
        if kind.folder is is_folder and (asked or is_folder) and kind.holds(path, shown):
            return kind
    return None
