"""Examples of a spec: code of which a user knows whether it is what the paper states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archcheck.spec.model import Example
from archcheck.spec.nodes import Mapping, Node, Scalar, Text
from archcheck.spec.problems import did_you_mean, hints
from archcheck.spec.source import Source, items, pairs, plain_string

EXPECTED = ("holds", "departs")
MODES = ("train", "eval")


@dataclass(frozen=True)
class Examples:
    """Reads what stands under `examples:`.

    Args:
        source: the file.
        ids: of the claims that an example may be one of.
    """

    source: Source
    ids: tuple[str, ...]

    def read(self, node: Node | None) -> Iterator[Example]:
        """The examples of a list, in its order."""
        for item in items(node):
            if isinstance(item, Mapping) and (found := self.example(item)) is not None:
                yield found

    def example(self, node: Mapping) -> Example | None:
        """One example, or None after noting why it is none."""
        source = self.source
        target, expects = source.string(node.get("target")), source.string(node.get("expects"))
        mode = self.one_of(source.string(node.get("mode")), MODES, "mode")
        told = self.one_of(expects, EXPECTED, "expectation")
        of = source.texts(node.get("of"))
        for text in of:
            if text.text not in self.ids:
                hint = hints(did_you_mean(text.text, self.ids), f"the spec states {', '.join(self.ids) or 'nothing'}")
                source.problems.add(text.span, f'no claim is called "{text.text}"', hint)
        source.preset_names(node.get("preset"))
        for key, _ in pairs(node.get("sizes")):
            if key.text not in source.lexicon.sizes:
                known = ", ".join(source.lexicon.sizes) or "it has none"
                hint = hints(did_you_mean(key.text, source.lexicon.sizes), known)
                source.problems.add(key.span, f'the spec has no size "{key.text}"', hint)
        if target is None or not told:
            return None
        return Example(
            target=target.text,
            holds=told == "holds",
            of=tuple(text.text for text in of),
            why=" ".join(plain_string(node.get("why")).split()),
            span=target.span,
            arguments=tuple(_texts(node.get("args"))),
            bind=tuple(_texts(node.get("bind"))),
            sizes=tuple(_numbers(node.get("sizes"))),
            preset=plain_string(node.get("preset")),
            mode=mode or MODES[0],
        )

    def one_of(self, text: Text | None, known: Sequence[str], what: str) -> str:
        """The word of `text`, noting one that is not `known`."""
        if text is None or text.text in known:
            return text.text if text else ""
        hint = hints(did_you_mean(text.text, known), f"it may be {' or '.join(known)}")
        self.source.problems.add(text.span, f'no {what} is called "{text.text}"', hint)
        return ""


def _texts(node: Node | None) -> Iterator[tuple[str, str]]:
    """Names with expressions of Python: YAML's true is True."""
    for key, value in pairs(node):
        if isinstance(value, Scalar):
            yield key.text, str(value.value) if isinstance(value.value, bool) else value.text


def _numbers(node: Node | None) -> Iterator[tuple[str, int | float]]:
    for key, value in pairs(node):
        if isinstance(value, Scalar) and isinstance(value.value, (int, float)) and not isinstance(value.value, bool):
            yield key.text, value.value
