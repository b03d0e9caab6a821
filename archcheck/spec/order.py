"""Sublayer signatures -> ops: `F d a n`, and tensor2tensor's pair of pre- and postprocessing strings.

A signature is a short way to write an equation, and gives the very ops of that equation: `self_attention: F d a n` is
`x = norm(x + dropout(self_attention(x)))`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from archcheck.ir.graph import AttrValue, Value
from archcheck.spec.formula import Expression
from archcheck.spec.model import Letter, Order, OrderedSublayer
from archcheck.spec.nodes import Text
from archcheck.spec.problems import Problems, hints
from archcheck.spec.syntax import Piece, expression

if TYPE_CHECKING:
    from archcheck.spec.flow import Given, Lowering, Scope

LETTERS = {
    "F": "the sublayer function",
    "n": "norm",
    "d": "dropout",
    "a": "residual add",
    "s": "scale on the branch",
    "S": "scale on the residual",
    "p": "stochastic depth",
    "N": "norm of the stream before the residual is taken",
}
_CODES = {"n": "n", "d": "d", "a": "a", "z": "sa"}  # tensor2tensor's letters; z adds the branch times a learned factor
_STREAM, _MEMORY = "x", "memory"


def signature(text: Text, problems: Problems) -> tuple[Letter, ...]:
    """The steps that `F d a n` states; mistakes are noted."""
    letters = [Letter(char, text.at(at, at + 1)) for at, char in enumerate(text.text) if not char.isspace()]
    for letter in letters:
        if letter.letter not in LETTERS:
            known = ", ".join(f"{name} {what}" for name, what in LETTERS.items())
            problems.add(letter.span, f'a signature has no letter "{letter.letter}"', known)
    names = [letter.letter for letter in letters]
    if names.count("F") != 1:
        problems.add(text.span, "a signature has one F, the sublayer function", "post-norm is written F d a n")
    if names.count("a") > 1:
        problems.add(text.span, "a signature adds the residual once", "state each sublayer on its own")
    if "a" in names and "F" in names and names.index("a") < names.index("F"):
        problems.add(text.span, "the residual is added before there is anything to add it to", "F stands before a")
    if "N" in names and names.index("N") > 0 and set(names[: names.index("N")]) - {"N"}:
        problems.add(text.span, "N stands first: it is the norm before the residual is taken")
    if "S" in names and ("a" not in names or names.index("S") > names.index("a")):
        problems.add(text.span, "S scales the residual, which is added behind it", "S stands before a")
    return tuple(letter for letter in letters if letter.letter in LETTERS)


def prepostprocess(pre: Text | None, post: Text | None, call: Text, problems: Problems) -> tuple[Letter, ...]:
    """The steps that tensor2tensor's `layer_preprocess_sequence` and `layer_postprocess_sequence` state.

    "" and "none" are the same: nothing. Letters stand in execution order: n norm, d dropout, a residual add, z residual
    add of the branch times a learned factor.
    """
    if pre is not None and pre.text not in ("", "none"):
        for at, char in enumerate(pre.text):
            if char in "az":
                problems.add(pre.at(at, at + 1), "before the sublayer there is nothing to add", "pre has n and d")
    before = _codes(pre, problems)
    after = _codes(post, problems)
    if sum(letter.letter == "a" for letter in after) > 1 and post is not None:
        problems.add(post.span, "the residual is added once")
    return (*before, Letter("F", call.span), *after)


def _codes(text: Text | None, problems: Problems) -> list[Letter]:
    if text is None or text.text in ("", "none"):
        return []
    letters = []
    for at, char in enumerate(text.text):
        span = text.at(at, at + 1)
        if char not in _CODES:
            problems.add(
                span,
                f'tensor2tensor has no step "{char}"',
                hints('"none", or letters of n (norm), d (dropout), a (add)'),
            )
        learned = Expression(Text("learned", span), "learned", True) if char == "z" else None
        letters += [Letter(letter, span, learned if letter == "s" else None) for letter in _CODES.get(char, "")]
    return letters


def lower_order(to: Lowering, order: Order, scope: Scope) -> tuple[Given, ...]:
    """The ops of signatures, appended to `to`; the stream as it comes out."""
    stream: Given = None
    started = False
    scope.broken = not order.sublayers
    for sublayer in order.sublayers:
        call = _call(sublayer, to.problems)
        if call is None:
            scope.broken = True
            continue
        name = _stream_name(call.node)
        if not started:
            stream, started = to.read(name, sublayer.call.span, scope), True
        scope.names[name] = stream
        stream = _sublayer(to, sublayer, call, name, scope, stream)
        scope.names[name] = stream
    return (stream,)


def _call(sublayer: OrderedSublayer, problems: Problems) -> Piece | None:
    piece = expression(sublayer.call, problems)
    if piece is None or isinstance(piece.node, ast.Call):
        return piece
    if not isinstance(piece.node, ast.Name):
        problems.add(piece.span(), "a sublayer is a word or a call: self_attention, cross_attention(x, memory)")
        return None
    operands = [_STREAM, _MEMORY] if piece.node.id == "cross_attention" else [_STREAM]
    args: list[ast.expr] = [ast.copy_location(ast.Name(name, ast.Load()), piece.node) for name in operands]
    return Piece(ast.copy_location(ast.Call(piece.node, args, []), piece.node), piece.source, piece.text, piece.start)


def _stream_name(node: ast.AST) -> str:
    """The name of the residual stream: the first operand of the sublayer function."""
    first = node.args[0] if isinstance(node, ast.Call) and node.args else None
    return first.id if isinstance(first, ast.Name) else _STREAM


def _sublayer(to: Lowering, sublayer: OrderedSublayer, call: Piece, name: str, scope: Scope, stream: Given) -> Given:
    residual = branch = stream if isinstance(stream, Value) else None
    for letter in sublayer.letters:
        match letter.letter:
            case "F":
                scope.names[name] = branch
                branch = _tensor(to.value(call.node, call, scope))
            case "N":
                residual = branch = _tensor(to.word("norm", [residual], letter.span))
            case "n":
                branch = _tensor(to.word("norm", [branch], letter.span))
            case "d":
                branch = _tensor(to.word("dropout", [branch], letter.span))
            case "p":
                branch = _tensor(to.word("stochastic_depth", [branch], letter.span))
            case "s":
                branch = _tensor(to.word("scale", [branch], letter.span, **_by(to, letter)))
            case "S":
                residual = _tensor(to.word("scale", [residual], letter.span, **_by(to, letter)))
            case "a":
                branch = to.emit("add", [residual, branch], (), letter.span)
    return branch


def _by(to: Lowering, letter: Letter) -> dict[str, AttrValue]:
    if letter.by is None:
        return {}
    return {"by": letter.by.attribute(to.lexicon.sizes, to.problems)}


def _tensor(given: Given) -> Value | None:
    return given if isinstance(given, Value) else None
