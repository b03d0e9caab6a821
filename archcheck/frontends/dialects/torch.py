"""PyTorch: its tables joined, and what of its names computes nothing."""

from __future__ import annotations

from archcheck.frontends.dialects.table import Dialect
from archcheck.frontends.dialects.torch_classes import CLASSES
from archcheck.frontends.dialects.torch_formulas import FORMULAS, METHOD_FORMULAS
from archcheck.frontends.dialects.torch_functions import FUNCTIONS
from archcheck.frontends.dialects.torch_nn import LAYERS
from archcheck.frontends.dialects.torch_tensor import METADATA, METHODS, PROPERTIES

_NN_MODULES = "activation adaptive batchnorm channelshuffle container conv distance dropout flatten fold instancenorm linear loss module normalization padding pixelshuffle pooling rnn sparse transformer upsampling"

TORCH = Dialect(
    name="torch",
    functions=FUNCTIONS,
    methods=METHODS,
    layers=LAYERS,
    classes=CLASSES,
    aliases={
        **{f"torch.nn.modules.{module}.": "torch.nn." for module in _NN_MODULES.split()},
        "torch.nn.modules.": "torch.nn.",
        "torch.nn.quantizable.": "torch.nn.",
        "torch._C._nn.": "torch.nn.functional.",
        "torch._C._special.": "torch.special.",
        "torch._C._fft.": "torch.fft.",
        "torch._C._linalg.": "torch.linalg.",
        "torch._VF.": "torch.",
        "torch._C._VariableFunctions.": "torch.",
        "torch.functional.": "torch.",
        "torch.ops.aten.": "torch.",
        "torch.nn.parameter.": "torch.nn.",
        "torch.autograd.function.": "torch.autograd.",
        "torch._tensor.": "torch.",
    },
    bases={
        "torch.nn.Module": ("forward",),
        "torch.nn.Sequential": ("forward",),
        "torch.nn.ModuleList": ("forward",),
        "torch.nn.ModuleDict": ("forward",),
        "torch.jit.ScriptModule": ("forward",),
        "torch.autograd.Function": ("forward",),  # run by its `apply`, with a context before the arguments
    },
    containers={
        "torch.nn.Sequential": "sequential",
        "torch.nn.ModuleList": "sequence",
        "torch.nn.ParameterList": "sequence",
        "torch.nn.ModuleDict": "mapping",
        "torch.nn.ParameterDict": "mapping",
    },
    keeping=frozenset({"torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict"}),
    # torch.utils.checkpoint is not here: it calls the function it is given
    ignored=(
        "torch._check",
        "torch._assert",
        "torch._dynamo.mark_",
        "torch._dynamo.graph_break",
        "torch._dynamo.config",
        "torch._logging.",
        "torch._C._log_api_usage_once",
        "torch._C._jit",
        "torch.autograd.profiler.",
        "torch.backends.",
        "torch.compiler.cudagraph_mark_step_begin",
        "torch.compiler.reset",
        "torch.cuda.empty_cache",
        "torch.cuda.synchronize",
        "torch.cuda.nvtx.",
        "torch.manual_seed",
        "torch.profiler.",
        "torch.random.",
        "torch.set_default_dtype",
        "torch.set_float32_matmul_precision",
        "torch.set_printoptions",
        "torch.testing.",
        "torch.utils.tensorboard.",
        "labml.tracker.",
        "labml.monit.",
        "labml.logger.",
        "logging.",
        "warnings.",
    ),
    readable=("torch.nn.modules.", "torch.nn.functional.", "torch.nn.utils.", "torch.nn.attention.", "torch.distributions.", "labml."),
    metadata=METADATA,
    properties=PROPERTIES,
    formulas=FORMULAS,
    method_formulas=METHOD_FORMULAS,
    transparent=(
        "torch.no_grad", "torch.inference_mode", "torch.enable_grad", "torch.autograd.no_grad", "torch.jit.", "torch._jit_internal.", "torch.compile", "torch.compiler.", "torch._dynamo.", "torch._disable_dynamo",
        "torch.autocast", "torch.amp.", "torch.cuda.amp.", "torch.autograd.function.once_differentiable", "torch.fx.wrap", "torch.library.", "torch.overrides.", "torch.utils._python_dispatch.", "torch.serialization.",
    ),
    tensor="torch.Tensor.",
    keywords={"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"},
)
