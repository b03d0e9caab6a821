"""What an annotation tells of an argument that nobody gives: a tensor, several, something else, or nothing at all."""

from __future__ import annotations

LISTS = ("list", "List")  # of tensors, which are read as parts of one
MAPPINGS = ("dict", "Dict", "Mapping", "MutableMapping", "OrderedDict")  # of names to tensors
_PLAIN = ("int", "bool", "str", "float", "Callable")
_TENSORS = ("Tensor", "Array", "ndarray")
_OTHERS = ("Any", "object", "TensorLike", "tuple", "Tuple")


def is_tensor(annotation: str) -> bool:
    """Whether an argument is taken for a tensor: unless its annotation says that it is something else."""
    kind, inner = _parts(annotation)
    return kind not in (*_PLAIN, *LISTS, *MAPPINGS) or (kind in LISTS and "Tensor" in inner)


def is_mapping(annotation: str) -> bool:
    """Whether an argument is a mapping of names to tensors."""
    kind, inner = _parts(annotation)
    return kind in MAPPINGS and "Tensor" in inner


def may_be_none(annotation: str) -> bool:
    """Whether an argument may be None, and is no tensor where it is not: `Optional[Cache]`, `LayerCache | None`."""
    kind, inner = _parts(annotation)
    if kind == "Optional":
        meant = [inner.removesuffix("]")]
    else:
        meant = [one.strip() for one in annotation.strip("\"'").split("|")]
        if "None" not in meant:
            return False
        meant.remove("None")
    others = (*_PLAIN, *LISTS, *MAPPINGS, *_OTHERS)
    return all(_parts(one)[0] not in others and not any(word in one for word in _TENSORS) for one in meant)


def _parts(annotation: str) -> tuple[str, str]:
    """The name of a type without its module, and what stands in its brackets."""
    outer, _, inner = annotation.strip("\"'").partition("[")
    return outer.rpartition(".")[2], inner


__all__ = ["is_mapping", "is_tensor", "may_be_none"]
