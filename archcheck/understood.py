"""How a spec was understood, in plain words, so that its writer sees a misunderstanding before any code is judged.

encoder_layer  Figure 1
  x -> self_attention -> dropout -> add(x) -> layer_norm -> feed_forward -> dropout -> add(.., layer_norm) ...
  a layer, found by its sublayers in this order: self_attention (F d a n), feed_forward (F d a n)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from archcheck.ir.graph import Op, OpGraph, Unknown, Value
from archcheck.judging.binding import Expected, Form, expectation
from archcheck.passes import canonicalise
from archcheck.spec import Block, Spec, to_graph

_KINDS = {"ffn": "feed_forward", "other": "a branch of another kind"}
_COMMUTE = frozenset({"add", "mul", "maximum", "minimum"})


def understood(spec: Spec) -> Iterator[str]:
    """The lines that say what each block and claim of a spec was taken to state, and how it will be judged."""
    values = spec.values()
    if values:
        by_preset = {name for _, own in spec.presets for name, _ in own}
        open_ = {name: "by preset" if name in by_preset else "open" for name in values}
        told = (f"{name} = {open_[name] if isinstance(v, Unknown) else v}" for name, v in values.items())
        yield f"sizes: {', '.join(told)}"
        yield ""
    for block in spec.blocks:
        yield f"{block.id}  {block.citation.where}"
        yield from (f"  {line}" for line in _block(spec, block))
        yield ""
    for claim in spec.claims:
        yield f"{claim.id}  {claim.citation.where}"
        yield f"  {claim.says}"
        yield from (f"  {line}" for line in _beside(claim.advisory, claim.presets))
        yield ""


def _block(spec: Spec, block: Block) -> Iterator[str]:
    graph = to_graph(spec, block.id, spec.values())
    yield from wiring(graph)
    yield f"judged as {_form(expectation(canonicalise(graph)), block.id)}"
    if block.repeat is not None:
        yield f"stands {block.repeat} times in a row"
    yield from (f"{stated}" for stated in block.widths)
    if block.only is not None:
        also = ", ".join(map(str, block.only))
        yield f"nothing else may stand there{f' but {also}' if also else ''}"
    yield from _beside(block.advisory, block.presets)


def _beside(advisory: bool, presets: tuple[str, ...]) -> Iterator[str]:
    if advisory:
        yield "reported, and never failing"
    if presets:
        yield f"stated for {', '.join(presets)} only"


def _form(expected: Expected, block: str) -> str:
    match expected.form:
        case Form.LAYER:
            found = ", ".join(f"{_KINDS.get(one.kind, one.kind)} ({one.signature})" for one in expected.sublayers)
            return f"a layer, found by its sublayers in this order: {found}"
        case Form.INSIDE:
            return f"what each {expected.kind} holds inside"
        case Form.OP:
            return f"one op: each {expected.kind} of the code"
        case Form.WIRING:
            return f"an equation, looked for along the data flow, or in what --bind {block}=CLASS names"


# ---- the wiring, as a line from what is read to what comes out


def wiring(graph: OpGraph) -> Iterator[str]:
    """The ops of `graph` in their order, `x -> linear -> relu`; a value that is read again later gets a letter."""
    uses = Counter(value for op in graph.ops for value in op.reads)
    if len(graph.results) > 1 or (graph.ops and graph.results[0].op != graph.ops[-1].path):
        uses += Counter(graph.results)
    names = {Value(op.path): str(op.attr("name")) for op in graph.ops if op.kind.name == "input"}
    letters = (f"[{letter}{number or ''}]" for number in range(len(graph.ops) + 1) for letter in "abcdefghijklmnop")
    line, last = "", None
    for op in (op for op in graph.ops if op.kind.name != "input"):
        if last is None or last not in op.reads or uses[last] != 1:
            if line:
                yield _ended(line, last, uses, names, letters)
            start = next((value for value in op.reads if value in names), None)
            line, last = (names.get(start, "") if start is not None else ""), start
        line += f"{' -> ' if line else ''}{_step(op, last, names)}"
        last = Value(op.path)
        outputs = sorted({value.index for value in uses if value.op == op.path and value.index})
        names.update({Value(op.path, index): f"{op.kind.name}[{index}]" for index in outputs})
    if line:
        yield _ended(line, last, uses, names, letters)
    given = [names.get(value, "the last value") for value in graph.results]
    if len(given) > 1 or graph.results[0] != last:
        yield f"gives {', '.join(given)}"


def _ended(line: str, last: Value | None, uses: Counter[Value], names: dict[Value, str], letters: Iterator[str]) -> str:
    """A finished line, with a name for its value where something reads it later."""
    if last is None or not uses[last]:
        return line
    names[last] = next(letters)
    return f"{line} = {names[last]}"


def _step(op: Op, last: Value | None, names: dict[Value, str]) -> str:
    """One op with what it reads beside the value on the line, and the attributes that are stated."""
    operands = [".." if value == last else names.get(value, "?") for value in op.reads]
    if operands.count("..") == 1 and (operands[0] == ".." or op.kind.name in _COMMUTE):
        operands.remove("..")
    own = [attr for attr in op.attrs if op.kind.name != "function" or attr.name != "name"]
    stated = [f"{attr.name}={'?' if isinstance(attr.value, Unknown) else attr.value}" for attr in own]
    name = f'"{op.attr("name")}"' if op.kind.name == "function" else op.kind.name
    inside = ", ".join([*operands, *stated])
    return f"{name}({inside})" if inside else name
