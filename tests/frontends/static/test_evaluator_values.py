"""Values: containers, text, slices, and tensors that change in place."""

from __future__ import annotations

import pytest
from evaluator_sources import Sources


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[i * 2 for i in range(4) if i % 2][-1]", 6),
        ("{k: v for v, k in enumerate('ab')}['b']", 1),
        ("len({i % 2 for i in range(9)})", 2),
        ("sum(a * b for a in (1, 2) for b in (3, 4))", 21),
        ("[[j for j in range(i)] for i in range(3)][2][1]", 1),
        ("[1, 2, 3, 4][1:-1][-1]", 3),
        ("(5, 6, 7)[::-1][0]", 7),
        ("list(range(10))[2:8:3][1]", 5),
        ("max(3, min([9, 7]))", 7),
        ("sorted([3, 1, 2], reverse=True)[0]", 3),
        ("sorted(['bb', 'a'], key=len)[0] == 'a' and 4", 4),
        ("dict(a=1, **{'b': 2})['b']", 2),
        ("{**{'a': 1}, 'a': 5}['a']", 5),
        ("[*range(3), *(7, 8)][3]", 7),
        ("{'a': 4}.get('b', {'c': 9}['c'])", 9),
        ("int('12') // 5 + 7 % 4 + 2 ** 3", 13),
        ("len('ab' * 3)", 6),
        ("(lambda *a, **k: len(a) + len(k))(1, 2, z=3)", 3),
        ("isinstance(3, (str, int)) + 1", 2),
        ("divmod(17, 5)[1]", 2),
        ("next(iter([4, 5]))", 4),
        ("list(zip(*[(1, 2), (3, 4)]))[1][0]", 2),
        ("list(map(str, (1, 2)))[1] == '2' and 8", 8),
        ("[x for x in filter(None, (0, 3))][0]", 3),
        ("hasattr({}, 'update') + 0", 1),
        ("5 if 'a' in {'a': 0} and 3 not in (1, 2) else 0", 5),
    ],
)
def test_plain_expressions_have_their_value(sources: Sources, expression: str, value: int) -> None:
    text = f"def f(y):\n    return y * ({expression})\n"
    assert sources.computes(text) == f"%1 = mul %0 by={value}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("f'layer_{1 + 1}'", "layer_2"),
        ("f'{0.5:.2f}'", "0.50"),
        ("f'{\"a\"!r}'", "'a'"),
        ("'%s_%d' % ('a', 3)", "a_3"),
        ("'{}-{b}'.format(1, b=2)", "1-2"),
        ("'.'.join(['a', str(2)])", "a.2"),
        ("'A_b'.lower().replace('_', '')", "ab"),
        ("'relu' + 'x'[1:]", "relu"),
        ("'pre' if 'n' in 'dan' else 'no'", "pre"),
        ("''.join(reversed('ab'))", "ba"),
        ("'a,b'.split(',')[1]", "b"),
    ],
)
def test_text_is_built(sources: Sources, text: str, value: str) -> None:
    source = f"def f(x):\n    name = {text}\n    return x * (7 if name == {value!r} else 1)\n"
    assert sources.computes(source) == "%1 = mul %0 by=7"


@pytest.mark.parametrize(
    ("targets", "value", "k"),
    [
        ("a, b", "1, 2", "b"),
        ("(a, b), c", "(1, 2), 3", "b"),
        ("a, *b", "2, 3, 4", "len(b)"),
        ("*a, b", "2, 3, 2", "b"),
        ("a, *b, c", "1, 2, 3, 4", "len(b)"),
        ("[a, b]", "[3, 2]", "b"),
        ("a, b", "{'x': 1, 'y': 2}.values()", "b"),
    ],
)
def test_unpacking(sources: Sources, targets: str, value: str, k: str) -> None:
    assert sources.computes(f"def f(x):\n    {targets} = {value}\n    return x * {k}\n") == "%1 = mul %0 by=2"


def test_a_wrong_number_of_parts_raises(sources: Sources) -> None:
    [variant] = sources.read("def f(x):\n    a, b = 1, 2, 3\n    return x\n").variants
    assert variant.error == "ValueError: 3 values for 2 names"


def test_lists_are_shared_and_copied_as_python_does(sources: Sources) -> None:
    text = """
        def f(x):
            one = [1]
            same, copied = one, list(one)
            one.append(2)
            one += [3]
            return x * len(same) * len(copied)
        """
    assert sources.computes(text) == "%1 = mul %0 by=3\n%2 = mul %1 by=1"


# ---- tensors that change in place

TENSORFLOW = "import tensorflow as tf\n"
SUMMED = """
    def f(x, y):
        residual = x
        x += y
        return residual * 2
    """


def test_a_sum_in_place_changes_all_names_of_a_tensor(sources: Sources) -> None:
    assert sources.computes(SUMMED) == "%2 = add %0, %1\n%3 = mul %2 by=2"


def test_in_tensorflow_a_sum_in_place_is_another_tensor(sources: Sources) -> None:
    assert sources.computes(SUMMED, top=TENSORFLOW) == "%2 = add %0, %1\n%3 = mul %0 by=2"


def test_a_plain_sum_leaves_the_other_name(sources: Sources) -> None:
    assert sources.computes(SUMMED.replace("x += y", "x = x + y")) == "%2 = add %0, %1\n%3 = mul %0 by=2"


def test_methods_that_end_in_an_underscore_change_the_tensor(sources: Sources) -> None:
    assert sources.computes(SUMMED.replace("x += y", "x.add_(y)")) == "%2 = add %0, %1\n%3 = mul %2 by=2"


def test_an_inplace_activation_changes_the_tensor(sources: Sources) -> None:
    text = """
        def f(x):
            kept = x
            F.relu_(x)
            return kept * 2
        """
    assert sources.computes(text) == "%1 = relu %0\n%2 = mul %1 by=2"


def test_a_view_writes_through_to_its_base(sources: Sources) -> None:
    text = """
        def f(x):
            part = x[0]
            part *= 3
            return x + 1
        """
    kinds = [line.split(" = ")[1].split()[0] for line in sources.computes(text).splitlines() if " = " in line]
    assert kinds == ["select", "mul", "update", "add"]
    assert sources.computes(text).splitlines()[-1] == "%4 = add %3 by=1"


def test_an_assigned_item_changes_the_tensor(sources: Sources) -> None:
    text = """
        def f(x, y):
            x[:, 0] = y
            return x * 2
        """
    lines = sources.computes(text).splitlines()
    assert lines[0].startswith("%2 = update %0, %1")
    assert lines[1] == "%3 = mul %2 by=2"


@pytest.mark.parametrize(
    ("expression", "op"),
    [
        ("2 * x", "%1 = mul %0 by=2"),
        ("2 - x", "%1 = sub %0 by=2 reverse=True"),
        ("x - 2", "%1 = sub %0 by=2"),
        ("1 / x", "%1 = div %0 by=1 reverse=True"),
        ("-x", "%1 = neg %0"),
        ("x ** 2", "%1 = pow %0 exponent=2"),
        ("x @ x", "%1 = matmul %0, %0"),
    ],
)
def test_operators_with_a_number(sources: Sources, expression: str, op: str) -> None:
    assert sources.computes(f"def f(x):\n    return {expression}\n").split(" transpose")[0] == op


def test_what_changes_a_tensor_in_place_changes_the_one_that_it_is_called_on(sources: Sources) -> None:
    text = """
        def f(x, y):
            k = x.new_empty(4, 8)
            k[..., :4].copy_(x)
            k[..., 4:].copy_(y)
            z = y.clone()
            z.zero_()
            return k, y, z
        """
    [variant] = sources.read(text).variants
    by_path = {op.path: op for op in variant.graph.ops}
    given = [by_path[value.op] for value in variant.graph.results]
    assert [op.kind.name for op in given] == ["update", "input", "constant"]
    assert [by_path[value.op].kind.name for value in given[0].reads] == ["update", "identity"]


def test_a_copy_is_no_view(sources: Sources) -> None:
    text = """
        def f(x, i):
            part, rows, view = x.clone(), x[i], x[2:]
            part.zero_()
            rows.zero_()
            before = x * 2
            view.zero_()
            return before, x
        """
    [variant] = sources.read(text).variants
    by_path = {op.path: op for op in variant.graph.ops}
    doubled, changed = (by_path[value.op] for value in variant.graph.results)
    assert by_path[doubled.reads[0].op].kind.name == "input"
    assert changed.kind.name == "update"


def test_the_keys_of_a_mapping_are_joined_whatever_they_stand_for(sources: Sources) -> None:
    text = """
    import re

    KINDS = {"ForAudio": torch.relu, "ForText": torch.tanh}

    def f(x):
        found = re.findall("(" + "|".join(KINDS) + ")", "ModelForText")
        return KINDS[found[0]](x) if len(found) > 0 else x
    """
    assert sources.computes(text) == "%1 = tanh %0"


def test_the_extreme_along_an_axis_is_a_value_and_where_it_is(sources: Sources) -> None:
    text = """
        def f(x):
            return x.max(dim=-1).indices, x.max(1)[1], x.min(0).values, x.max(), x.var(-1)
        """
    told = [line.partition(" = ")[2] for line in sources.computes(text).splitlines()]
    wanted = {
        "argmax %0 axis=-1",
        "argmax %0 axis=1",
        "reduce_min %0 axis=0",
        "reduce_max %0",
        "var %0 axis=-1 correction=1",
    }
    assert wanted <= set(told)


def test_what_numpy_makes_of_numbers_is_no_part_of_the_graph(sources: Sources) -> None:
    text = """
        import numpy as np

        def f(x):
            mask = np.zeros((2, 16), dtype=bool)
            at = np.array([np.random.choice(np.arange(12), 3, replace=False) for _ in range(2)])
            np.put_along_axis(mask, np.broadcast_to(at, (2, 3)), 1, -1)
            x[torch.tensor(mask)] = 0.0
            return np.some_function(x)
        """
    [variant] = sources.read(text, "f").variants
    (unread,) = variant.unread
    assert "some_function" in unread.what  # of what is given, as before
    assert not [
        op for op in variant.graph.ops if op.kind.name == "opaque" and "some_function" not in str(op.attr("name"))
    ]


@pytest.mark.parametrize(
    "change",
    [
        "parts[at] = torch.sigmoid(x)",
        "parts[at:] = [x]",
        "del parts[at]",
        "parts.insert(at, x)",
        "parts.pop(at)",
        "parts.sort(key=lambda one: one.mean())",
        "parts = sorted(parts, key=lambda one: one.mean())",
    ],
)
def test_what_stands_in_a_list_changed_at_an_unknown_place_is_open(sources: Sources, change: str) -> None:
    text = f"def f(x, at):\n    parts = [torch.relu(x), torch.tanh(x), x]\n    {change}\n    return parts[0]\n"
    [variant] = sources.read(text).variants
    [result] = variant.graph.results
    made = next(op for op in variant.graph.ops if op.path == result.op)
    assert (made.kind.name, made.attr("name"), made.reads) == ("opaque", "entry", ())


def test_a_list_of_numbers_is_sorted_in_place(sources: Sources) -> None:
    text = "def f(x):\n    sizes = [1, 5, 3]\n    sizes.sort(key=lambda one: -one)\n    return x * sizes[1]\n"
    assert sources.computes(text) == "%1 = mul %0 by=3"


def test_equal_keys_keep_their_order_when_reversed(sources: Sources) -> None:
    text = "def f(x):\n    pairs = sorted([(1, 7), (1, 9)], key=len, reverse=True)\n    return x * pairs[0][1]"
    assert sources.computes(text) == "%1 = mul %0 by=7"
