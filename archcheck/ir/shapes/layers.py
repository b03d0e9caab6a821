"""Shapes of what layers with learned tensors give: linear maps, embeddings, attention, recurrences."""

from __future__ import annotations

from collections.abc import Callable

from archcheck.ir.shapes.dims import Dims, Given, NotKnown, added, replaced, size, times, truth


def _linear(given: Given) -> Dims:
    dims = given.operand()
    if not dims:
        raise NotKnown
    if len(given.operands) == 1:
        return (*dims[:-1], size(given.get("out_features")))
    weight = given.operand(1)  # [out, in]; one of one axis gives a number
    if len(weight) not in (1, 2):
        raise NotKnown
    return dims[:-1] + weight[:-1]


def _bilinear(given: Given) -> Dims:
    dims = given.operand()
    if not dims:
        raise NotKnown
    features = size(given.get("out_features"))
    if len(given.operands) > 2:
        weight = given.operand(2)
        features = weight[0] if weight else None
    return (*dims[:-1], features)


def _embedding(given: Given) -> Dims:
    dims = given.operand()
    if "combine" in given.attrs:
        return _bags(given, dims)
    if len(given.operands) == 1:
        return (*dims, size(given.get("dim")))
    other = given.operand(1)
    if given.takes("params") or given.takes("indices"):  # tf.nn.embedding_lookup, torch.embedding: the table is first
        table, index = dims, other
    elif given.takes("input") or len(dims) != 2:
        table, index = other, dims
    elif len(other) != 2:
        table, index = dims, other
    else:
        raise NotKnown
    if len(table) != 2:
        raise NotKnown
    return (*index, table[1])


def _bags(given: Given, dims: Dims) -> Dims:
    """One row for each bag: a row of indices, or those from one offset to the next."""
    offsets_at = 1 if "dim" in given.attrs else 2
    dim = size(given.get("dim"))
    if "dim" not in given.attrs:
        table = given.operand(1)
        dim = table[1] if len(table) == 2 else None
    if len(dims) == 2:
        return (dims[0], dim)
    if len(dims) != 1:
        raise NotKnown
    offsets = given.operand(offsets_at)
    if len(offsets) != 1:
        raise NotKnown
    return (added(offsets[0], -int(truth(given.argument("include_last_offset")))), dim)


# ---- attention


def _attention(given: Given) -> tuple[Dims | None, ...]:
    query = given.operand()
    if given.get("projected") is True:
        return (_projected(given, query), *_weights(given, query))
    layout = given.get("layout")
    if not isinstance(layout, str):
        raise NotKnown
    value = given.operand(2)
    if len(query) != len(value) or len(query) < 3:
        raise NotKnown
    if layout == "b h s d":
        lead = tuple(_shared(*pair) for pair in zip(query[:-2], value[:-2], strict=True))
        return ((*lead, query[-2], value[-1]),)
    if layout in ("b s h d", "t h d"):
        return ((*query[:-1], value[-1]),)
    raise NotKnown


def _shared(one: int | None, other: int | None) -> int | None:
    """An axis of query and value: values are stretched to the query's, or stand for a group of its heads."""
    if one in (None, 1):
        return 1 if one == other == 1 else None
    return one


def _projected(given: Given, query: Dims) -> Dims:
    if "out_features" in given.attrs:
        return (*query[:-1], size(given.attrs["out_features"])) if query else query
    # Keras gives as many features as the query has, unless it is told a shape
    if given.takes("num_query_heads") or (given.takes("output_shape") and given.argument("output_shape") is None):
        return query
    raise NotKnown


def _weights(given: Given, query: Dims) -> tuple[Dims | None, ...]:
    """The weights of torch.nn.MultiheadAttention: [batch, query, key], or with an axis of heads."""
    try:
        wanted, averaged = (truth(given.argument(name)) for name in ("need_weights", "average_attn_weights"))
        first = given.flag("batch_first")
        key = given.operand(1)
    except NotKnown:
        return ()
    if not wanted or len(query) not in (2, 3) or len(key) != len(query):
        return ()
    heads: Dims = () if averaged else (size(given.get("heads")),)
    if len(query) == 2:
        return ((*heads, query[0], key[0]),)
    batch, sequence, source = (query[0], query[1], key[1]) if first else (query[1], query[0], key[0])
    return ((batch, *heads, sequence, source),)


# ---- recurrence


def _recurrent(given: Given, states: int) -> tuple[Dims | None, ...]:
    """The output, and the last state: that of an LSTM is a pair, which stands as one value with an axis before."""
    dims = given.operand()
    if given.get("cell") is True:
        return _cell(given, dims)
    units = size(given.get("units"))
    if "layers" not in given.attrs:  # Keras: the whole sequence, or its last step
        return (_last_of_sequence(given, dims, units),)
    if len(dims) not in (2, 3):
        raise NotKnown
    ways = 2 if given.flag("bidirectional") else 1
    output = (*dims[:-1], times(ways, units))
    if len(dims) == 2 and len(given.operands) > 1:  # a sequence without a batch, or what is packed
        return (output,)
    batch: Dims = () if len(dims) == 2 else (dims[0] if given.flag("batch_first") else dims[1],)
    state = (times(ways, size(given.get("layers"))), *batch, units)
    return output, state if states == 1 else (states, *state)


def _last_of_sequence(given: Given, dims: Dims, units: int | None) -> Dims:
    if len(dims) != 3:
        raise NotKnown
    return (*dims[:-1], units) if truth(given.argument("return_sequences")) else (dims[0], units)


def _cell(given: Given, dims: Dims) -> tuple[Dims | None, ...]:
    """One step; torch states what it reads or takes its weights as operands, TensorFlow nests the state."""
    if not dims:
        raise NotKnown
    if "units" in given.attrs:
        state = replaced(dims, len(dims) - 1, size(given.attrs["units"]))
        return (state, state) if "in_features" in given.attrs else (state,)
    if len(given.operands) < 4:
        raise NotKnown
    state = given.operand(1)
    return state, state


def _lstm(given: Given) -> tuple[Dims | None, ...]:
    return _recurrent(given, 2)


def _plain(given: Given) -> tuple[Dims | None, ...]:
    return _recurrent(given, 1)


ONE: dict[str, Callable[[Given], Dims]] = {"linear": _linear, "bilinear": _bilinear, "embedding": _embedding}
SEVERAL: dict[str, Callable[[Given], tuple[Dims | None, ...]]] = {
    "attention": _attention,
    "lstm": _lstm,
    "gru": _plain,
    "rnn": _plain,
}
