"""gin: files that say what functions and classes are called with.

`syntax` reads one file as data, `files` follows its includes, `bound` gives the evaluator what is bound. Nothing of a
gin file runs: its imports only tell where the names that it refers to are defined.
"""

from archcheck.frontends.static.gin.files import Configuration, load
from archcheck.frontends.static.gin.syntax import parse

__all__ = ["Configuration", "load", "parse"]
