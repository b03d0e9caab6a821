"""Every row of every dialect says something that the vocabulary can hold and the parameter list has."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from archcheck.frontends import dialects
from archcheck.frontends.dialects.table import BESIDE, Dialect, Formula, LayerRow, Parameter, Row, stated
from archcheck.ir.ops import BY_NAME

AFTERWARDS = "activation"  # computed from the op's result where the kind has no such attribute
DIALECTS = pytest.mark.parametrize("dialect", dialects.DIALECTS, ids=lambda dialect: dialect.name)


def rows(dialect: Dialect) -> Iterator[tuple[str, Row | LayerRow]]:
    for table in (dialect.functions, dialect.methods, dialect.properties, dialect.layers):
        yield from table.items()


def formulas(dialect: Dialect) -> Iterator[tuple[str, Formula]]:
    yield from dialect.formulas.items()
    yield from dialect.method_formulas.items()


def parameter_list(row: Row | LayerRow) -> tuple[Parameter, ...]:
    return row.init_parameters + row.call_parameters if isinstance(row, LayerRow) else row.parameters


@DIALECTS
def test_each_row_names_a_kind_and_attributes_that_the_kind_declares(dialect: Dialect) -> None:
    for name, row in rows(dialect):
        assert row.kind in BY_NAME, name
        declared = {attribute.name for attribute in BY_NAME[row.kind].attrs}
        assert set(row.attrs) | set(row.const) <= declared | {AFTERWARDS}, name
        defaults = {one.name: one.default for one in parameter_list(row)}
        for both in set(row.attrs) & set(row.const):  # what is fixed stands where nothing is given
            assert defaults[row.attrs[both]] is None, f"{name} both fixes and reads {both}"


@DIALECTS
def test_each_attribute_and_switch_refers_to_a_parameter(dialect: Dialect) -> None:
    for name, row in rows(dialect):
        names = {parameter.name for parameter in parameter_list(row)}
        order = {part for word in row.order for part in word.split("|")} if isinstance(row, LayerRow) else set()
        switches = {row.active.removeprefix("not ")} - {""}
        sources = {part.removeprefix("1 - ") for source in row.attrs.values() for part in source.split(" if ")}
        assert {*sources, *row.plain, *switches, *order} <= names, name


@DIALECTS
def test_parameter_lists_are_python_parameter_lists(dialect: Dialect) -> None:
    for name, row in rows(dialect):
        for text in (row.init, row.call) if isinstance(row, LayerRow) else (row.params,):
            written = ast.parse(f"def f({text.replace('!', '').replace('~', '')}): pass").body[0]
            assert isinstance(written, ast.FunctionDef), name
            found = (
                row.parameters
                if isinstance(row, Row)
                else (row.init_parameters if text is row.init else row.call_parameters)
            )
            assert [p.name for p in found] == spelled(written.args), name


def spelled(arguments: ast.arguments) -> list[str]:
    names = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    if arguments.vararg:
        names.append(arguments.vararg.arg)
    names += [argument.arg for argument in arguments.kwonlyargs]
    if arguments.kwarg:
        names.append(arguments.kwarg.arg)
    return names


@DIALECTS
def test_plain_parameters_have_a_default(dialect: Dialect) -> None:
    for name, row in rows(dialect):
        required = {parameter.name for parameter in parameter_list(row) if parameter.required}
        assert not required & set(row.plain), name


@DIALECTS
def test_formulas_are_lambdas_over_ops_and_packages(dialect: Dialect) -> None:
    packages = {"torch", "tensorflow", "keras", "transformers", "jax", "flax", "haiku", "math", "mesh_tensorflow"}
    builtin = {"isinstance", "len", "int", "tuple", "list", "range", "sum", "enumerate", "str", "round", "unknown"}
    builtin |= {"all", "any", "bool", "float", "max", "next", "zip", "slice", "type", "dict", "callable", "hasattr"}
    for name, formula in formulas(dialect):
        bound = {node.arg for node in ast.walk(formula.tree) if isinstance(node, ast.arg)}
        bound |= {
            node.id for node in ast.walk(formula.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        free = {node.id for node in ast.walk(formula.tree) if isinstance(node, ast.Name)} - bound
        assert free <= packages | builtin | {"op", "named", "unknown", "weights"}, name
        for call in ast.walk(formula.tree):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if isinstance(call.func.value, ast.Name) and call.func.value.id == "op":
                kind = BY_NAME[call.func.attr]
                declared = {attribute.name for attribute in kind.attrs}
                assert {keyword.arg for keyword in call.keywords} <= declared | BESIDE, name


@DIALECTS
def test_formulas_call_names_that_a_dialect_lists(dialect: Dialect) -> None:
    for name, formula in formulas(dialect):
        for call in ast.walk(formula.tree):
            callee = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            if callee.replace(".", "").isidentifier() and callee.startswith(("torch.", "tensorflow.", "keras.")):
                assert dialects.known(callee), f"{name} calls {callee}"


@DIALECTS
def test_a_formula_beside_a_row_is_for_calls_that_the_row_does_not_fit(dialect: Dialect) -> None:
    """A row that fits every call would make the formula dead."""
    for name, formula in dialect.formulas.items():
        if row := dialect.functions.get(name):
            wider = set(spelled(formula.tree.args)) - {parameter.name for parameter in row.parameters}
            optional = any(parameter.required for parameter in row.parameters[1:])
            starred = {parameter.name for parameter in row.parameters if parameter.star}
            by_name = starred & {argument.arg for argument in formula.tree.args.kwonlyargs}
            assert row.plain or wider or optional or by_name, name


@DIALECTS
def test_tables_are_listed_under_canonical_names(dialect: Dialect) -> None:
    for table in (dialect.functions, dialect.layers, dialect.formulas, dialect.bases, dialect.containers):
        for name in table:
            assert dialects.canonical(name) == name


def test_a_value_is_stated_in_one_spelling() -> None:
    assert stated("padding", "SAME") == "same"
    assert stated("padding", 1) == 1
    assert stated("approximate", True) == stated("approximate", "tanh") == "tanh"
    assert stated("approximate", False) == "none"
    assert stated("equation", "bD,Dk->bk") == "bD,Dk->bk"
    assert stated("bias", True) is True


@DIALECTS
def test_another_spelling_of_a_keyword_never_meets_the_parameter_that_it_stands_for(dialect: Dialect) -> None:
    """Then `axis=` could be taken for `dim` in a list that has both."""
    for name, row in rows(dialect):
        for parameters in (
            (row.init_parameters, row.call_parameters) if isinstance(row, LayerRow) else (row.parameters,)
        ):
            names = {parameter.name for parameter in parameters}
            assert not any(names & set(dialects.keyword(word)) for word in names), name
