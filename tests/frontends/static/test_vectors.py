"""Numbers that constructors compute with tensors, and parts of tensors of which it is known how many there are."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources, ops


def built(sources: Sources, expression: str) -> str:
    """The features of the layers that a constructor makes of a list of numbers."""
    text = f"""
        import math

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList(nn.Linear(4, int(width)) for width in {expression})

            def forward(self, x):
                return torch.cat([layer(x) for layer in self.layers], -1)
        """
    [variant] = sources.read(text, "Model").variants
    assert variant.error == ""
    return " ".join(str(op.attr("out_features")) for op in variant.graph.ops if op.kind.name == "linear")


@pytest.mark.parametrize(
    ("expression", "widths"),
    [
        ("(torch.arange(3, dtype=torch.float32) * 8 + 24).tolist()", "24 32 40"),
        ("torch.round(24 * torch.pow(2.5, torch.arange(3))).int().tolist()", "24 60 150"),
        ("torch.round(torch.log(torch.tensor([1.0, 20.0])) / math.log(2.0)).add(1).tolist()", "1 5"),
        ("torch.unique(torch.tensor([8, 4, 8, 8], device='cpu')).tolist()", "4 8"),
        ("torch.unique(torch.tensor([8, 4, 8, 8]), return_counts=True)[1].tolist()", "1 3"),
        ("[len(torch.unique(torch.tensor([8, 4, 8]))), torch.tensor([3, 5]).max().item()]", "2 5"),
        ("[int(torch.arange(2, 10, 3).sum())]", "15"),
    ],
)
def test_constructors_compute_with_vectors(sources: Sources, expression: str, widths: str) -> None:
    assert built(sources, expression) == widths


@pytest.mark.parametrize(
    "expression",
    [
        "torch.log(torch.tensor([0.0])).tolist()",
        "torch.pow(10.0, torch.tensor([400])).tolist()",
        "torch.rand(2).tolist()",
    ],
)
def test_what_is_no_number_is_not_known(sources: Sources, expression: str) -> None:
    assert "Unknown" in built(sources, expression)


def test_a_call_records_what_it_computes(sources: Sources) -> None:
    found = sources.computes("def f(x):\n    return x * torch.round(torch.arange(3) * 2.5)")
    assert [line.split()[2] for line in found.splitlines()] == ["constant", "mul", "round", "mul"]


@pytest.mark.parametrize("cut", ["torch.split(y, 4, 1)", "y.split(4, dim=1)", "y.chunk(3, 1)"])
def test_parts_are_counted_from_the_end_where_a_layer_tells_how_many_there_are(sources: Sources, cut: str) -> None:
    text = f"""
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.norm = nn.Conv2d(3, 10, 1), nn.BatchNorm2d(10)

            def forward(self, x):
                y = torch.relu(self.norm(self.conv(x)))
                parts = {cut}
                return torch.cat([parts[-1], *parts[:-1]], 1)
        """
    assert sources.computes(text, "Model").splitlines()[-1] == "%5 = concat %4.2, %4, %4.1 axis=1"


def test_all_parts_are_read(sources: Sources) -> None:
    assert sources.computes("def f(x):\n    return torch.cat(x.chunk(2), 1)").splitlines()[-1] == (
        "%2 = concat %1, %1.1 axis=1"
    )
    grid = "def f(x):\n    return x + torch.stack(torch.meshgrid([torch.arange(2), torch.arange(3)], indexing='ij'))"
    assert "%4 = stack %3, %3.1" in sources.computes(grid)


def test_parts_whose_number_is_not_known_have_no_last_one(sources: Sources) -> None:
    [variant] = sources.read("def f(x):\n    return torch.relu(torch.split(x, 4)[-1])").variants
    assert "relu" not in ops(variant) or "opaque" in ops(variant)


NORM = """
    class Norm(nn.BatchNorm2d):
        def forward(self, x):
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = Norm(8)
            self.mean = nn.Parameter(torch.zeros(8))
            self.register_buffer("counted", torch.ones(8))

        def forward(self, x):
            return {result}
    """


@pytest.mark.parametrize(
    ("result", "reads"),
    [
        ("self.norm(x)", 3),
        ("F.batch_norm(x, self.counted, self.counted)", 1),
        ("F.batch_norm(x, self.mean, self.counted)", 2),
        ("F.batch_norm(x, x.mean((0, 2, 3)), self.counted)", 2),
    ],
)
def test_what_a_norm_counts_is_no_operand(sources: Sources, result: str, reads: int) -> None:
    [variant] = sources.read(NORM.format(result=result), "Model").variants
    [op] = [op for op in variant.graph.ops if op.kind.name == "batch_norm"]
    assert len(op.reads) == reads
