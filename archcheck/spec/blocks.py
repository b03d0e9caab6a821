"""Blocks of a spec: their flows and orders, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from archcheck.ir.graph import OpGraph
from archcheck.ir.ops import BY_NAME
from archcheck.spec.flow import Lowering
from archcheck.spec.model import Block, Flow, Letter, Order, OrderedSublayer, Pattern, Stated
from archcheck.spec.nodes import Mapping, Node, Scalar, Sequence, Text
from archcheck.spec.order import prepostprocess, signature
from archcheck.spec.problems import Problems, did_you_mean, hints
from archcheck.spec.source import Source, is_true, items, pairs
from archcheck.spec.words import declared, reference

NOTHING = Order(())  # what a block states whose content could not be read: it is known, and no mistake follows from it


@dataclass(frozen=True)
class Blocks:
    """Reads blocks: first what they state (`block`), and when all words are known the rest (`finish`)."""

    source: Source

    def block(self, key: Scalar, node: Node, of: Block | None = None) -> Block | None:
        """The block under `key`.

        Args:
            of: the block that this one stands in for under another reading; what is left out is as there.
        """
        if not isinstance(node, Mapping):
            return None
        source = self.source
        content = self.content(key, node) or NOTHING
        citation = source.citation(node, key)
        base = of or Block(key.text, citation, content, key.span)
        if of is not None and not citation.where:
            citation = replace(of.citation, span=key.span)
        return replace(
            base,
            citation=citation,
            content=content,
            span=key.span,
            repeat=source.expression(node.get("repeat")) or base.repeat,
            advisory=is_true(found) if (found := node.get("advisory")) else base.advisory,
            strict=source.strict(found) if (found := node.get("strict")) else base.strict,
            presets=source.preset_names(found) if (found := node.get("for")) else base.presets,
        )

    def finish(self, block: Block, node: Mapping) -> Block:
        """`block` with the words beside its flow, and everything in it checked."""
        source = self.source
        lowering = Lowering(source.lexicon, source.problems, block.id)
        graph = lowering.graph(block)
        if not graph.results and lowering.complete:
            hint = "end with x = ... or with an expression"
            source.problems.add(block.span, f"nothing comes out of the block {block.id}", hint)
        source.number(node.get("repeat"))
        if (widths := node.get("widths")) is not None:
            stated = tuple(found for key, value in pairs(widths) if (found := self.width(key, value, block)))
            block = replace(block, widths=stated)
        if (only := node.get("only")) is not None:
            block = replace(block, only=source.only(only))
        return block

    def lower(self, block: Block, problems: Problems) -> OpGraph:
        return Lowering(self.source.lexicon, problems, block.id).graph(block)

    def content(self, key: Scalar, node: Mapping) -> Flow | Order | None:
        flow, order = node.get("flow"), node.get("order")
        if (flow is None) == (order is None):
            stated = "states nothing" if flow is None else "is stated twice"
            self.source.problems.add(key.span, f"the block {key.text} {stated}", "give it one of flow: and order:")
            return None
        if order is not None:
            return self.order(order)
        text = self.source.string(flow)
        return Flow(text) if text else None

    # ---- order

    def order(self, node: Node) -> Order | None:
        """A signature, tensor2tensor's pair, or one of these for each sublayer."""
        anything = Text("sublayer", node.span)
        if isinstance(node, Scalar):
            text = self.source.string(node)
            return Order((OrderedSublayer(anything, signature(text, self.source.problems)),)) if text else None
        if isinstance(node, Mapping) and {key.text for key, _ in node.items} & {"pre", "post", "sublayers"}:
            calls = self.source.texts(node.get("sublayers")) or [anything]
            return Order(tuple(OrderedSublayer(call, self.pair(node, call)) for call in calls))
        rows = [row for item in items(node) for row in pairs(item)] if isinstance(node, Sequence) else pairs(node)
        sublayers = tuple(found for key, value in rows if (found := self.sublayer(key, value)))
        if not rows:
            self.source.problems.add(node.span, "an order names sublayers", "self_attention: F d a n")
        return Order(sublayers) if sublayers else None

    def sublayer(self, key: Scalar, node: Node) -> OrderedSublayer | None:
        call = self.source.document.text(key)
        if isinstance(node, Mapping):
            return OrderedSublayer(call, self.steps(key, node, call))
        text = self.source.string(node)
        return OrderedSublayer(call, signature(text, self.source.problems)) if text else None

    def steps(self, key: Scalar, node: Mapping, call: Text) -> tuple[Letter, ...]:
        """The steps of `{signature: S F a n, S: alpha}` or `{pre: n, post: da}`."""
        source = self.source
        text = source.string(node.get("signature"))
        if (text is None) == (node.get("pre") is None and node.get("post") is None):
            source.problems.add(key.span, f"{key.text} needs its steps once", "give signature:, or pre: and post:")
            return ()
        letters = signature(text, source.problems) if text else self.pair(node, call)
        factors = {name: source.number(node.get(name)) for name in ("s", "S")}
        for name, factor in factors.items():
            if factor is not None and name not in [letter.letter for letter in letters]:
                source.problems.add(factor.text.span, f"this is the factor of {name}, which the steps do not have")
        return tuple(replace(letter, by=factors.get(letter.letter) or letter.by) for letter in letters)

    def pair(self, node: Mapping, call: Text) -> tuple[Letter, ...]:
        pre, post = (self.source.string(node.get(name)) for name in ("pre", "post"))
        return prepostprocess(pre, post, call, self.source.problems)

    # ---- widths

    def width(self, key: Scalar, node: Node, block: Block) -> Stated | None:
        """`d_ff: 2048` or `self_attention.heads: 8`, of the ops in `block`."""
        source = self.source
        value = source.number(node)
        if value is None:
            return None
        text = source.document.text(key)
        owner, dot, attr = text.text.rpartition(".")
        what = reference(text, 0, len(owner), source.lexicon, source.problems) if dot else None
        if dot and what is None:
            return None
        known = self.attributes_in(block) if what is None else declared(what.kind) if what.kind else {}
        if attr not in known:
            of = owner or f"an op of {block.id}"
            hint = hints(did_you_mean(attr, known), f"it may be {', '.join(sorted(known))}" if known else "")
            source.problems.add(
                text.at(len(text.text) - len(attr), len(text.text)), f'"{attr}" is no attribute of {of}', hint
            )
        return Stated(Pattern(what, "", None, what.span) if what else None, attr, value, key.span)

    def attributes_in(self, block: Block) -> dict[str, object]:
        """The attributes that the ops of `block` may state, or the op kind that the block is called by."""
        aside = Problems(self.source.document.file, ())
        kinds = [op.kind for op in self.lower(block, aside).walk()] + [BY_NAME.get(block.id)]
        return {name: decl for kind in kinds if kind for name, decl in declared(kind).items()}
