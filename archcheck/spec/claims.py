"""Claims beyond wiring: sharing, absence, counts, sequences, repeats, attributes, initial values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archcheck.ir.ops import BY_NAME
from archcheck.spec.formula import Expression
from archcheck.spec.model import (
    Absent,
    Attributes,
    Claim,
    Count,
    OwnWeights,
    Path,
    Pattern,
    Present,
    Repeat,
    SameWeights,
    Stated,
    Statement,
    What,
)
from archcheck.spec.nodes import Mapping, Node, Scalar, Sequence, Text
from archcheck.spec.problems import did_you_mean, hints
from archcheck.spec.slips import NO_TRUTH
from archcheck.spec.source import Source, is_true, pairs
from archcheck.spec.starts import Starts
from archcheck.spec.words import declared, pattern, reference

FORMS = ("same_weights", "own_weights", "absent", "present", "count", "path", "repeat", "attributes", "init")


@dataclass(frozen=True)
class Claims:
    """Reads claims."""

    source: Source

    def claim(self, node: Node) -> Claim | None:
        """The claim that a node states, or None after noting why it states none."""
        if not isinstance(node, Mapping):
            return None
        source = self.source
        id = node.get("id")
        key = id if isinstance(id, Scalar) else None
        span = key.span if key else node.span
        forms = [name for name in FORMS if node.get(name) is not None]
        if "path" in forms:  # absent: and only: belong to it
            forms = [name for name in forms if name != "absent"]
        elif (only := node.key("only")) is not None:
            source.problems.add(only.span, "only: stands beside path:", "a block has an only: of its own")
        if len(forms) != 1:
            wrong = f"has {len(forms)} forms: {', '.join(forms)}" if forms else "states nothing"
            source.problems.add(span, f"the claim {wrong}", f"give it one of {', '.join(FORMS)}")
            return None
        presets = source.preset_names(node.get("for"))
        states = self.forms()[forms[0]](node)
        if states is None:
            return None
        return Claim(
            key.text if key else "",
            source.citation(node, key),
            states,
            span,
            is_true(node.get("advisory")),
            source.strict(node.get("strict")),
            presets,
        )

    def forms(self) -> dict[str, Callable[[Mapping], Statement | None]]:
        return {
            "same_weights": self.same_weights,
            "own_weights": self.own_weights,
            "absent": lambda node: Absent(found) if (found := self.patterns(node.get("absent"))) else None,
            "present": lambda node: Present(found) if (found := self.patterns(node.get("present"))) else None,
            "count": self.count,
            "path": self.path,
            "repeat": self.repeat,
            "attributes": self.attributes,
            "init": lambda node: Starts(self.source).init(node.get("init")),
        }

    def same_weights(self, node: Mapping) -> SameWeights | None:
        places = self.source.texts(node.get("same_weights"))
        if len(places) == 1 and "*" not in places[0].text and not self._is_kind(places[0].text):
            hint = "name two, or all of a list: layers[*]"
            self.source.problems.add(places[0].span, "one place shares its weights with nothing", hint)
        return SameWeights(tuple(place.text for place in places)) if places else None

    def own_weights(self, node: Mapping) -> OwnWeights | None:
        places = self.source.texts(node.get("own_weights"))
        if len(places) == 1 and "*" not in places[0].text and not self._is_kind(places[0].text):
            hint = "name two, all of a list (layers[*]), or a kind of ops (feed_forward)"
            self.source.problems.add(places[0].span, "one place shares its weights with nothing", hint)
        return OwnWeights(tuple(place.text for place in places)) if places else None

    def _is_kind(self, word: str) -> bool:
        """Whether a word stands for a kind of ops."""
        return word in self.source.lexicon.terms or word in BY_NAME

    def pattern(self, text: Text) -> Pattern | None:
        return pattern(text, self.source.lexicon, self.source.problems)

    def patterns(self, node: Node | None) -> tuple[Pattern, ...]:
        return tuple(found for text in self.source.texts(node) if (found := self.pattern(text)))

    def count(self, node: Mapping) -> Count | None:
        rows = []
        for key, value in pairs(node.get("count")):
            found = self.pattern(self.source.document.text(key))
            count = self.source.number(value)
            if found and count:
                rows.append((found, count))
        return Count(tuple(rows)) if rows else None

    def repeat(self, node: Mapping) -> Repeat | None:
        rows = []
        for key, value in pairs(node.get("repeat")):
            if key.text not in self.source.lexicon.blocks:
                self.source.unknown_block(key.text, key.span)
            if count := self.source.number(value):
                rows.append((key.text, count))
        return Repeat(tuple(rows)) if rows else None

    def path(self, node: Mapping) -> Path | None:
        source = self.source
        text = source.string(node.get("path"))
        if text is None:
            return None
        steps: list[What | None] = []
        start = 0
        for part in (parts := text.text.split("->")):
            end = start + len(part)
            if part.strip() == "...":
                steps.append(None)
            elif (what := reference(text, start, end, source.lexicon, source.problems, ends=True)) is not None:
                steps.append(what)
            start = end + 2
        if len(parts) < 2:
            source.problems.add(text.span, "a path has at least two steps", "pool -> linear -> ... -> output")
        absent = tuple(what for word in source.texts(node.get("absent")) if (what := source.reference(word)))
        return Path(tuple(steps), source.only(node.get("only")), absent)

    def attributes(self, node: Mapping) -> Attributes | None:
        source = self.source
        rows = []
        for key, own in pairs(node.get("attributes")):
            found = self.pattern(source.document.text(key))
            known = declared(found.what.kind) if found and found.what.kind else {}
            for name, value in pairs(own):
                if found and name.text not in known:
                    hint = hints(did_you_mean(name.text, known), f"it has {', '.join(known) or 'none'}")
                    source.problems.add(name.span, f'{found.what.name} has no attribute "{name.text}"', hint)
                stated = self.attribute(value)
                if stated is not None and str(stated).lower() in NO_TRUTH and not stated.is_constant:
                    hint = f"it is text in this version of YAML: write {NO_TRUTH[str(stated).lower()]}"
                    source.problems.add(value.span, f"{stated} is no value of {name.text}", hint)
                elif stated is not None:
                    stated.attribute(source.lexicon.sizes, source.problems, known.get(name.text))
                    if found:
                        rows.append(Stated(found, name.text, stated, name.span))
        return Attributes(tuple(rows)) if rows else None

    def attribute(self, node: Node) -> Expression | None:
        """The value of an attribute: as in a flow, where text in quotes is a word and a bare word may be a size."""
        if isinstance(node, Sequence):
            words = [
                item.text if item.style == "" else repr(item.text) for item in node.items if isinstance(item, Scalar)
            ]
            return Expression(Text(f"({', '.join(words)},)", node.span))
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.style in ("'", '"'):
            return Expression(self.source.document.text(node), node.value, True)
        return self.source.expression(node)
