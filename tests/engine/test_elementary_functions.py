"""Vector functions against the C library, and derivatives against SymPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import symengine as se
import sympy
from engine_models import system

from estradyn.engine import SolverOptions, compile_model, solve
from estradyn.engine.graph import ONE_ARGUMENT_FUNCTIONS
from estradyn.engine.program import build_program
from estradyn.engine.reference import LaneFunctions
from estradyn.engine.solve import aligned

ARGUMENTS = {
    "exp": np.concatenate([np.linspace(-700, 700, 4001), [-1e-300, 0.0, 1e-17, -745.5, 710.0]]),
    "log": np.concatenate(
        [np.logspace(-307, 307, 4001), [1.0, 1 + 2e-16, 0.99999, 5e-324, 1e-310]]
    ),
    "sqrt": np.logspace(-300, 300, 601),
    "tanh": np.linspace(-30, 30, 601),
    "sin": np.linspace(-30, 30, 601),
    "cos": np.linspace(-30, 30, 601),
    "tan": np.linspace(-1.5, 1.5, 601),
    "asin": np.linspace(-1, 1, 601),
    "acos": np.linspace(-1, 1, 601),
    "atan": np.linspace(-30, 30, 601),
    "sinh": np.linspace(-30, 30, 601),
    "cosh": np.linspace(-30, 30, 601),
    "asinh": np.linspace(-30, 30, 601),
    "acosh": np.linspace(1, 30, 601),
    "atanh": np.linspace(-0.99, 0.99, 601),
    "floor": np.linspace(-3, 3, 61),
    "ceiling": np.linspace(-3, 3, 61),
}
NUMPY_NAMES = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "ceiling": "ceil",
}


def evaluate(expression: str, x: np.ndarray, width: int | None = None) -> np.ndarray:
    """Evaluate an expression of the state x with compiled code."""
    compiled = compile_model(
        system({"x": "0*x"}, {"x": 0.0}, assignments={"value": expression}), ["value"], width=width
    )
    return solve(compiled, {}, [0.0], initial_states=x[:, None])["value"][:, 0]


@pytest.mark.parametrize("name", ARGUMENTS)
def test_function_matches_the_c_library(name: str) -> None:
    x = ARGUMENTS[name]
    with np.errstate(over="ignore", under="ignore"):
        expected = getattr(np, NUMPY_NAMES.get(name, name))(x)
    if name == "exp":
        # Documented: below the normal range the result is zero, above it infinite.
        expected = np.where(x < -708.39, 0.0, expected)
    np.testing.assert_allclose(evaluate(f"{name}(x)", x), expected, rtol=4.5e-16, atol=3e-16)


@pytest.mark.parametrize("exponent", [-12.5, -0.3, 0.7, 4.4, 30.2])
def test_power_matches_the_c_library(exponent: float) -> None:
    """To a few units in the last place for each power of two in the result."""
    x = np.concatenate([np.logspace(-9, 9, 2001), 1.0 + np.linspace(-0.3, 0.3, 2001)])
    value = evaluate(f"x**({exponent})", x)
    expected = x**exponent
    tolerance = 2.3e-16 * (2.0 + np.abs(exponent * np.log2(x)))
    assert (np.abs(value / expected - 1.0) <= tolerance).all()


def test_power_at_the_ends_of_the_range() -> None:
    x = np.array([5e-324, 1e-310, 1e200, np.inf, -1.0, np.nan])
    value = evaluate("x**1.7", x)
    np.testing.assert_array_equal(value[:2], [0.0, 0.0])
    np.testing.assert_array_equal(value[2:], [np.inf, np.inf, np.nan, np.nan])
    roots = evaluate("x**0.3", x[:3])
    np.testing.assert_allclose(roots, x[:3] ** 0.3, rtol=2e-13)


@pytest.mark.parametrize("width", [2, 4, 8])
def test_exp_log_and_power_are_the_same_in_every_width(width: int) -> None:
    x = np.linspace(0.01, 30.0, 333)
    np.testing.assert_array_equal(evaluate("exp(x)", x, width), evaluate("exp(x)", x, 8))
    np.testing.assert_array_equal(evaluate("log(x)", x, width), evaluate("log(x)", x, 8))
    np.testing.assert_array_equal(evaluate("x**2.5", x, width), evaluate("x**2.5", x, 8))


def test_special_arguments() -> None:
    x = np.array([0.0, -1.0, np.inf, np.nan])
    np.testing.assert_array_equal(evaluate("log(x)", x), [-np.inf, np.nan, np.inf, np.nan])
    np.testing.assert_array_equal(evaluate("exp(x)", x)[2:], [np.inf, np.nan])
    np.testing.assert_array_equal(evaluate("x**2.5", np.array([0.0, 4.0])), [0.0, 32.0])


@pytest.mark.parametrize(
    "expression",
    [
        "x**a/(x**a + b**a)",
        "exp(-a*x)*log(x + b)",
        "x**3 - 2/x + sqrt(x)",
        "Piecewise((x**2, x < 1.2), (b*x, True))",
        "tanh(a*(x - 1)) + x**(-1.5)",
        "atan(x) + asinh(x) + cosh(x)/sinh(x) + tan(x/3)",
        "b**x + x**x",
    ],
)
@pytest.mark.parametrize("at", [0.7, 1.9])
def test_jacobian_matches_sympy(expression: str, at: float) -> None:
    model = system({"x": expression}, {"x": at}, {"a": 2.3, "b": 0.8})
    program = build_program(model, [])
    derivative = program.jacobian[0, 0]
    # Evaluated by a model whose only output is the Jacobian's entry.
    x, a, b = sympy.symbols("x a b")
    exact = sympy.sympify(expression, {"Piecewise": sympy.Piecewise}).diff(x)
    expected = float(exact.subs({x: at, a: 2.3, b: 0.8}))
    assert _value(program, derivative, at, [2.3, 0.8]) == pytest.approx(expected, rel=1e-12)


def _value(program, node: int, state: float, parameters: list[float]) -> float:
    """Evaluate a graph value in plain Python."""
    graph = program.graph
    values: dict[int, float] = {}
    functions = {name: getattr(math, name) for name in ONE_ARGUMENT_FUNCTIONS - {"ceiling"}}
    functions["base_log"] = math.log2
    for item in graph.needed([node]):
        operation, operands = graph.operations[item], graph.operands[item]
        arguments = (
            [values.get(int(o)) for o in operands]
            if operation not in ("number", "parameter", "state", "time")
            else []
        )
        match operation:
            case "number":
                values[item] = float(operands[0])
            case "parameter":
                values[item] = parameters[int(operands[0])]
            case "state":
                values[item] = state
            case "+":
                values[item] = arguments[0] + arguments[1]
            case "-":
                values[item] = arguments[0] - arguments[1]
            case "*":
                values[item] = arguments[0] * arguments[1]
            case "/":
                values[item] = arguments[0] / arguments[1]
            case "neg":
                values[item] = -arguments[0]
            case "power":
                values[item] = arguments[2] ** arguments[1]
            case "<":
                values[item] = arguments[0] < arguments[1]
            case "<=":
                values[item] = arguments[0] <= arguments[1]
            case "select":
                values[item] = arguments[1] if arguments[0] else arguments[2]
            case _:
                values[item] = functions[operation](arguments[0])
    return float(values[node])


def test_power_and_its_derivative_at_zero() -> None:
    """A Hill function of a state that starts at zero has a finite slope there."""
    model = system({"x": "1 - x**m/(k + x**m)"}, {"x": 0.0}, {"m": 4.4, "k": 0.3})
    compiled = compile_model(model, ["x"])
    solution = solve(compiled, {}, [0.0, 0.1])
    assert solution.status[0] == 0
    assert solution["x"][0, 1] == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_an_exponent_of_one_may_be_a_parameter(exponent: float) -> None:
    """The slope at zero is then 0 ** 0, which is one."""
    model = system({"x": "1 - x**m"}, {"x": 0.0}, {"m": 3.0})
    options = SolverOptions(retry=False)
    solution = solve(compile_model(model, ["x"]), {"m": exponent}, [0.0, 30.0], options=options)
    assert solution["x"][0, 1] == pytest.approx(1.0, rel=1e-6)


def test_rates_can_be_called_for_one_patient() -> None:
    compiled = compile_model(system({"x": "-k*x"}, {"x": 1.0}, {"k": 3.0}), ["x"])
    constants = aligned((compiled.layout.kept, compiled.layout.width))
    constants[...] = 3.0
    functions = LaneFunctions(compiled, constants)
    np.testing.assert_array_equal(functions.rates(0.0, np.array([2.0])), [-6.0])


def test_unknown_function_is_refused() -> None:
    from estradyn.errors import ModelError

    model = system({"x": "x"}, {"x": 1.0})
    bad = se.function_symbol("mystery", se.Symbol("x"))
    broken = type(model)(
        model.name,
        model.time_unit,
        (type(model.states[0])("x", "1", se.Integer(1), bad),),
        (),
        (),
        (),
    )
    with pytest.raises(ModelError, match="does not know the function"):
        compile_model(broken, ["x"])
