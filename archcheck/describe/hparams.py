"""The hparams sets that a tensor2tensor file registers, each with its order: by its layer codes, or by its model."""

from __future__ import annotations

from collections.abc import Callable

from archcheck.describe.description import HParamsSet
from archcheck.frontends.static.library import Library, SourceFile
from archcheck.frontends.static.t2t import HParamsSet as Registered
from archcheck.frontends.static.t2t import LayerCodes, layer_codes, registered
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Setting

OrderOf = Callable[[str], str]


def registers(source: SourceFile) -> bool:
    """Whether a file registers hparams sets; decided by its text, so that others are not parsed for it."""
    return "register_hparams" in source.text


def registered_sets(library: Library, source: SourceFile, order_of: OrderOf) -> tuple[HParamsSet, ...]:
    """Every registered set, in the order of the file.

    Args:
        library: where imports are looked up.
        source: the file.
        order_of: what gives the sublayer signature of the file's model under the set that a function makes; it is
            asked where the set itself holds no layer codes.
    """

    def find(module: str) -> tuple[str, str] | None:
        found = library.module(module)
        return None if found is None else (found.shown, found.text)

    return tuple(_row(one, order_of) for one in registered(find, source.module))


def _row(one: Registered, order_of: OrderOf) -> HParamsSet:
    name = one.name if isinstance(one.name, str) else f"({one.function})"
    codes = layer_codes(one)
    if isinstance(codes, LayerCodes):
        order = codes.order
        if isinstance(order, Unknown):
            return HParamsSet(name, one.function, "", codes.pre, codes.post, why=order.why)
        set_at = _set_at(codes.pre_setting, codes.post_setting)
        return HParamsSet(name, one.function, order, codes.pre, codes.post, set_at)
    order = order_of(one.function)
    why = "" if order else codes.why
    return HParamsSet(name, one.function, order, "", "", why=why)


def _set_at(*settings: Setting) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{s.span.file.rpartition('/')[2]}:{s.span.line}" for s in settings if s.span))
