"""Names are found in any spelling, and only where a dialect lists them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from archcheck.frontends import dialects


@pytest.mark.parametrize(
    ("spelled", "listed"),
    [
        ("torch.nn.modules.linear.Linear", "torch.nn.Linear"),
        ("torch.nn.modules.Linear", "torch.nn.Linear"),
        ("torch._C._nn.gelu", "torch.nn.functional.gelu"),
        ("torch.functional.einsum", "torch.einsum"),
        ("torch.nn.parameter.Parameter", "torch.nn.Parameter"),
        ("tensorflow.compat.v1.nn.relu", "tensorflow.nn.relu"),
        ("tensorflow.math.reduce_sum", "tensorflow.reduce_sum"),
        ("tensorflow.compat.v1.math.add", "tensorflow.add"),
        ("tensorflow.keras.layers.Dense", "keras.layers.Dense"),
        ("tensorflow.compat.v1.layers.Dense", "keras.layers.Dense"),
        ("tf_keras.layers.Dense", "keras.layers.Dense"),
        ("keras.src.layers.Layer", "keras.Layer"),
        ("keras.backend.softmax", "keras.ops.softmax"),
        ("apex.normalization.fused_layer_norm.FusedLayerNorm", "apex.normalization.FusedLayerNorm"),
        ("some.package.Linear", "some.package.Linear"),
    ],
)
def test_canonical(spelled: str, listed: str) -> None:
    assert dialects.canonical(spelled) == listed


def test_tensorflow_dropout_keeps_its_release() -> None:
    """The second argument means the opposite in release 2, so the prefix must not be lost."""
    sources = {
        f.source
        for name in ("tensorflow.nn.dropout", "tensorflow.compat.v1.nn.dropout", "tensorflow.compat.v2.nn.dropout")
        if (f := dialects.formula(name))
    }
    assert len(sources) == 3
    assert dialects.canonical("tensorflow.compat.v1.nn.dropout") == "tensorflow.compat.v1.nn.dropout"


def test_rows() -> None:
    linear = dialects.layer("torch.nn.modules.linear.Linear")
    assert linear is not None
    assert linear.kind == "linear"
    assert [parameter.name for parameter in linear.init_parameters][:3] == ["in_features", "out_features", "bias"]
    gelu = dialects.function("torch.nn.functional.gelu")
    assert gelu is not None
    assert gelu.attrs == {"approximate": "approximate"}
    assert dialects.function("torch.Tensor.view") is dialects.method("view")
    assert dialects.function("torch.no_such_name") is None
    assert dialects.function("other.relu") is None
    assert dialects.layer("torch.nn.Transformer") is None  # read from its source


def test_in_place_methods_rebind_the_tensor() -> None:
    for name in ("add_", "mul_", "relu_", "masked_fill_", "zero_"):
        row = dialects.method(name)
        assert row is not None, name
        assert row.inplace, name
    plain = dialects.method("add")
    assert plain is not None
    assert not plain.inplace


def test_dropout_is_switched_by_training() -> None:
    row = dialects.function("torch.nn.functional.dropout")
    assert row is not None
    assert row.active == "training"


def test_bases_containers_metadata() -> None:
    assert dialects.base_methods("torch.nn.modules.module.Module") == ("forward",)
    assert dialects.base_methods("tensorflow.keras.layers.Layer") == ("call",)
    assert dialects.base_methods("object") is None
    assert dialects.container("torch.nn.modules.container.ModuleDict") == "mapping"
    assert dialects.container("torch.nn.Linear") is None
    assert dialects.is_metadata("shape")
    assert dialects.is_metadata("get_shape")
    assert not dialects.is_metadata("mean")
    assert dialects.keyword("axis") == ("dim",)


def test_ignored_names_compute_nothing() -> None:
    assert dialects.is_ignored("warnings.warn")
    assert dialects.is_ignored("torch._check")
    assert dialects.is_ignored("tensorflow.compat.v1.variable_scope")
    assert not dialects.is_ignored("torch.utils.checkpoint.checkpoint")
    assert not dialects.is_ignored("torch.nn.Linear")
    assert not dialects.is_ignored("tensorflow.get_variable")


def test_known() -> None:
    assert dialects.known("torch.nn.Module")
    assert dialects.known("torch.var")  # a formula
    assert dialects.known("logging.getLogger")
    assert not dialects.known("torch.nn.no_such_layer")


def test_an_activation_that_is_named_by_a_string_is_a_function() -> None:
    for name, kind in (("relu", None), ("swish", "silu"), ("gelu", "gelu"), ("linear", "identity")):
        qualified = dialects.activation(name)
        assert dialects.known(qualified)
        if kind is not None:
            row = dialects.function(qualified)
            assert row is not None
            assert row.kind == kind


def test_properties() -> None:
    row = dialects.property_row("mT")
    assert row is not None
    assert row.kind == "permute"
    assert dialects.property_row("shape") is None


def test_importing_builds_no_table_and_loads_no_framework() -> None:
    code = (
        "import sys; import archcheck.frontends.dialects; "
        "frameworks = {'torch', 'tensorflow', 'keras', 'numpy', 'einops', 'transformers'}; "
        "print([m for m in sys.modules if m.partition('.')[0] in frameworks], "
        "[m for m in sys.modules if m.startswith('archcheck.frontends.dialects.') and not m.endswith('.table')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_no_dialect_hides_what_another_one_spells() -> None:
    """`x.max(1)` of PyTorch gives two tensors, which no row of another framework's arrays says."""
    torch, jax = (next(one for one in dialects.DIALECTS if one.name == name) for name in ("torch", "jax"))
    spelled = set(torch.method_formulas) - set(torch.methods)
    assert {"max", "min", "var", "std"} <= spelled & set(jax.methods)
    assert [name for name in spelled if dialects.method(name) is not None] == []
    assert [name for name in jax.methods if dialects.method(name, "jax") is not jax.methods[name]] == []
