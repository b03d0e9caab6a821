"""Records of tensors that a call is given: what a caller would put into them."""

from __future__ import annotations

from collections.abc import Callable

from archcheck.frontends.static.instances import fields_of
from archcheck.frontends.static.machine import Machine
from archcheck.frontends.static.named import is_named_tuple
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.sources import code_of
from archcheck.frontends.static.standard import with_fields
from archcheck.frontends.static.values import Data, Instance

_TENSORS = frozenset({"Tensor", "FloatTensor", "LongTensor", "Array", "ArrayLike", "ndarray"})


def filled(vm: Machine, record: Instance, name: str, made: Callable[[str], Data]) -> Data:
    """`record` with a tensor in each field that is said to be one and that nothing sets.

    Args:
        made: a tensor that the caller gives, by its name.
    """
    tensors = {
        field: made(f"{name}.{field}")
        for field, (_, node) in fields_of(record.cls).items()
        if isinstance(record.attributes.get(field), Open)
        and code_of(node.annotation).rpartition(".")[2].strip("\"'") in _TENSORS
    }
    if not tensors:
        return record
    given = with_fields(vm, [record], tensors)
    if isinstance(given, Instance) and is_named_tuple(given.cls):
        given.items = tuple(given.attributes.get(field) for field in fields_of(given.cls))
    return given
