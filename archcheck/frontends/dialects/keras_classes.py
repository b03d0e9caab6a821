"""Keras classes whose insides code that extends them uses, spelled in Python; evaluated like code that was read.

Names of attributes and methods are those of keras 3.15 and of tf_keras, where subclasses call or replace them.
"""

from __future__ import annotations

_EINSUM_DENSE = """
class EinsumDense(keras.Layer):
    def __init__(self, equation, output_shape, activation=None, bias_axes=None, **kwargs):
        super().__init__(**kwargs)
        self.equation = equation
        self.partial_output_shape = output_shape
        self.bias_axes = bias_axes
        self.activation = keras.activations.get(activation)

    def build(self, input_shape=None):
        self.kernel = self.add_weight(name="kernel", shape=self._kernel_shape(input_shape))
        self.bias = self.add_weight(name="bias", shape=self._bias_shape()) if self.bias_axes else None

    def _kernel_shape(self, input_shape):
        given, _, kernel = self.equation.replace("...", "").partition("->")[0].partition(",")
        known = self._known_sizes()
        if input_shape is not None:
            known.update({letter: input_shape[given.index(letter) - len(given)] for letter in kernel if letter in given})
        return tuple(known.get(letter) for letter in kernel)

    def _bias_shape(self):
        result = self.equation.replace("...", "").partition("->")[2]
        first = min(result.index(letter) for letter in self.bias_axes)
        known = self._known_sizes()
        return tuple(known.get(letter) if letter in self.bias_axes else 1 for letter in result[first:])

    def _known_sizes(self):
        result = self.equation.replace("...", "").partition("->")[2]
        sizes = self.partial_output_shape
        if not isinstance(sizes, (tuple, list)):
            sizes = (sizes,)
        return dict(zip(result[::-1], sizes[::-1]))

    def call(self, inputs, training=None):
        x = keras.ops.einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            x = x + self.bias
        if self.activation is not None:
            x = self.activation(x)
        return x
"""

# query [b, t, n, h], key and value [b, s, n, h], scores [b, n, t, s]
_MULTI_HEAD_ATTENTION = """
class MultiHeadAttention(keras.Layer):
    def __init__(self, num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=True, output_shape=None, **kwargs):
        super().__init__()
        self._num_heads = num_heads
        self._key_dim = key_dim
        self._value_dim = value_dim if value_dim else key_dim
        self._dropout = self._dropout_rate = dropout
        self._use_bias = use_bias
        self._output_shape = output_shape
        self._attention_axes = (1,)
        self._inverse_sqrt_key_dim = 1.0 / key_dim**0.5
        self._kernel_initializer = self._bias_initializer = None
        self._kernel_regularizer = self._bias_regularizer = None
        self._kernel_constraint = self._bias_constraint = None
        self._built_from_signature = False

    def build(self, query_shape=None, value_shape=None, key_shape=None):
        if not self._built_from_signature:
            self._build_from_signature(query_shape, query_shape, query_shape)

    def _build_from_signature(self, query=None, value=None, key=None):
        self._build_layers(query)

    def _build_layers(self, query):
        self._built_from_signature = True
        if query is not None and self._output_shape is None:
            self._output_shape = getattr(query, "shape", query)[-1]
        bias = "de" if self._use_bias else None
        self._query_dense = self._projection(self._key_dim, bias, "query")
        self._key_dense = self._projection(self._key_dim, bias, "key")
        self._value_dense = self._projection(self._value_dim, bias, "value")
        self._build_attention(4)
        self._output_dense = self._make_output_dense(3, {}, "attention_output")

    def _projection(self, width, bias, name):
        return keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, self._num_heads, width), bias_axes=bias, name=name)

    def _get_common_kwargs_for_sublayer(self):
        return {}

    def _make_output_dense(self, free_dims, common_kwargs, name=None):
        return keras.layers.EinsumDense("abcd,cde->abe", output_shape=(None, self._output_shape), bias_axes="e" if self._use_bias else None, name=name)

    def _build_attention(self, rank):
        self._dot_product_equation = "aecd,abcd->acbe"
        self._combine_equation = "acbe,aecd->abcd"
        self._softmax = keras.layers.Softmax(axis=-1)
        self._dropout_layer = keras.layers.Dropout(self._dropout)

    def _masked_softmax(self, attention_scores, attention_mask=None):
        return self._softmax(attention_scores, attention_mask)

    def _compute_attention_mask(self, query, value, *args, attention_mask=None, **kwargs):
        return attention_mask

    def _compute_causal_mask(self, query, value=None):
        return keras.ops.tril(keras.ops.ones((1, query.shape[1], query.shape[1])))

    def _compute_attention(self, query, key, value, attention_mask=None, training=None, return_attention_scores=False):
        query = keras.ops.multiply(query, 1.0 / self._key_dim**0.5)
        attention_scores = keras.ops.einsum(self._dot_product_equation, key, query)
        attention_scores = self._masked_softmax(attention_scores, attention_mask)
        dropped = self._dropout_layer(attention_scores, training=training)
        attention_output = keras.ops.einsum(self._combine_equation, dropped, value)
        return attention_output, attention_scores

    def call(self, query, value, key=None, query_mask=None, value_mask=None, key_mask=None, attention_mask=None, return_attention_scores=False, training=None, use_causal_mask=False):
        if not self._built_from_signature:
            self._build_from_signature(query, value, key)
        if key is None:
            key = value
        query = self._query_dense(query)
        key = self._key_dense(key)
        value = self._value_dense(value)
        attention_output, attention_scores = self._compute_attention(query, key, value, attention_mask, training)
        attention_output = self._output_dense(attention_output)
        if return_attention_scores:
            return attention_output, attention_scores
        return attention_output
"""

_REVERSIBLE_EMBEDDING = """
class ReversibleEmbedding(keras.Layer):
    def __init__(self, input_dim, output_dim, tie_weights=True, embeddings_initializer="uniform", reverse_dtype=None, logit_soft_cap=None, **kwargs):
        super().__init__()
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.tie_weights = tie_weights
        self.logit_soft_cap = logit_soft_cap
        self.table = keras.layers.Embedding(input_dim, output_dim)
        if not tie_weights:
            self.head = keras.layers.Dense(input_dim, use_bias=False)

    def call(self, inputs, reverse=False):
        if not reverse:
            return self.table(inputs)
        if self.tie_weights:
            logits = keras.ops.matmul(inputs, keras.ops.transpose(self.table.embeddings))
        else:
            logits = self.head(inputs)
        if self.logit_soft_cap is not None:
            logits = keras.ops.tanh(logits / self.logit_soft_cap) * self.logit_soft_cap
        return logits
"""

CLASSES: dict[str, str] = {
    "keras.layers.EinsumDense": _EINSUM_DENSE,
    "keras.layers.MultiHeadAttention": _MULTI_HEAD_ATTENTION,
    "keras.layers.ReversibleEmbedding": _REVERSIBLE_EMBEDDING,
}
