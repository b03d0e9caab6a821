"""JAX: functions of arrays, transforms of functions, and the methods that arrays have."""

from __future__ import annotations

from archcheck.frontends.dialects.jax_formulas import FORMULAS, METHOD_FORMULAS
from archcheck.frontends.dialects.jax_functions import FUNCTIONS, METHODS
from archcheck.frontends.dialects.table import Dialect, Row

# `x.at[index].set(y)`: a copy of an array with a part replaced
_AT = """
class At:
    def __init__(self, array, index=None):
        self.array = array
        self.index = index

    def __getitem__(self, index):
        return jax.Array.At(self.array, index)

    def get(self, **kwargs):
        return self.array[self.index]

    def set(self, values, **kwargs):
        return op.update(self.array, values if isinstance(values, jax.Array) else op.constant(value=values), index=self.index)

    def _changed(self, values):
        return op.update(self.array, values, index=self.index)

    def add(self, values, **kwargs):
        return self._changed(self.array[self.index] + values)

    def multiply(self, values, **kwargs):
        return self._changed(self.array[self.index] * values)

    mul = multiply

    def divide(self, values, **kwargs):
        return self._changed(self.array[self.index] / values)

    def power(self, values, **kwargs):
        return self._changed(self.array[self.index] ** values)

    def max(self, values, **kwargs):
        return self._changed(op.maximum(self.array[self.index], values))

    def min(self, values, **kwargs):
        return self._changed(op.minimum(self.array[self.index], values))
"""

JAX = Dialect(
    name="jax",
    transparent=("jax.jit", "jax.checkpoint", "jax.remat", "jax.named_call", "jax.named_scope", "jax.default_matmul_precision", "jax.pmap", "jax.tree_util.register", "jax.custom_jvp", "jax.custom_vjp"),
    functions=FUNCTIONS,
    formulas=FORMULAS,
    methods=METHODS,
    method_formulas=METHOD_FORMULAS,
    properties={"T": Row("permute", "self!", const={"axes": "reversed"}), "mT": Row("permute", "self!", const={"axis": -2, "other_axis": -1})},
    classes={"jax.Array.At": _AT},
    aliases={
        "jax.np.": "jax.numpy.",
        "jax.scipy.special.expit": "jax.nn.sigmoid",
        "jax.scipy.special.logsumexp": "jax.nn.logsumexp",
        "jax.scipy.special.erf": "jax.lax.erf",
        "jax.nn.functions.": "jax.nn.",
        "jax.numpy.ndarray": "jax.Array",
        "jax.tree_map": "jax.tree.map",
        "jax.tree_util.tree_map": "jax.tree.map",
        "jax.interpreters.pxla.": "jax.",
        "jax.interpreters.": "jax.",
    },
    ignored=("chex.assert_", "jax.debug.", "jax.config.", "jax.profiler.", "jax.ensure_compile_time_eval", "jax.monitoring."),
    metadata=frozenset({"shape", "dtype", "ndim", "sharding", "nbytes", "itemsize", "device", "weak_type"}),
    readable=(),
)  # fmt: skip
