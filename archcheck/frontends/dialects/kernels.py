"""Compiled kernels and library idioms that model code calls: their sources are CUDA, or say less than their names."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect, Formula, LayerRow, Row
from archcheck.ir.graph import AttrValue

_FLASH = "dropout_p=0.0, softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0, alibi_slopes=None!, deterministic=False, return_attn_probs=False"
_FLASH_ATTRS = {"dropout": "dropout_p", "scale": "softmax_scale", "causal": "causal", "softcap": "softcap"}
_PLAIN = ("return_attn_probs",)
_DENSE: dict[str, AttrValue] = {"layout": "b s h d"}
_PACKED: dict[str, AttrValue] = {"layout": "t h d"}
_NORM = {"dim": "normalized_shape", "eps": "eps", "elementwise_affine": "elementwise_affine"}
_WEIGHTED = ("weight", "bias")

_FUNCTIONS: dict[str, Row] = {
    "flash_attn.flash_attn_func": Row("attention", f"q!, k!, v!, {_FLASH}", _FLASH_ATTRS, _DENSE, plain=(*_PLAIN, "window_size")),
    "flash_attn.flash_attn_varlen_func": Row("attention", f"q!, k!, v!, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, {_FLASH}, block_table=None", _FLASH_ATTRS, _PACKED, plain=(*_PLAIN, "window_size")),
    "flash_attn.flash_attn_with_kvcache": Row("attention", "q!, k_cache!, v_cache!, k=None!, v=None!, rotary_cos=None, rotary_sin=None, cache_seqlens=None, cache_batch_idx=None, cache_leftpad=None, block_table=None, softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0, rotary_interleaved=True, alibi_slopes=None, num_splits=0, return_softmax_lse=False", {"scale": "softmax_scale", "causal": "causal", "softcap": "softcap"}, _DENSE, plain=("rotary_cos", "rotary_sin", "return_softmax_lse", "window_size", "alibi_slopes", "k", "v")),
    "flash_attn.ops.rms_norm.rms_norm": Row("rms_norm", "x!, weight!, epsilon", {"eps": "epsilon"}),
    "flash_attn.layers.rotary.apply_rotary_emb": Row("rope", "x!, cos!, sin!, interleaved=False, inplace=False, seqlen_offsets=0, cu_seqlens=None, max_seqlen=None", {"interleaved": "interleaved"}),
    "xformers.ops.memory_efficient_attention": Row("attention", "query!, key!, value!, attn_bias=None!, p=0.0, scale=None, *, op=None, output_dtype=None", {"dropout": "p", "scale": "scale"}, _DENSE),
    # keyword arguments reach one of the kernels above
    "transformers.modeling_flash_attention_utils._flash_attention_forward": Row("attention", "query_states!, key_states!, value_states!, attention_mask!, query_length, is_causal, dropout=0.0, position_ids=None, softmax_scale=None, sliding_window=None, use_top_left_mask=False, softcap=None, deterministic=None, cu_seq_lens_q=None, cu_seq_lens_k=None, max_length_q=None, max_length_k=None, target_dtype=None, attn_implementation=None, block_table=None, k_cache=None, v_cache=None, **kwargs", {"dropout": "dropout", "causal": "is_causal", "scale": "softmax_scale", "window": "sliding_window", "softcap": "softcap"}, _DENSE),
    "mamba_ssm.ops.selective_scan_interface.selective_scan_fn": Row("selective_scan", "u!, delta!, A!, B!, C!, D=None!, z=None!, delta_bias=None!, delta_softplus=False, return_last_state=False", plain=("return_last_state",)),
    "mamba_ssm.ops.triton.ssd_combined.mamba_chunk_scan_combined": Row("selective_scan", "x!, dt!, A!, B!, C!, chunk_size, D=None!, z=None!, dt_bias=None!, initial_states=None!, seq_idx=None, cu_seqlens=None, dt_softplus=False, dt_limit=(0.0, 0.0), return_final_states=False, return_varlen_states=False", plain=("return_final_states", "return_varlen_states")),
    "torchvision.ops.stochastic_depth": Row("stochastic_depth", "input!, p, mode, training=True", {"p": "p"}, active="training"),
}  # fmt: skip

# transformers' table of activations: where the library is not at hand, code that uses it is read all the same
_ACT2FN: dict[str, Row] = {
    **{name: Row(kind, "input!") for name, kind in {"linear": "identity", "relu": "relu", "relu6": "relu6", "silu": "silu", "swish": "silu", "tanh": "tanh", "sigmoid": "sigmoid", "mish": "mish", "quick_gelu": "quick_gelu", "hardswish": "hard_swish"}.items()},
    **{name: Row("gelu", "input!", const={"approximate": "none"}) for name in ("gelu", "gelu_python")},
    **{name: Row("gelu", "input!", const={"approximate": "tanh"}) for name in ("gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_accurate", "gelu_python_tanh")},
    "leaky_relu": Row("leaky_relu", "input!", const={"slope": 0.01}),
}
_FUNCTIONS |= {f"transformers.activations.ACT2FN.{name}": row for name, row in _ACT2FN.items()}

# Bases of transformers' models and configurations, as far as code that extends them relies on them.
_CLASSES: dict[str, str] = {
    "transformers.modeling_utils.PreTrainedModel": """
class PreTrainedModel(torch.nn.Module):
    def __init__(self, config, *inputs, **kwargs):
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False

    @property
    def dtype(self):
        return unknown("the dtype of a model")

    @property
    def device(self):
        return unknown("the device of a model")

    def post_init(self):
        pass

    def init_weights(self):
        pass

    def get_head_mask(self, head_mask, num_hidden_layers, is_attention_chunked=False):
        return [None] * num_hidden_layers if head_mask is None else head_mask

    def get_extended_attention_mask(self, attention_mask, input_shape, device=None, dtype=None):
        return (1.0 - attention_mask[:, None, None, :]) * -10000.0

    def invert_attention_mask(self, encoder_attention_mask):
        return (1.0 - encoder_attention_mask[:, None, None, :]) * -10000.0
""",
    "transformers.configuration_utils.PreTrainedConfig": """
class PreTrainedConfig:
    def __init__(self, **kwargs):
        self.output_attentions = self.output_hidden_states = False
        self.return_dict = self.use_return_dict = True
        self.use_cache = self.tie_word_embeddings = True
        self.is_decoder = self.is_encoder_decoder = self.add_cross_attention = False
        self.chunk_size_feed_forward = 0
        self._attn_implementation = "eager"
        for name, value in kwargs.items():
            setattr(self, name, value)
""",
}

_LAYERS: dict[str, LayerRow] = {
    # a linear map whose weight is kept [in, out]
    "transformers.pytorch_utils.Conv1D": LayerRow("linear", "nf, nx", "x!", {"in_features": "nx", "out_features": "nf"}, {"bias": True}, _WEIGHTED),
    "apex.normalization.FusedLayerNorm": LayerRow("layer_norm", "normalized_shape, eps=1e-05, elementwise_affine=True, memory_efficient=False", attrs=_NORM, weights=_WEIGHTED),
    "apex.normalization.MixedFusedLayerNorm": LayerRow("layer_norm", "normalized_shape, eps=1e-05, *, memory_efficient=False, **kwargs", attrs={"dim": "normalized_shape", "eps": "eps"}, weights=_WEIGHTED),
    "apex.normalization.FusedRMSNorm": LayerRow("rms_norm", "normalized_shape, eps=1e-05, elementwise_affine=True, memory_efficient=False", attrs=_NORM, weights=("weight",)),
    "apex.normalization.MixedFusedRMSNorm": LayerRow("rms_norm", "normalized_shape, eps=1e-05, *, memory_efficient=False, **kwargs", attrs={"dim": "normalized_shape", "eps": "eps"}, weights=("weight",)),
    "apex.contrib.layer_norm.FastLayerNorm": LayerRow("layer_norm", "hidden_size, eps=1e-05", "x!", {"dim": "hidden_size", "eps": "eps"}, weights=_WEIGHTED),
    "flash_attn.ops.rms_norm.RMSNorm": LayerRow("rms_norm", "hidden_size, eps=1e-05, dropout_p=0.0, device=None, dtype=None", "x!", {"dim": "hidden_size", "eps": "eps"}, weights=("weight",)),
    "flash_attn.ops.triton.layer_norm.RMSNorm": LayerRow("rms_norm", "hidden_size, eps=1e-05, dropout_p=0.0, zero_centered_weight=False, device=None, dtype=None", "x!, residual=None, prenorm=False, residual_in_fp32=False", {"dim": "hidden_size", "eps": "eps"}, weights=("weight",), plain=("dropout_p", "residual", "prenorm", "zero_centered_weight")),
    "xformers.ops.RMSNorm": LayerRow("rms_norm", "dim, include_weight=True, eps=1e-05", "x!", {"dim": "dim", "eps": "eps", "elementwise_affine": "include_weight"}, weights=("weight",)),
    "torchvision.ops.StochasticDepth": LayerRow("stochastic_depth", "p, mode", attrs={"p": "p"}),
    "torchvision.ops.FrozenBatchNorm2d": LayerRow("batch_norm", "num_features, eps=1e-05", "x!", {"dim": "num_features", "eps": "eps"}, weights=("weight", "bias", "running_mean", "running_var")),
    "torchvision.ops.Permute": LayerRow("permute", "dims", "x!", {"axes": "dims"}),
}  # fmt: skip

_DECORATED = "lambda *args, **kwargs: (lambda found: found)"
# window_size counts keys to the left and to the right of a query; -1 is no bound
_WINDOW = "window=window_size[0] + 1 if window_size[0] != -1 else None"
_FLASH_CALL = f"dropout_p=0.0, softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0, alibi_slopes=None, deterministic=False, return_attn_probs=False: op.attention({{reads}}, dropout=dropout_p, scale=softmax_scale, causal=causal, softcap=softcap, {_WINDOW}, layout='{{layout}}')"
_FORMULAS: dict[str, str] = {
    "flash_attn.flash_attn_func": "lambda q, k, v, " + _FLASH_CALL.format(reads="q, k, v", layout="b s h d"),
    "flash_attn.flash_attn_qkvpacked_func": "lambda qkv, " + _FLASH_CALL.format(reads="qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]", layout="b s h d"),
    "flash_attn.flash_attn_kvpacked_func": "lambda q, kv, " + _FLASH_CALL.format(reads="q, kv[:, :, 0], kv[:, :, 1]", layout="b s h d"),
    "flash_attn.flash_attn_varlen_func": "lambda q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, " + _FLASH_CALL.format(reads="q, k, v", layout="t h d"),
    "flash_attn.flash_attn_varlen_qkvpacked_func": "lambda qkv, cu_seqlens, max_seqlen, " + _FLASH_CALL.format(reads="qkv[:, 0], qkv[:, 1], qkv[:, 2]", layout="t h d"),
    "flash_attn.flash_attn_varlen_kvpacked_func": "lambda q, kv, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, " + _FLASH_CALL.format(reads="q, kv[:, 0], kv[:, 1]", layout="t h d"),
    # depthwise over time, each position from those before it
    "causal_conv1d.causal_conv1d_fn": "lambda x, weight, bias=None, seq_idx=None, initial_states=None, return_final_states=False, final_states_out=None, activation=None: (lambda found: found if activation is None else op.silu(found))(op.conv(x, weight, bias, axes=1, groups=x.shape[1], padding='causal'))",
    "transformers.activations.ACT2FN.relu2": "lambda input: torch.square(torch.relu(input))",
    "transformers.activations.get_activation": "lambda activation_string: transformers.activations.ACT2FN[activation_string]",
    **{
        f"transformers.integrations.{module}{name}": _DECORATED
        for module in ("", "hub_kernels.")
        for name in ("use_kernel_forward_from_hub", "use_kernelized_func", "use_kernel_func_from_hub", "use_kernel_func_from_hub_with_fallback")
    },
}  # fmt: skip

# The class of all configurations, as release 5 and those before call it.
_CONFIGS = ("transformers.configuration_utils.PreTrainedConfig", "transformers.configuration_utils.PretrainedConfig")

KERNELS = Dialect(
    name="kernels",
    transparent=(
        # documentation, output classes, hidden-state capture, kernels that compute the same
        "transformers.utils.auto_docstring.", "transformers.utils.doc.", "transformers.utils.deprecation.", "transformers.utils.import_utils.", "transformers.utils.generic.can_return_tuple",
        "transformers.utils.generic.check_model_inputs", "transformers.utils.generic.filter_output_hidden_states",
        "transformers.utils.generic.accepts_precomputed_kwargs", "transformers.integrations.hub_kernels.", "transformers.integrations.accelerate.",
        "transformers.integrations.moe.use_experts_implementation", "transformers.modeling_rope_utils.dynamic_rope_update", "transformers.initialization.", "transformers.pytorch_utils.compile_compatible_method_lru_cache",
        "apex.amp.",
    ),
    # What runs when a model is whole: initial values, and weights that the configuration ties.
    ties=("transformers.modeling_utils.PreTrainedModel.post_init", "transformers.modeling_utils.PreTrainedModel.init_weights", "transformers.modeling_utils.PreTrainedModel.tie_weights"),
    # Attention and experts spelled out in PyTorch, which every release has; kernels compute the same.
    tied_by=dict.fromkeys(_CONFIGS, "tie_word_embeddings"),
    presets={name: {"_attn_implementation_internal": "eager", "_experts_implementation_internal": "eager"} for name in _CONFIGS},
    # A model is read as one call: nothing of it is kept for another.
    defaults={name: {"use_cache": False} for name in _CONFIGS},
    answers={"transformers.masking_utils.find_packed_sequence_indices": (None, "no sequences are packed into one")},
    functions=_FUNCTIONS,
    layers=_LAYERS,
    classes=_CLASSES,
    aliases={
        "flash_attn.flash_attn_interface.": "flash_attn.",
        "flash_attn_interface.": "flash_attn.",
        "flash_attn.cute.": "flash_attn.",
        "xformers.ops.fmha.": "xformers.ops.",
        "apex.normalization.fused_layer_norm.": "apex.normalization.",
        "apex.contrib.layer_norm.layer_norm.": "apex.contrib.layer_norm.",
        "mamba_ssm.selective_scan_fn": "mamba_ssm.ops.selective_scan_interface.selective_scan_fn",
        "torchvision.ops.misc.": "torchvision.ops.",
        "torchvision.ops.stochastic_depth.": "torchvision.ops.",
        "causal_conv1d.causal_conv1d_interface.": "causal_conv1d.",
        "transformers.PreTrainedModel": "transformers.modeling_utils.PreTrainedModel",
        **dict.fromkeys(("transformers.PretrainedConfig", "transformers.PreTrainedConfig", "transformers.configuration_utils.PretrainedConfig"), "transformers.configuration_utils.PreTrainedConfig"),
        "transformers.modeling_utils.Conv1D": "transformers.pytorch_utils.Conv1D",
    },
    records=("transformers.modeling_outputs.", "transformers.modeling_tf_outputs."),
    ignored=("transformers.utils.logging.", "transformers.utils.deprecation.", "transformers.logging."),
    formulas={name: Formula(source) for name, source in _FORMULAS.items()},
)

_SHAPED = {"shape": "shape"}
NUMPY = Dialect(
    name="numpy",
    readable=(),  # thousands of lines that prepare its compiled core
    functions={
        "numpy.zeros": Row("constant", "shape", _SHAPED, {"value": 0}),
        "numpy.ones": Row("constant", "shape", _SHAPED, {"value": 1}),
        "numpy.full": Row("constant", "shape, fill_value", _SHAPED | {"value": "fill_value"}),
        "numpy.eye": Row("constant", "N, M=None, k=0", {"start": "N", "end": "M"}, {"value": "identity"}),
        "numpy.identity": Row("constant", "n", {"start": "n"}, {"value": "identity"}),
        "numpy.linspace": Row("constant", "start, stop, num=50, endpoint=True", {"start": "start", "end": "stop", "steps": "num"}, {"value": "linspace"}),
    },
    formulas={
        "numpy.array": Formula("lambda object, dtype=None: torch.as_tensor(object) if isinstance(object, torch.Tensor) else torch.tensor(object)"),
        **{f"numpy.{name}": Formula(f"lambda *args, **kwargs: jax.numpy.{name}(*args, **kwargs)") for name in ("einsum", "concatenate", "expand_dims", "reshape", "stack", "zeros_like")},
        **{f"numpy.{name}": Formula(f"lambda *args, **kwargs: jax.numpy.{name}(*args, **kwargs) if any([isinstance(arg, torch.Tensor) for arg in args]) else unknown('numpy.{name} of numbers')") for name in ("minimum", "maximum", "where", "abs")},
        "numpy.arange": Formula("lambda start, stop=None, step=1: op.constant(value='arange', start=0 if stop is None else start, end=start if stop is None else stop, step=step)"),
    },
)
