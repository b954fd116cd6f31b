"""Formulas of twin files: arithmetic alone, on numbers and on arrays."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.twin.expressions import LONGEST, Expression

VALUES = {"a": 2.0, "b": 5, "tank.level": 0.5, "x[1]": 3.0, "a.b[2].c": 7.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a * 1.2", 2.4),
        ("-a ** 2 + +b", 1.0),
        ("(a + b) / 2 - 1e-3", 3.499),
        ("min(a, b, 1) + max(a, b)", 6.0),
        ("sqrt(abs(-4 * a))", math.sqrt(8)),
        ("sin(a) + cos(a) + tan(a)", math.sin(2) + math.cos(2) + math.tan(2)),
        ("log(exp(b))", 5.0),
        ("tank.level + x[1] * a.b[2].c", 21.5),
        ("2 ** 3 ** 2", 512.0),
        (" 7 ", 7.0),
    ],
)
def test_arithmetic_is_what_python_makes_of_it(text: str, expected: float) -> None:
    found = Expression.parse(text).value(VALUES)
    assert isinstance(found, float)
    assert found == pytest.approx(expected, rel=1e-15)


def test_names_are_those_that_are_read_each_once() -> None:
    formula = Expression.parse("b + min(a, tank.level) * b - x[1]")
    assert formula.names == ("b", "a", "tank.level", "x[1]")


def test_arrays_are_worked_out_at_once() -> None:
    x_N = np.array([1.0, 2.0, 3.0])
    found = Expression.parse("max(x, 2) * y").value({"x": x_N, "y": 2})
    np.testing.assert_array_equal(found, [4.0, 4.0, 6.0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('os').system('true')", "is not arithmetic: '__import__("),
        ("a.__class__()", "is not arithmetic"),
        ("(lambda: 1)()", "is not arithmetic"),
        ("[x for x in a]", "is not arithmetic"),
        ("a if b else 1", "is not arithmetic"),
        ("a < b", "is not arithmetic: 'a < b'; only + - * / ** ( )"),
        ("a // 2", "is not arithmetic"),
        ("'a' * 9", "is not arithmetic: ''a''"),
        ("True + 1", "is not arithmetic: 'True'"),
        ("1j", "is not arithmetic"),
        ("x[a]", "is not arithmetic"),
        ("sqrt", "is not arithmetic: 'sqrt'"),
        ("sqrt(1, 2)", "sqrt takes one number"),
        ("min(1)", "min takes two numbers or more"),
        ("max(*a)", "max takes two numbers or more"),
        ("max(*a, 1)", "is not arithmetic: '*a'"),
        ("cosh(1)", "is not arithmetic: 'cosh(1)'"),
        ("a *", "is no formula"),
        ("", "is no formula"),
        ("a = 1", "is no formula"),
        ("a\x00", "is no formula"),
        ("(" * 300 + "a" + ")" * 190, "is no formula"),
        ("a + " * LONGEST + "1", f"{LONGEST} are the most"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Expression.parse(text)


def test_deep_formulas_within_the_length_are_worked_out() -> None:
    deep = "-" * 480 + "a"
    assert Expression.parse(deep).value(VALUES) == 2.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a / (b - 5)", "has no finite value at a = 2, b = 5"),
        ("log(-a)", "has no finite value at a = 2"),
        ("9 ** 9 ** 9 ** 9", "has no finite value"),
        ("word + 1", "needs numbers, and word is 'steel'"),
        ("yes + 1", "needs numbers, and yes is 'True'"),
    ],
)
def test_values_that_are_none_are_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Expression.parse(text).value(VALUES | {"word": "steel", "yes": True})


def test_the_entry_of_an_array_without_a_value_is_told() -> None:
    with pytest.raises(ValueError, match="at y = 3, x = 0"):
        Expression.parse("y / x").value({"x": np.array([1.0, 0.0]), "y": 3.0})


NUMBERS = st.floats(-100, 100, allow_nan=False)
FORMULAS = st.recursive(
    st.one_of(st.sampled_from(["a", "b"]), st.integers(0, 9).map(str)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"(-{text})"),
        st.tuples(inner, inner).map(lambda t: f"min({t[0]}, {t[1]})"),
    ),
    max_leaves=12,
)


@given(text=FORMULAS, a=NUMBERS, b=NUMBERS)
@settings(max_examples=80, deadline=None)
def test_any_formula_is_what_python_makes_of_it(text: str, a: float, b: float) -> None:
    try:
        expected = float(eval(text, {"min": min, "__builtins__": {}}, {"a": a, "b": b}))
    except OverflowError:
        return
    if math.isfinite(expected):
        assert Expression.parse(text).value({"a": a, "b": b}) == pytest.approx(expected, rel=1e-12)
