"""What weights are before training: the `init:` of a claim, read and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archcheck.ir.graph import Unknown
from archcheck.ir.ops import OpKind
from archcheck.spec.formula import Expression
from archcheck.spec.model import Init, Part, Start, What
from archcheck.spec.nodes import Mapping, Node, Scalar, Text
from archcheck.spec.problems import did_you_mean, hints
from archcheck.spec.source import Source, items
from archcheck.spec.words import reference

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMES = (
    "normal",
    "uniform",
    "truncated_normal",
    "xavier",
    "xavier_normal",
    "xavier_uniform",
    "kaiming",
    "kaiming_normal",
    "kaiming_uniform",
)
FANS = ("in", "out")
OF_THE_WEIGHT = ("fan_in", "fan_out", "layer")  # names that formulas may use beside the sizes
FEEDING = ("query", "key", "value")
ROLES = (*FEEDING, "output")

_ATTENTION = frozenset({"attention", "linear_attention", "self_attention", "cross_attention"})
_DOTTED = re.compile(r"\s*([^\W\d]\w*)\s*\.\s*([^\W\d]\w*)\s*")
FORMULAS = ("weight", "bias", "std", "gain", "bound", "cut", "ratio")
_SPREADS = ("std", "scheme", "bound", "ratio")


@dataclass(frozen=True)
class Starts:
    """Reads what stands under `init:`."""

    source: Source

    def init(self, node: Node | None) -> Init | None:
        """What a claim states of initial values, or None after noting why it states nothing."""
        nodes = (node,) if isinstance(node, Mapping) else items(node)
        if not nodes and node is not None and not isinstance(node, Scalar):
            self.source.problems.add(node.span, "the claim states no initial values", "{of: scale, weight: 0}")
        starts = tuple(found for one in nodes if isinstance(one, Mapping) and (found := self.start(one)))
        return Init(starts) if starts else None

    def start(self, node: Mapping) -> Start | None:
        """One statement: parts, and what their weights are."""
        source = self.source
        scheme, fan = (source.string(node.get(name)) for name in ("scheme", "fan"))
        found = Start(
            of=self.parts(node.get("of")),
            scheme=self.one_of(scheme, SCHEMES, "scheme"),
            fan=self.one_of(fan, FANS, "fan") or "in",
            to=self.parts(node.get("to")),
            tolerance=self.tolerance(node.get("tolerance")),
            **{name: self.formula(node.get(name)) for name in FORMULAS},
        )
        if found.bound is not None and node.get("scheme") is None:
            found = replace(found, scheme="uniform")
        self.check(node, found, node.get("scheme") is not None)
        return found if found.of else None

    # ---- parts

    def parts(self, node: Node | None) -> tuple[Part, ...]:
        """The parts that `of:` or `to:` names."""
        return tuple(found for text in self.source.texts(node) if (found := self.part(text)))

    def part(self, text: Text) -> Part | None:
        """`attention.value in decoder_layer`."""
        source = self.source
        head, within, _ = text.text.partition(" in ")
        where = None
        if within:
            where = reference(text, len(head) + len(within), len(text.text), source.lexicon, source.problems)
        dotted = _DOTTED.fullmatch(head)
        if dotted is None and len(head.split()) > 1 and "(" not in head:
            hint = "write WHAT, WHAT.PART, or one of them in WHERE: attention.value in decoder_layer"
            source.problems.add(text.span, f'"{str.strip(text.text)}" names no part', hint)
            return None
        end = dotted.end(1) if dotted else len(head)
        what = reference(text, 0, end, source.lexicon, source.problems)
        if what is None or (within and where is None):
            return None
        if dotted is None:
            return Part(what, "", None, where, text)
        role = self.role(what, text, dotted.start(2), dotted.end(2))
        return None if role is None else Part(what, *role, where, text)

    def role(self, what: What, text: Text, start: int, end: int) -> tuple[str, OpKind | None] | None:
        """What `text[start:end]` picks in `what`: a projection, or ops of a kind."""
        source = self.source
        name = text.text[start:end]
        if name == "output":
            return "output", None
        if name in FEEDING:
            if what.block or (what.kind is not None and what.kind.name in _ATTENTION):
                return name, None
            source.problems.add(text.at(start, end), f"{what.name} has no {name}", "attention has one")
            return None
        rank, _, rest = name.partition("_")
        rank, counted = (rank, rest) if rank in ("first", "last") and rest else ("all", name)
        meaning = source.lexicon.meaning(counted, source.problems)
        if meaning is not None and meaning.kind is not None:
            return rank, meaning.kind
        known = [*ROLES, "linear", "last_linear", "first_linear", "last_norm", *source.lexicon.terms]
        hint = hints(did_you_mean(name, known), f"it may be {', '.join(ROLES)}, a kind of op, first_KIND or last_KIND")
        source.problems.add(text.at(start, end), f'"{name}" is no part of {what.name}', hint)
        return None

    # ---- values

    def formula(self, node: Node | None) -> Expression | None:
        """A number, or a formula over the sizes and what is known of each weight."""
        found = self.source.expression(node)
        if found is not None:
            asked = Unknown("it is known of each weight")
            found.number({**dict.fromkeys(OF_THE_WEIGHT, asked), **self.source.lexicon.sizes}, self.source.problems)
        return found

    def one_of(self, text: Text | None, known: Sequence[str], what: str) -> str:
        """The word of `text`, noting one that is not `known`."""
        if text is None or text.text in known:
            return text.text if text else ""
        hint = hints(did_you_mean(text.text, known), f"it may be {', '.join(known)}")
        self.source.problems.add(text.span, f'no {what} is called "{text.text}"', hint)
        return ""

    def tolerance(self, node: Node | None) -> float:
        """`10%` or 0.1."""
        if not isinstance(node, Scalar) or node.value is None:
            return Start(()).tolerance
        given = node.text.strip()
        try:
            value = float(given.removesuffix("%")) / (100 if given.endswith("%") else 1)
        except ValueError:
            value = -1.0
        if not 0 < value <= 1:
            self.source.problems.add(node.span, "a tolerance lies between 0 and 1", "10%, or 0.1")
            return Start(()).tolerance
        return value

    # ---- what goes together

    def check(self, node: Mapping, found: Start, drawn: bool) -> None:
        """Note what is missing from a statement, and what cannot stand beside what it says.

        Args:
            drawn: it has a `scheme:`, whether or not that is known.
        """
        given = {name for name in FORMULAS if getattr(found, name) is not None}
        stated = [name for name in _SPREADS if name in given or (name == "scheme" and drawn)]
        if not stated and not given & {"weight", "bias"}:
            hint = "give weight: or bias: for one value, or std:, scheme: or ratio: for a spread"
            self.source.problems.add(node.span, "no initial values are stated", hint)
        if "weight" in given and stated:
            self.note(node, stated[0], f"weight: is one value, and {stated[0]}: a spread of them", "state one of them")
        if "ratio" in given and len(stated) > 1:
            other = next(name for name in stated if name != "ratio")
            self.note(node, other, f"{other}: and ratio: say the same", "state one of them")
        if ("ratio" in given) != bool(found.to) and (node.get("to") is None or "ratio" not in given):
            name, other = ("ratio", "to") if "ratio" in given else ("to", "ratio")
            self.note(node, name, f"{name}: needs {other}:", "{of: attention.value, ratio: 1/2, to: attention.query}")
        if drawn and not found.scheme:
            return
        family = found.scheme.partition("_")[0]
        needs = {"normal": "std", "truncated": "std", "uniform": "bound"}.get(family, "")
        if needs and needs not in given:
            self.note(node, "scheme", f"{found.scheme} needs {needs}:", f"scheme: {found.scheme}, {needs}: 0.02")
        may = {
            "gain": ("xavier", "kaiming"),
            "fan": ("kaiming",),
            "cut": ("truncated",),
            "std": ("normal", "truncated", ""),
            "bound": ("uniform", ""),
        }
        for name, families in may.items():
            if node.get(name) is not None and family not in families:
                where = " or ".join(f"{one}_normal" if one == "truncated" else one for one in families if one)
                self.note(
                    node, name, f"{name}: is no part of {found.scheme or 'what is stated'}", f"it goes with {where}"
                )

    def note(self, node: Mapping, name: str, problem: str, hint: str) -> None:
        """Note a mistake about the key called `name`."""
        key = node.key(name)
        self.source.problems.add(key.span if key else node.span, problem, hint)
