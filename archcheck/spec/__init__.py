"""A paper's statements: YAML -> `Spec` of claims -> OpGraph."""

from archcheck.spec.graph import to_graph
from archcheck.spec.library import find, listing, load
from archcheck.spec.model import Block, Claim, Spec

__all__ = ["Block", "Claim", "Spec", "find", "listing", "load", "to_graph"]
