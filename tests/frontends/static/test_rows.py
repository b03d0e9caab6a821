from __future__ import annotations

import pytest
from evaluator_sources import Sources

from archcheck.frontends.dialects.table import parameters
from archcheck.frontends.static.opens import Open
from archcheck.frontends.static.rows import _joined_sizes
from archcheck.frontends.static.signatures import bind


def test_keywords_that_a_row_does_not_list_go_to_its_double_starred_parameter() -> None:
    listed = parameters("tensor!, pattern, **sizes")
    assert bind(listed, ["x", "b (h d) -> b h d"], {"h": 8, "d": 64}) == {
        "tensor": "x",
        "pattern": "b (h d) -> b h d",
        "sizes": (("h", 8), ("d", 64)),
    }


def test_lists_of_sizes_are_joined_and_one_that_is_not_known_stays_one_entry() -> None:
    leading = Open("the shape of a tensor[:-1]", metadata=True)
    assert _joined_sizes({"values": [leading, [8, -1]], "axis": 0}) == [leading, 8, -1]


def test_what_is_no_list_of_sizes_is_not_joined() -> None:
    assert _joined_sizes({"values": [Open("what it is")], "axis": 0}) is None
    assert _joined_sizes({"values": [[1], [2]], "axis": 1}) is None
    assert _joined_sizes({"values": 3, "axis": 0}) is None


def test_a_layout_of_numbers_alone_is_no_op(sources: Sources) -> None:
    text = """
    def f(x):
        low, high = torch.broadcast_tensors(0.0, 1.0)
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return y * low + high
    """
    kinds = [op.kind.name for op in sources.read(text).variants[0].graph.walk()]
    assert "expand" not in kinds


@pytest.mark.parametrize("joined", ["torch.cat(x.chunk(n), 1)", "torch.stack(x.unbind(0))", "torch.concat(x.split(n))"])
def test_parts_of_a_number_that_is_not_known_are_not_joined_as_if_there_were_one(sources: Sources, joined: str) -> None:
    [variant] = sources.read(f"def f(x, n):\n    return {joined}").variants
    assert variant.graph.ops[-1].kind.name == "opaque"
    assert [one.why for one in variant.unread] == ["how many tensors it joins is not known"]


@pytest.mark.parametrize(
    "call", ["F.conv2d({}, w)", "torch.matmul({}, w)", "tf.nn.conv2d({}, w, [1, 1, 1, 1], 'SAME')"]
)
@pytest.mark.parametrize(("given", "why"), [("None", "it is None"), ("unknown.part", "unknown.part")])
def test_an_operand_that_is_missing_is_not_passed_over(sources: Sources, call: str, given: str, why: str) -> None:
    """A convolution of its weight alone is none."""
    [variant] = sources.read(
        f"import unknown\nimport tensorflow as tf\ndef f(x, w):\n    return {call.format(given)}"
    ).variants
    last = variant.graph.ops[-1]
    first = next(op for op in variant.graph.ops if op.path == last.reads[0].op)
    assert first.kind.name == "opaque"
    assert why in str(first.attr("why"))
    assert last.reads[1].op in {op.path for op in variant.graph.ops if op.attr("name") == "w"}
