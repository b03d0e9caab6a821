"""tensor2tensor's registry of hparams, read with LibCST: every set, its values, its layer codes, and what set each."""

from archcheck.frontends.static.t2t.codes import LayerCodes, layer_codes, order
from archcheck.frontends.static.t2t.machine import Limits
from archcheck.frontends.static.t2t.registry import registered
from archcheck.frontends.static.t2t.results import HParamsSet, HParamValue, ResolvedValue, Symbol, Table
from archcheck.frontends.static.t2t.source import Find

__all__ = [
    "Find",
    "HParamValue",
    "HParamsSet",
    "LayerCodes",
    "Limits",
    "ResolvedValue",
    "Symbol",
    "Table",
    "layer_codes",
    "order",
    "registered",
]
