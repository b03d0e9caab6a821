"""Mutants that compute something else of which the paper says nothing: they are not made."""

from __future__ import annotations

NOT_STATED = {  # (source, operator, first line of what was) -> why no claim speaks of it
    ("xie2023/helper", "another activation, built", "nn.ReLU"): "the equations are of any sublayer",
    (
        "touvron2023/by_hand",
        "without a factor",
        "x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight",
    ): "that the norm has a learned scale is in the paper that it cites",
    (
        "vaswani2017/sublayer_connection",
        "skip a call",
        "nn.ModuleList([copy.deepcopy(module) for _ in range(count)])",
    ): "what is registered is no matter of a graph",
    **{
        ("wang2022/number", operator, was): "Figure 2 has a feed-forward, and nothing in it"
        for operator, was in (("another activation, built", "nn.ReLU"), ("call twice", "self.mlp(x)"))
    },
    (
        "vaswani2017/einsum",
        "minus for plus",
        "einsum('bif,fd->bid', hidden, self.w_2) + self.b_2",
    ): "the sign of a learned bias is learned with it",
    ("xiong2020/plain", "call twice", "self.ln_f(x)"): "a norm behind the layers is asked for, and two are there",
    ("xiong2020/plain", "a layer fewer", "range(depth)"): "how many layers there are is not given",
    **{
        (f"transformers/{layer}", "the other branch", "0.0 if not self.training else self.dropout.p"): (
            "the paper gives the rate of dropout, and not that weights of attention are dropped"
        )
        for layer in ("BertLayer", "ElectraLayer")
    },
    **{
        ("transformers/GPT2Block", operator, was): "the report says nothing of dropout, and its authors' code has none"
        for operator, was in (
            ("skip a call", "self.resid_dropout(attn_output)"),
            ("skip a call", "self.dropout(hidden_states)"),
            ("call twice", "self.resid_dropout(attn_output)"),
            ("call twice", "self.dropout(hidden_states)"),
            ("the other branch", "self.attn_dropout.p if self.training else 0.0"),
        )
    },
    (
        "transformers/GPT2Block",
        "the other branch",
        "if using_eager and self.reorder_and_upcast_attn:",
    ): "it computes the same, in single precision",
}
