"""Claims held against code: which part of the code a claim is about, and whether it holds there."""

from archcheck.judging.judge import Judge, Preset, Subject, fitting_preset

__all__ = ["Judge", "Preset", "Subject", "fitting_preset"]
