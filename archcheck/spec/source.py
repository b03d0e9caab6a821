"""What the readers of blocks and claims share: nodes of the tree as text, expressions and citations."""

from __future__ import annotations

from dataclasses import dataclass

from archcheck.ir import equivalences
from archcheck.ir.span import Span
from archcheck.spec.formula import Expression
from archcheck.spec.model import Citation, What
from archcheck.spec.nodes import Document, Mapping, Node, Scalar, Sequence, Text
from archcheck.spec.problems import Problems, did_you_mean, hints
from archcheck.spec.words import Lexicon, reference


@dataclass(frozen=True)
class Source:
    """A spec file while it is read. A node of the wrong shape reads as nothing: its mistake has been noted."""

    document: Document
    lexicon: Lexicon
    presets: tuple[str, ...] = ()

    @property
    def problems(self) -> Problems:
        """Where mistakes are noted."""
        return self.document.problems

    def string(self, node: Node | None) -> Text | None:
        """The text of a scalar, with its places."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return self.document.text(node)
        return None

    def texts(self, node: Node | None) -> list[Text]:
        """The text, or each text of a list."""
        nodes = (node,) if isinstance(node, Scalar) else items(node)
        return [text for item in nodes if (text := self.string(item))]

    def expression(self, node: Node | None) -> Expression | None:
        """What a scalar states: a constant, or a formula in its text."""
        if not isinstance(node, Scalar) or node.value is None:
            return None
        text = self.document.text(node)
        return Expression(text) if isinstance(node.value, str) else Expression(text, node.value, True)

    def number(self, node: Node | None) -> Expression | None:
        """As `expression`, noting what does not give a number."""
        found = self.expression(node)
        if found is not None and not isinstance(found.constant, bool):
            found.number(self.lexicon.sizes, self.problems)
        return found

    def reference(self, text: Text) -> What | None:
        """The op kind, term or block that a text names."""
        return reference(text, 0, len(text.text), self.lexicon, self.problems)

    def only(self, node: Node | None) -> tuple[What, ...] | None:
        """`only: true` is (), a list what it names, and nothing None."""
        if isinstance(node, Sequence):
            return tuple(what for text in self.texts(node) if (what := self.reference(text)))
        return () if is_true(node) else None

    def citation(self, node: Mapping, key: Scalar | None) -> Citation:
        """`where:` and `quote:` of a statement."""
        quote = node.get("quote")
        return Citation(
            plain_string(node.get("where")),
            " ".join(plain_string(quote).split()),
            key.span if key else node.span,
            quote.span if quote else None,
        )

    def preset_names(self, node: Node | None) -> tuple[str, ...]:
        """What stands under `for:`, noting names that no preset has."""
        for text in (texts := self.texts(node)):
            if text.text not in self.presets:
                known = ", ".join(self.presets) or "the spec has no presets"
                hint = hints(did_you_mean(text.text, self.presets), known)
                self.problems.add(text.span, f'no preset is called "{text.text}"', hint)
        return tuple(text.text for text in texts)

    def strict(self, node: Node | None) -> tuple[str, ...]:
        """The equivalences under `strict:`; ("*",) for all of them."""
        if is_true(node):
            return ("*",)
        for text in (texts := self.texts(node)):
            if text.text not in equivalences.NAMES:
                hint = hints(did_you_mean(text.text, equivalences.NAMES), "reports list those used as Taken as equal")
                self.problems.add(text.span, f'nothing that is taken as equal is called "{text.text}"', hint)
        return tuple(text.text for text in texts)

    def unknown_block(self, name: str, span: Span) -> None:
        """Note that no block has this name."""
        known = ", ".join(self.lexicon.blocks)
        self.problems.add(span, f'no block is called "{name}"', hints(did_you_mean(name, self.lexicon.blocks), known))


def pairs(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    """The entries of a mapping, or none."""
    return node.items if isinstance(node, Mapping) else ()


def items(node: Node | None) -> tuple[Node, ...]:
    """The entries of a list, or none."""
    return node.items if isinstance(node, Sequence) else ()


def plain_string(node: Node | None) -> str:
    """The text of a scalar, or ""."""
    return node.text if isinstance(node, Scalar) and isinstance(node.value, str) else ""


def is_true(node: Node | None) -> bool:
    """Whether `true` stands here."""
    return isinstance(node, Scalar) and node.value is True
