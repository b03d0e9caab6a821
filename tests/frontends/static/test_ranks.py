"""How many axes values have, as what makes and reads them tells."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources

from archcheck.ir.graph import Value


def counted(sources: Sources, body: str, kind: str) -> int | None:
    """The number of axes of what the first op of a kind gives."""
    (variant,) = sources.read(f"import einops\nimport tensorflow as tf\ndef f(x, w, mask=None):\n    {body}").variants
    assert variant.ranks is not None
    op = next(op for op in variant.graph.ops if op.kind.name == kind)
    return variant.ranks.known.get(Value(op.path))


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("b, n, d = x.shape; return x.softmax(-1)", 3),
        ("y = x.softmax(-1); return y.permute(0, 2, 1)", 3),
        ("y = x.softmax(-1); return y.sum(1).permute(1, 0)", 3),
        ("y = x.softmax(-1); return y.sum(1, keepdim=True).permute(1, 0)", 2),
        ("y = x.softmax(-1); return tf.transpose(tf.reduce_sum(y, [1, 2]), [1, 0])", 4),
        ("y = x.softmax(-1); return einops.repeat((y * x).sum(1), 'b d -> b n d', n=4)", 3),
        ("y = x.softmax(-1); return torch.einsum('bnd,bmd->bnm', y, x)", 3),
        ("y = x.softmax(-1); return F.conv2d(y, w)", 4),
        ("y = x.flatten(2).softmax(-1); return y", 3),
        ("y = x.unsqueeze(1).softmax(-1); return y.permute(0, 3, 1, 2)", 4),
        ("y = x[:, 0].softmax(-1); return y.permute(1, 0)", 2),
        ("y = x.view(2, -1, 8).softmax(-1); return y", 3),
        ("y = (torch.stack([x, x]).permute(0, 1, 2)[0]).softmax(-1); return y", 2),
        ("y = torch.matmul(x.permute(0, 2, 1), x).softmax(-1); return y", 3),
        ("y = x.softmax(-1); return y", None),
        ("y = (x + w).softmax(-1); b, n = x.shape; return y", None),  # `w` may have more
        ("y = x.squeeze(1).softmax(-1); b, n, d = x.shape; return y", None),  # only an axis of one entry goes
        ("y = x.view(*w.shape[:2], 8).softmax(-1); return y", None),
        ("y = x.softmax(-1); a, b = x.shape; a, b, c = y.shape; return y", None),  # what cannot be tells nothing
    ],
)
def test_ranks_follow_from_both_sides(sources: Sources, body: str, count: int | None) -> None:
    assert counted(sources, body, "softmax") == count
