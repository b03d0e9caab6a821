"""tensor2tensor's base class of models: which of a model's methods holds its body, by release."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect

TENSOR2TENSOR = Dialect(
    name="tensor2tensor",
    # model_fn_body until 1.2.9, body from 1.3.0 on
    transparent=("tensor2tensor.utils.registry.", "tensor2tensor.utils.expert_utils.add_name_scope", "tensor2tensor.utils.expert_utils.add_var_scope"),
    tied_by={"tensor2tensor.utils.t2t_model.T2TModel": "shared_embedding_and_softmax_weights"},
    bases={"tensor2tensor.utils.t2t_model.T2TModel": ("body", "model_fn_body")},
)
