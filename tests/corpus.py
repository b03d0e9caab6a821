"""What `archcheck describe` says, held against hand-labelled architectures: a table, entry by entry.

    python -m tests.corpus LABELS [--only TEXT] [--all] [-j N]

LABELS is a YAML list; an entry names a package, a version, a file and a symbol in it, perhaps a `model_symbol`, its
`sublayers` with signatures and norms, and `facts`. What the layer does not tell is taken from the model. Packages are
fetched once, unpacked and read, never installed or imported; one that cannot be fetched is named.

A fact is right, wrong, or not stated, which is no mistake. The exit code is 1 where a share is below its bar.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from archcheck import workers
from archcheck.describe.description import Description, Picture
from archcheck.errors import ArchcheckError
from archcheck.frontends.static.reader import GIVEN
from archcheck.passes.structure import Sublayer, topology
from archcheck.pipeline import describe
from archcheck.sweep import Request
from tests.packages import unpacked

RIGHT, STATED, SIGNATURES = 0.97, 0.92, 0.95  # shares that are to be reached
NORMS = {
    "layernorm": "layer_norm", "layernorm1p": "layer_norm", "rmsnorm": "rms_norm", "batchnorm": "batch_norm",
    "groupnorm": "group_norm", "none": "",
}  # fmt: skip
Sublayers = list[tuple[str, str, str]]  # kind, signature, norm


@dataclass
class Outcome:
    """How one entry came out.

    Args:
        id: of the entry.
        unread: why it is left out.
        signature: whether the sublayers' kinds and signatures are the labelled ones.
        right, wrong, silent: names of facts; `wrong` with both values, `silent` with the reason.
    """

    id: str
    unread: str = ""
    signature: bool = False
    sublayers: str = ""
    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


MESH = "mesh-tensorflow==0.1.21"
MESH_FOLDER = "mesh_tensorflow/transformer"


def main() -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(description="describe against hand-labelled architectures")
    parser.add_argument("labels", type=Path)
    parser.add_argument("--only", default="", help="entries whose id holds this text")
    parser.add_argument("--all", action="store_true", help="print entries that agree as well")
    parser.add_argument("-j", "--jobs", type=int, default=workers.cores())
    options = parser.parse_args()
    entries = [entry for entry in yaml.safe_load(options.labels.read_text()) if options.only in entry["id"]]
    outcomes: list[Outcome] = []
    for outcome in workers.each(_outcome, entries, options.jobs):
        outcomes.append(outcome)
        _print(outcome, everything=options.all)
    return _summary(outcomes)


def _outcome(entry: Mapping[str, Any]) -> Outcome:
    found = Outcome(entry["id"])
    try:
        folder = unpacked(f"{entry['package']}=={entry['version']}")
    except RuntimeError as error:
        found.unread = f"{entry['package']}=={entry['version']} cannot be fetched: {str(error).splitlines()[0]}"
        return found
    told: dict[str, Description] = {}
    why = ""
    for symbol, request in _requests(entry, folder):
        try:
            (told[symbol],) = describe(request)
        except ArchcheckError as error:
            why = why or str(error).splitlines()[0]
    pictures = list(_pictures(entry["symbol"], told))
    _compare_sublayers(found, pictures, [_wanted(sublayer) for sublayer in entry["sublayers"]], why)
    for name, wanted in entry["facts"].items():
        if wanted is not None:
            _compare_fact(found, name, wanted, list(told.values()))
    return found


def _requests(entry: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Request]]:
    """What is described, under the label's name or the model's."""
    bound = [row["file"] for row in (entry["lines"], *entry["lines"]["decisive"]) if "file" in row]
    gin = [name for name in dict.fromkeys([entry["file"], *bound]) if name.endswith(".gin")]
    if gin:  # what a whole model is that is built with these files, behind those with which mesh-tensorflow begins
        mesh = unpacked(MESH)
        files = tuple(dict.fromkeys([f"{mesh}/{MESH_FOLDER}/gin/defaults.gin", *(str(folder / name) for name in gin)]))
        sizes = {"input_vocab_size": "32128", "output_vocab_size": "32128"}
        target = f"{mesh}/{MESH_FOLDER}/transformer.py:make_bitransformer"
        yield entry["symbol"], Request(target, sizes, explore=False, gin=files)
        return
    for symbol, arguments in _targets(entry):
        file = _file_of(folder, entry["file"], symbol)
        yield symbol, Request(f"{folder}/{file}:{symbol}", arguments, explore=symbol == entry["symbol"])


def _targets(entry: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """What is described: the layer, then the model, with the arguments that the entry's configuration means."""
    given = dict(entry.get("config") or {})
    hparams = given.pop("hparams_set", "transformer_base" if entry["package"] == "tensor2tensor" else "")
    arguments = {name: repr(value) for name, value in given.items()}
    if hparams:
        return [(symbol, {"hparams": f"{hparams}()"}) for symbol in (entry["symbol"], "Transformer")]
    model = entry.get("model_symbol")
    return [(entry["symbol"], arguments), *([(model, {})] if model else [])]


def _pictures(symbol: str, told: Mapping[str, Description]) -> Iterator[Picture]:
    """What the labels may be about: the layer, each of its ways where an argument that must be given decides, or where
    one more is given (an encoder's output), and the model, which gives its layers arguments."""
    for name, description in told.items():
        yield description.default
        yield from (one for one in description.pictures if [value for _, value in one.when] == [GIVEN])
        if name == symbol and not description.default.default:
            yield from description.pictures


def _file_of(folder: Path, file: str, symbol: str) -> str:
    """The file that defines `symbol`: the entry's own, or another one beside it."""
    own = folder / file
    defines = re.compile(rf"^(?:class|def) {re.escape(symbol.partition('.')[0])}\b", re.MULTILINE)
    beside = [own, *sorted(own.parent.glob("*.py"))]
    found = next((path for path in beside if path.suffix == ".py" and defines.search(path.read_text())), own)
    return found.relative_to(folder).as_posix()


def _wanted(sublayer: Mapping[str, Any]) -> tuple[str, str, str]:
    return sublayer["kind"], sublayer["signature"], NORMS.get(sublayer["norm"], sublayer["norm"])


def _compare_sublayers(found: Outcome, pictures: list[Picture], wanted: Sublayers, why: str) -> None:
    first: Sublayers = []
    labelled = [row[:2] for row in wanted]
    for picture in pictures:
        whole = [one for region in picture.layers for one in region.sublayers]
        first = first or [(one.kind, one.signature, one.norm) for one in whole]
        if any(_are(sublayers, labelled) for sublayers in [whole, *(region.sublayers for region in picture.layers)]):
            found.signature = True
            return
    found.sublayers = f"sublayers: {_said(first) or why or 'none'}; labelled {_said(wanted)}"


def _are(sublayers: Sequence[Sublayer], labelled: list[tuple[str, str]]) -> bool:
    """Whether the rows are the labelled ones; one that stands n times may be written once, or up to n times."""
    rest = labelled[:]
    for one in sublayers:
        row = (one.kind, one.signature)
        if not rest or rest.pop(0) != row:
            return False
        for _ in range(one.count - 1):
            if rest and rest[0] == row:
                rest.pop(0)
    return not rest


def _said(rows: Sublayers) -> str:
    return "; ".join(f"{kind}: {signature}" for kind, signature, _ in rows)


def _compare_fact(found: Outcome, name: str, wanted: object, told: list[Description]) -> None:
    reasons = []
    for description in told:
        if name == "topology":
            value: object = topology(description.default.layers[0].sublayers) if description.default.layers else None
            why = "no layer was recognised"
        else:
            fact = next((fact for fact in description.default.facts if fact.name == name), None)
            value, why = (fact.value, fact.why) if fact is not None else (None, "")
        if value is None:
            reasons.append(why)
        elif value == wanted:
            found.right.append(name)
            return
        else:
            found.wrong.append(f"{name} is {value}; labelled {wanted}")
            return
    found.silent.append(f"{name}: {' / '.join(filter(None, reasons)) or 'nothing was read'}")


def _print(outcome: Outcome, *, everything: bool) -> None:
    if outcome.unread:
        print(f"{outcome.id:32} left out: {outcome.unread}")
        return
    differs = [*filter(None, [outcome.sublayers]), *outcome.wrong]
    if not differs and not outcome.silent and not everything:
        return
    counts = f"{len(outcome.right)} right, {len(outcome.wrong)} wrong, {len(outcome.silent)} not stated"
    print(f"{outcome.id:32} {'' if outcome.signature else 'signature differs, '}{counts}")
    for line in differs:
        print(f"    ! {line}")
    for line in outcome.silent:
        print(f"    ? {line}")


def _summary(outcomes: list[Outcome]) -> int:
    read = [outcome for outcome in outcomes if not outcome.unread]
    right, wrong, silent = (sum(len(getattr(one, name)) for one in read) for name in ("right", "wrong", "silent"))
    stated, every = right + wrong, right + wrong + silent
    reasons = Counter(line.partition(":")[0] for one in read for line in one.silent)
    shares = (
        ("facts stated that are right", right, stated, RIGHT),
        ("facts labelled that are stated", stated, every, STATED),
        ("entries whose signatures are right", sum(one.signature for one in read), len(read), SIGNATURES),
    )
    print(f"\n{len(read)} entries read, {len(outcomes) - len(read)} left out")
    for name, count, whole, bar in shares:
        share = count / whole if whole else 0.0
        print(f"{name:36} {count:4} of {whole:4}  {share:6.1%}  (bar: {bar:.0%}) {'met' if share >= bar else 'MISSED'}")
    print("not stated, by fact: " + ", ".join(f"{name} {count}" for name, count in reasons.most_common()))
    return 0 if all(whole and count / whole >= bar for _, count, whole, bar in shares) else 1


if __name__ == "__main__":
    sys.exit(main())
