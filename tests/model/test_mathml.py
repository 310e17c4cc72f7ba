"""Every function of SBML against Python's own."""

import math

import libsbml
import numpy as np
import pytest
import symengine as se
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.errors import ModelError
from estradyn.model.mathml import MathReader, as_condition, check_compilable, compare, piecewise

X, Y = 0.7, 1.9
FORMULAS = {
    "x + y - 3": X + Y - 3,
    "-x": -X,
    "x * y / 2": X * Y / 2,
    "x ^ 2 + pow(y, 3)": X**2 + Y**3,
    "sqrt(y) + root(3, y)": math.sqrt(Y) + Y ** (1 / 3),
    "exp(x) + exponentiale": math.exp(X) + math.e,
    "ln(y) + log10(y) + log(2, y)": math.log(Y) + math.log10(Y) + math.log2(Y),
    "abs(x - y)": abs(X - Y),
    "floor(y) + ceil(x) - floor(-y)": 1 + 1 + 2,
    "factorial(4) + x": 24 + X,
    "sin(x) + cos(x) + tan(x)": math.sin(X) + math.cos(X) + math.tan(X),
    "sec(x) + csc(x) + cot(x)": 1 / math.cos(X) + 1 / math.sin(X) + 1 / math.tan(X),
    "sinh(x) + cosh(x) + tanh(x)": math.sinh(X) + math.cosh(X) + math.tanh(X),
    "sech(x) + csch(x) + coth(x)": 1 / math.cosh(X) + 1 / math.sinh(X) + 1 / math.tanh(X),
    "asin(x) + acos(x) + atan(x)": math.asin(X) + math.acos(X) + math.atan(X),
    "asec(y) + acsc(y) + acot(y)": math.acos(1 / Y) + math.asin(1 / Y) + math.atan(1 / Y),
    "asinh(x) + acosh(y) + atanh(x)": math.asinh(X) + math.acosh(Y) + math.atanh(X),
    "asech(x) + acsch(x) + acoth(y)": math.acosh(1 / X) + math.asinh(1 / X) + math.atanh(1 / Y),
    "min(y, x, 5) + max(x, y, 1)": X + Y,
    "piecewise(1, x > y, 2, y > x, 3)": 2,
    "piecewise(x, x < y && y < 2, 9)": X,
    "piecewise(x, x < y || y > 2, 9)": X,
    "piecewise(x, !(x < y), 9)": 9,
    "piecewise(1, xor(x < y, y < 2, true), 0)": 1,
    "piecewise(1, implies(x > y, false), 0)": 1,
    "piecewise(1, lt(x, y, 2), 0) + piecewise(1, geq(2, y, y, x), 0)": 2,
    "piecewise(1, x == x, 0) + piecewise(1, neq(x, y), 0)": 2,
    "rem(7, 3) + rem(-7, 3) + quotient(-7, 2)": 1 - 1 - 3,
    "rem(y, x)": math.fmod(Y, X),
    "avogadro": 6.02214179e23,
    "pi * time": math.pi * 3.5,
    "true + (x < y) + 2": 4,
    "piecewise(1, x, 0)": 1,
    "2 == 2.0": 1,
    "1/3 + 1e-3": 1 / 3 + 1e-3,
}


def read(formula: str) -> se.Basic:
    node = libsbml.parseL3Formula(formula)
    assert node is not None, libsbml.getLastParseL3Error()
    return MathReader({}).read(node, {})


def evaluate(expression: se.Basic, **values: float) -> float:
    names = [se.Symbol(name) for name in values]
    return float(se.Lambdify(names, [expression])(list(values.values()))[0])


@pytest.mark.parametrize("formula", FORMULAS)
def test_functions_have_their_value_and_can_be_compiled(formula):
    expression = read(formula)
    check_compilable(expression, "v")
    assert evaluate(expression, x=X, y=Y, time=3.5) == pytest.approx(FORMULAS[formula], rel=1e-13)


@settings(deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(0.01, 50))
def test_remainder_and_absolute_value_hold_for_all_signs(x, y):
    assert evaluate(read("abs(x)"), x=x) == abs(x)
    whole = evaluate(read("quotient(x, y) * y + rem(x, y)"), x=x, y=y)
    assert whole == pytest.approx(x, abs=1e-9)
    assert abs(evaluate(read("rem(x, y)"), x=x, y=y)) <= y * (1 + 1e-9)


def test_a_piecewise_without_otherwise_is_undefined_where_nothing_holds():
    expression = read("piecewise(x, x < 1)")
    assert evaluate(expression, x=0.5) == 0.5
    assert math.isnan(evaluate(expression, x=1.5))


def test_literal_integers_stay_exact_powers():
    assert read("x ^ 2.0") == se.Symbol("x") ** 2


def test_huge_constant_powers_are_not_expanded():
    assert math.isinf(float(read("10 ^ 100000")))


def test_constants_are_compared_by_value():
    assert compare(se.Eq, se.Integer(1), se.RealDouble(1.0)) == se.true
    assert as_condition(se.RealDouble(0.0)) == se.false


def test_piecewise_stops_at_the_first_condition_that_always_holds():
    x = se.Symbol("x")
    pieces = [(x, se.false), (x + 1, x > 0), (x + 2, se.true), (x + 3, x > 5)]
    assert piecewise(pieces, x + 4) == se.Piecewise((x + 1, x > 0), (x + 2, True))


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("delay(x, 3)", "delay"),
        ("rateOf(x)", "rateOf"),
        ("factorial(x)", "factorial"),
        ("unknown(x)", "'unknown' is not defined"),
    ],
)
def test_what_cannot_be_compiled_is_named(formula, words):
    with pytest.raises(ModelError, match=words):
        read(formula)


def test_a_complex_number_is_refused():
    with pytest.raises(ModelError, match="'rate' contains"):
        check_compilable(read("x * sqrt(-2.5)"), "rate")


def test_functions_are_replaced_by_their_bodies():
    definition = libsbml.FunctionDefinition(3, 2)
    definition.setId("hill")
    definition.setMath(libsbml.parseL3Formula("lambda(x, k, x^2 / (k^2 + x^2))"))
    reader = MathReader({"hill": definition})
    expression = reader.read(libsbml.parseL3Formula("hill(k, 2 * x)"), {})
    assert evaluate(expression, x=X, k=Y) == pytest.approx(Y**2 / (4 * X**2 + Y**2))
    with pytest.raises(ModelError, match="takes 2"):
        reader.read(libsbml.parseL3Formula("hill(k)"), {})


def test_a_function_that_calls_itself_is_refused():
    definition = libsbml.FunctionDefinition(3, 2)
    definition.setId("f")
    definition.setMath(libsbml.parseL3Formula("lambda(x, f(x))"))
    with pytest.raises(ModelError, match="calls itself"):
        MathReader({"f": definition}).read(libsbml.parseL3Formula("f(y)"), {})


def test_local_names_replace_global_ones():
    expression = MathReader({}).read(libsbml.parseL3Formula("k * x"), {"k": se.Symbol("r_k")})
    assert {symbol.name for symbol in expression.free_symbols} == {"r_k", "x"}
    assert np.isclose(evaluate(expression, r_k=2.0, x=3.0), 6.0)
