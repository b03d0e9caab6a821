"""tensor2tensor's base class of models: which of a model's methods holds its body, by release."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect

TENSOR2TENSOR = Dialect(
    name="tensor2tensor",
    # model_fn_body until 1.2.9, body from 1.3.0 on
    bases={"tensor2tensor.utils.t2t_model.T2TModel": ("body", "model_fn_body")},
)
