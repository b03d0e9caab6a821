"""Proof of recognition: what the passes raised, evaluated on random tensors against the textbook's formula."""

from archcheck.proof.confirm import confirm, nearest
from archcheck.proof.explain import explain
from archcheck.proof.loose import near_misses
from archcheck.proof.outcome import Outcome, Proof
from archcheck.proof.summary import summary

__all__ = ["Outcome", "Proof", "confirm", "explain", "near_misses", "nearest", "summary"]
