"""How many of the TensorFlow names that tensor2tensor calls the tables list, and why the others are left out."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from packages import unpacked

from archcheck.frontends import dialects

pytestmark = pytest.mark.packages

FILES = ("layers/common_layers.py", "layers/common_attention.py", "models/transformer.py")
EVALUATOR = "the evaluator's: variables and their scopes"
LOOP = "a loop over a tensor; its body is code, which a row cannot hold"
STARTS = "what a variable starts from; the evaluator drops it with the variable's other arguments"
GRADIENT = "part of a gradient, not of the forward pass"
TRAINING = "training state"
DATA = "a change of the training images"
OPAQUE = "sparse tensors and distributions are not modelled"
STRUCTURE = "a question about the graph, or a walk over a structure"
LOSS = "a loss is no part of an architecture"
PRIVATE = "TensorFlow's private parts"
SLIP = "a slip in tensor2tensor: TensorFlow has no function of this name"
NOT_LISTED: dict[str, str] = {
    name: why
    for why, names in (
        (EVALUATOR, ("get_variable", "global_variables")),
        (LOOP, ("while_loop", "scan", "map_fn", "foldl")),
        (STARTS, ("constant_initializer", "ones_initializer", "zeros_initializer")),
        (STARTS, ("random_normal_initializer", "truncated_normal_initializer")),
        (GRADIENT, ("gradients",)),
        (TRAINING, ("train.get_global_step", "get_collection", "get_default_graph")),
        (STRUCTURE, ("contrib.framework.get_name_scope", "contrib.util.constant_value", "python.tf2.enabled")),
        (STRUCTURE, ("python.util.nest.map_structure",)),
        (DATA, ("image.random_brightness", "image.random_contrast", "image.random_flip_left_right")),
        (DATA, ("image.random_hue", "image.random_saturation", "image.resize_image_with_crop_or_pad", "random_crop")),
        (OPAQUE, ("SparseTensor", "distributions.Normal")),
        (LOSS, ("nn.softmax_cross_entropy_with_logits", "nn.softmax_cross_entropy_with_logits_v2")),
        (PRIVATE, ("internal_convert_to_tensor", "uid", "python.ops.inplace_ops.alias_inplace_update")),
        (PRIVATE, ("python.ops.control_flow_util.GetContainingXLAContext",)),
        (SLIP, ("get_shape", "moments")),
    )
    for name in names
}


def calls(release: str) -> Counter[str]:
    """Qualified TensorFlow names -> how often the files call them."""
    found: Counter[str] = Counter()
    folder = Path(unpacked(f"tensor2tensor=={release}"), "tensor2tensor")
    for path in FILES:
        tree = ast.parse((folder / path).read_text(encoding="utf-8"))
        names: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {
                    a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                    for a in node.names
                }
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                head, _, rest = ast.unparse(node.func).partition(".")
                if "(" not in rest and names.get(head, "").partition(".")[0] == "tensorflow":
                    found[f"{names[head]}.{rest}".rstrip(".")] += 1
    return found


def short(name: str) -> str:
    return dialects.canonical(name).removeprefix("tensorflow.").removeprefix("compat.v1.")


@pytest.mark.parametrize("release", ["1.2.9", "1.15.7"])
def test_every_name_is_listed_or_left_out_for_a_reason(release: str) -> None:
    found = calls(release)
    listed = {name: count for name, count in found.items() if dialects.known(name)}
    missing = {short(name): count for name, count in found.items() if name not in listed}
    covered, total = sum(listed.values()), sum(found.values())
    print(f"tensor2tensor {release}: {len(listed)} of {len(found)} names, {covered} of {total} calls")
    for name, count in sorted(missing.items()):
        print(f"  {name} ({count}): {NOT_LISTED.get(name, '?')}")
    assert sorted(set(missing) - set(NOT_LISTED)) == []
    assert covered > 0.9 * total


def test_what_is_left_out_is_not_listed() -> None:
    assert [name for name in NOT_LISTED if dialects.known("tensorflow." + name)] == []


@pytest.mark.parametrize("release", ["1.2.9", "1.15.7"])
def test_arguments_of_listed_functions_fit(release: str) -> None:
    """Keywords that tensor2tensor passes are parameters of the row, or of the formula beside it."""
    folder = Path(unpacked(f"tensor2tensor=={release}"), "tensor2tensor")
    compared = 0
    for path in FILES:
        for node in ast.walk(ast.parse((folder / path).read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("tf.")):
                continue
            name = "tensorflow." + ast.unparse(node.func).removeprefix("tf.")
            row = dialects.function(name)
            if row is None or dialects.formula(name) is not None:
                continue
            names = {parameter.name for parameter in row.parameters}
            open_ended = any(parameter.double_star for parameter in row.parameters)
            given = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
            unknown = {word for word in given - names - {"name", "dtype"} if not set(dialects.keyword(word)) & names}
            assert open_ended or not unknown, f"{path}:{node.lineno}: {name} has no {sorted(unknown)}"
            starred = any(parameter.star for parameter in row.parameters) or any(
                isinstance(a, ast.Starred) for a in node.args
            )
            assert starred or len(node.args) <= len([p for p in row.parameters if not p.keyword_only]), (
                f"{path}:{node.lineno}: {name}"
            )
            compared += 1
    assert compared > 300
