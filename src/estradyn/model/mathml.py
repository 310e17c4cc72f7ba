"""MathML of SBML as symengine expressions.

Every function of SBML Level 3 Version 2 is written with the few that the engine compiles: sums,
products, powers, `log`, the trigonometric and hyperbolic functions and their inverses, `floor`,
`ceiling`, piecewise functions, comparisons and logic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import pairwise
from typing import NoReturn

import libsbml
import symengine as se

from estradyn.errors import ModelError
from estradyn.model.ode_model import TIME

AVOGADRO = 6.02214179e23
"""Avogadro's constant as SBML Level 3 fixes it (L3V2 specification, section 3.4.6)."""

_LARGEST_EXACT_INTEGER = 2.0**53
_LARGEST_EXACT_EXPONENT = 64

Expressions = Sequence[se.Basic]


class UnsupportedMathError(ModelError):
    """An expression uses what has no counterpart in a compiled ordinary differential equation."""


def as_number(value: se.Basic) -> se.Basic:
    """Read a truth value as 1 or 0, and leave a number as it is."""
    if is_condition(value):
        return se.Piecewise((se.Integer(1), value), (se.Integer(0), se.true))
    return value


def as_condition(value: se.Basic) -> se.Basic:
    """Read a number as true unless it is 0, and leave a truth value as it is."""
    return value if is_condition(value) else compare(se.Ne, value, se.Integer(0))


def is_condition(value: se.Basic) -> bool:
    """Whether an expression is a truth value."""
    return isinstance(value, _CONDITION_TYPES)


def constant_value(expression: se.Basic) -> float | None:
    """Value of an expression without symbols; None if it has symbols or is not a real number."""
    if expression.free_symbols:
        return None
    named = {"NaN": math.nan, "Infinity": math.inf, "NegativeInfinity": -math.inf}
    if type(expression).__name__ in named:
        return named[type(expression).__name__]
    try:
        value = complex(expression.n())
    except (RuntimeError, TypeError, ValueError):
        return None
    return value.real if value.imag == 0 else None


def number(value: float) -> se.Basic:
    """Write a float as an exact integer where it is one: ``x**2`` then stays a square."""
    if value.is_integer() and abs(value) < _LARGEST_EXACT_INTEGER:
        return se.Integer(int(value))
    if math.isnan(value):
        return se.nan
    if math.isinf(value):
        return se.oo if value > 0 else -se.oo
    return se.RealDouble(value)


def compare(relation: Callable[..., se.Basic], left: se.Basic, right: se.Basic) -> se.Basic:
    """Compare two numbers; constants are compared by value (symengine holds 1 and 1.0 unequal)."""
    first, second = constant_value(left), constant_value(right)
    if first is None or second is None:
        return relation(left, right)
    return se.true if _COMPARE_VALUES[relation](first, second) else se.false


def piecewise(pieces: Sequence[tuple[se.Basic, se.Basic]], otherwise: se.Basic) -> se.Basic:
    """First value whose condition holds; constant conditions are resolved at once."""
    kept: list[tuple[se.Basic, se.Basic]] = []
    for value, condition in pieces:
        if condition == se.false:
            continue
        if condition == se.true:
            otherwise = value
            break
        kept.append((value, condition))
    return se.Piecewise(*kept, (otherwise, se.true)) if kept else otherwise


class MathReader:
    """Turns MathML trees of one SBML model into expressions.

    Parameters
    ----------
    functions
        Function definitions by id; calls are replaced by their bodies.
    """

    def __init__(self, functions: Mapping[str, libsbml.FunctionDefinition]):
        self._functions = functions

    def read(self, node: libsbml.ASTNode, scope: Mapping[str, se.Basic]) -> se.Basic:
        """Read a tree whose value is a number.

        Parameters
        ----------
        node
            Root of the tree.
        scope
            Expressions that replace names (local parameters, arguments); other names become
            symbols.

        Raises
        ------
        UnsupportedMathError
            If the tree uses a function or symbol that cannot be compiled.
        """
        return as_number(self._convert(node, scope, ()))

    def read_condition(self, node: libsbml.ASTNode) -> se.Basic:
        """Read a tree whose value is true or false; a number counts as true unless it is zero.

        Raises
        ------
        UnsupportedMathError
            If the tree uses a function or symbol that cannot be compiled.
        """
        return as_condition(self._convert(node, {}, ()))

    def _convert(
        self, node: libsbml.ASTNode, scope: Mapping[str, se.Basic], calls: tuple[str, ...]
    ) -> se.Basic:
        kind = node.getType()
        if kind == libsbml.AST_NAME:
            name = node.getName()
            return scope[name] if name in scope else se.Symbol(name)
        if kind in _LEAVES:
            return _LEAVES[kind](node)
        if kind == libsbml.AST_FUNCTION:
            return self._call(node, scope, calls)
        children = [self._convert(node.getChild(i), scope, calls) for i in range(_arity(node))]
        if kind == libsbml.AST_FUNCTION_PIECEWISE:
            return _read_piecewise(children)
        if kind in _LOGIC:
            return _LOGIC[kind]([as_condition(child) for child in children])
        numbers = [as_number(child) for child in children]
        if kind in _ARITHMETIC:
            try:
                return _ARITHMETIC[kind](numbers)
            except IndexError as error:
                raise UnsupportedMathError(
                    f"'{_name(node)}' has {len(numbers)} arguments, which is too few"
                ) from error
        raise _unsupported(node)

    def _call(
        self, node: libsbml.ASTNode, scope: Mapping[str, se.Basic], calls: tuple[str, ...]
    ) -> se.Basic:
        name = node.getName()
        definition = self._functions.get(name)
        if definition is None:
            raise UnsupportedMathError(f"function '{name}' is not defined")
        if name in calls:
            raise UnsupportedMathError(f"function '{name}' calls itself")
        if definition.getNumArguments() != _arity(node):
            raise UnsupportedMathError(
                f"function '{name}' is called with {_arity(node)} arguments, it takes "
                f"{definition.getNumArguments()}"
            )
        if definition.getBody() is None:
            raise UnsupportedMathError(f"function '{name}' has no body")
        arguments = {
            definition.getArgument(i).getName(): self._convert(node.getChild(i), scope, calls)
            for i in range(_arity(node))
        }
        return self._convert(definition.getBody(), arguments, (*calls, name))


def names_in(node: libsbml.ASTNode) -> set[str]:
    """Names that a tree refers to, function names and bound variables included."""
    found: set[str] = set()
    pending = [node]
    while pending:
        current = pending.pop()
        if current.getType() == libsbml.AST_NAME:
            found.add(current.getName())
        pending.extend(current.getChild(i) for i in range(_arity(current)))
    return found


def check_compilable(expression: se.Basic, owner: str) -> None:
    """Refuse an expression with a node that the engine's contract does not list.

    Raises
    ------
    UnsupportedMathError
        Naming the variable the expression belongs to.
    """
    pending = [expression]
    while pending:
        current = pending.pop()
        kind = type(current).__name__
        if kind not in _COMPILABLE:
            found = "a value that is not a real number" if "omplex" in kind else f"'{current}'"
            raise UnsupportedMathError(f"the expression of '{owner}' contains {found}")
        pending.extend(current.args if kind not in _ATOMS else ())


def _arity(node: libsbml.ASTNode) -> int:
    return int(node.getNumChildren())


def _name(node: libsbml.ASTNode) -> str:
    return str(libsbml.formulaToL3String(node) or node.getName() or node.getType())


def _unsupported(node: libsbml.ASTNode) -> UnsupportedMathError:
    found = {
        libsbml.AST_FUNCTION_DELAY: "a delay",
        libsbml.AST_FUNCTION_RATE_OF: "rateOf",
    }.get(node.getType(), "a function")
    return UnsupportedMathError(f"'{_name(node)}' uses {found}, which is not supported")


def _raise_unsupported(node: libsbml.ASTNode) -> NoReturn:
    raise _unsupported(node)


def _read_piecewise(children: Expressions) -> se.Basic:
    pairs = [
        (as_number(children[i]), as_condition(children[i + 1]))
        for i in range(0, len(children) - 1, 2)
    ]
    # Without an "otherwise" the value is undefined where no condition holds.
    otherwise = as_number(children[-1]) if len(children) % 2 else se.nan
    return piecewise(pairs, otherwise)


def _power(base: se.Basic, exponent: se.Basic) -> se.Basic:
    fixed = constant_value(exponent)
    if base.is_Number and fixed is not None and abs(fixed) > _LARGEST_EXACT_EXPONENT:
        base = se.RealDouble(float(base))
    return base**exponent


def _root(arguments: Expressions) -> se.Basic:
    degree, radicand = arguments if len(arguments) == 2 else (se.Integer(2), arguments[0])
    return _power(radicand, 1 / degree)


def _log(arguments: Expressions) -> se.Basic:
    base, value = arguments if len(arguments) == 2 else (se.Integer(10), arguments[0])
    return se.log(value) / se.log(base)


def _absolute(value: se.Basic) -> se.Basic:
    return piecewise([(value, compare(se.Ge, value, se.Integer(0)))], -value)


def _extreme(relation: Callable[..., se.Basic], arguments: Expressions) -> se.Basic:
    def pick(first: se.Basic, second: se.Basic) -> se.Basic:
        return piecewise([(first, compare(relation, first, second))], second)

    return reduce(pick, arguments[1:], arguments[0])


def _truncate(value: se.Basic) -> se.Basic:
    above = compare(se.Ge, value, se.Integer(0))
    return piecewise([(se.floor(value), above)], se.ceiling(value))


def _factorial(arguments: Expressions) -> se.Basic:
    value = constant_value(arguments[0])
    if value is None:
        raise UnsupportedMathError("'factorial' of a variable is not supported")
    return number(float(math.gamma(value + 1)))


def _chain(relation: Callable[..., se.Basic]) -> Callable[[Expressions], se.Basic]:
    def read(arguments: Expressions) -> se.Basic:
        pairs = pairwise(arguments)
        return _all([compare(relation, left, right) for left, right in pairs])

    return read


def _all(conditions: Expressions) -> se.Basic:
    return se.And(*conditions) if conditions else se.true


def _any(conditions: Expressions) -> se.Basic:
    return se.Or(*conditions) if conditions else se.false


def _odd(conditions: Expressions) -> se.Basic:
    if len(conditions) < 2:
        return conditions[0] if conditions else se.false
    return se.Xor(*conditions)


def _sum(arguments: Expressions) -> se.Basic:
    return sum(arguments, se.Integer(0))


def _product(arguments: Expressions) -> se.Basic:
    return reduce(lambda left, right: left * right, arguments, se.Integer(1))


def _of_one(function: Callable[[se.Basic], se.Basic]) -> Callable[[Expressions], se.Basic]:
    return lambda arguments: function(arguments[0])


def _of_inverse(function: Callable[[se.Basic], se.Basic]) -> Callable[[Expressions], se.Basic]:
    return lambda arguments: function(1 / arguments[0])


def _inverse_of(function: Callable[[se.Basic], se.Basic]) -> Callable[[Expressions], se.Basic]:
    return lambda arguments: 1 / function(arguments[0])


_CONDITION_TYPES = (
    type(se.true),
    type(se.false),
    type(se.Lt(se.Symbol("x"), se.Symbol("y"))).__mro__[1],  # Relational, which is not exported
    se.And,
    se.Or,
    se.Not,
    se.Xor,
)

_COMPARE_VALUES: dict[Callable[..., se.Basic], Callable[[float, float], bool]] = {
    se.Eq: lambda first, second: first == second,
    se.Ne: lambda first, second: first != second,
    se.Gt: lambda first, second: first > second,
    se.Ge: lambda first, second: first >= second,
    se.Lt: lambda first, second: first < second,
    se.Le: lambda first, second: first <= second,
}

_LEAVES: dict[int, Callable[[libsbml.ASTNode], se.Basic]] = {
    libsbml.AST_INTEGER: lambda node: se.Integer(node.getInteger()),
    libsbml.AST_REAL: lambda node: number(float(node.getReal())),
    libsbml.AST_REAL_E: lambda node: number(float(node.getReal())),
    libsbml.AST_RATIONAL: lambda node: (
        se.Integer(node.getNumerator()) / se.Integer(node.getDenominator())
    ),
    libsbml.AST_NAME_TIME: lambda node: se.Symbol(TIME),
    libsbml.AST_NAME_AVOGADRO: lambda node: se.RealDouble(AVOGADRO),
    libsbml.AST_CONSTANT_PI: lambda node: se.pi,
    libsbml.AST_CONSTANT_E: lambda node: se.E,
    libsbml.AST_CONSTANT_TRUE: lambda node: se.true,
    libsbml.AST_CONSTANT_FALSE: lambda node: se.false,
    libsbml.AST_FUNCTION_DELAY: _raise_unsupported,
    libsbml.AST_FUNCTION_RATE_OF: _raise_unsupported,
}

_LOGIC: dict[int, Callable[[Expressions], se.Basic]] = {
    libsbml.AST_LOGICAL_AND: _all,
    libsbml.AST_LOGICAL_OR: _any,
    libsbml.AST_LOGICAL_XOR: _odd,
    libsbml.AST_LOGICAL_NOT: lambda conditions: se.Not(conditions[0]),
    libsbml.AST_LOGICAL_IMPLIES: lambda conditions: se.Or(se.Not(conditions[0]), conditions[1]),
}

_ARITHMETIC: dict[int, Callable[[Expressions], se.Basic]] = {
    libsbml.AST_PLUS: _sum,
    libsbml.AST_TIMES: _product,
    libsbml.AST_MINUS: lambda a: -a[0] if len(a) == 1 else a[0] - a[1],
    libsbml.AST_DIVIDE: lambda a: a[0] / a[1],
    libsbml.AST_POWER: lambda a: _power(a[0], a[1]),
    libsbml.AST_FUNCTION_POWER: lambda a: _power(a[0], a[1]),
    libsbml.AST_FUNCTION_ROOT: _root,
    libsbml.AST_FUNCTION_EXP: _of_one(se.exp),
    libsbml.AST_FUNCTION_LN: _of_one(se.log),
    libsbml.AST_FUNCTION_LOG: _log,
    libsbml.AST_FUNCTION_ABS: _of_one(_absolute),
    libsbml.AST_FUNCTION_FLOOR: _of_one(se.floor),
    libsbml.AST_FUNCTION_CEILING: _of_one(se.ceiling),
    libsbml.AST_FUNCTION_FACTORIAL: _factorial,
    libsbml.AST_FUNCTION_MIN: lambda a: _extreme(se.Le, a),
    libsbml.AST_FUNCTION_MAX: lambda a: _extreme(se.Ge, a),
    libsbml.AST_FUNCTION_QUOTIENT: lambda a: _truncate(a[0] / a[1]),
    libsbml.AST_FUNCTION_REM: lambda a: a[0] - a[1] * _truncate(a[0] / a[1]),
    libsbml.AST_RELATIONAL_EQ: _chain(se.Eq),
    libsbml.AST_RELATIONAL_NEQ: _chain(se.Ne),
    libsbml.AST_RELATIONAL_GT: _chain(se.Gt),
    libsbml.AST_RELATIONAL_GEQ: _chain(se.Ge),
    libsbml.AST_RELATIONAL_LT: _chain(se.Lt),
    libsbml.AST_RELATIONAL_LEQ: _chain(se.Le),
    libsbml.AST_FUNCTION_SIN: _of_one(se.sin),
    libsbml.AST_FUNCTION_COS: _of_one(se.cos),
    libsbml.AST_FUNCTION_TAN: _of_one(se.tan),
    libsbml.AST_FUNCTION_SEC: _inverse_of(se.cos),
    libsbml.AST_FUNCTION_CSC: _inverse_of(se.sin),
    libsbml.AST_FUNCTION_COT: _inverse_of(se.tan),
    libsbml.AST_FUNCTION_SINH: _of_one(se.sinh),
    libsbml.AST_FUNCTION_COSH: _of_one(se.cosh),
    libsbml.AST_FUNCTION_TANH: _of_one(se.tanh),
    libsbml.AST_FUNCTION_SECH: _inverse_of(se.cosh),
    libsbml.AST_FUNCTION_CSCH: _inverse_of(se.sinh),
    libsbml.AST_FUNCTION_COTH: _inverse_of(se.tanh),
    libsbml.AST_FUNCTION_ARCSIN: _of_one(se.asin),
    libsbml.AST_FUNCTION_ARCCOS: _of_one(se.acos),
    libsbml.AST_FUNCTION_ARCTAN: _of_one(se.atan),
    libsbml.AST_FUNCTION_ARCSEC: _of_inverse(se.acos),
    libsbml.AST_FUNCTION_ARCCSC: _of_inverse(se.asin),
    libsbml.AST_FUNCTION_ARCCOT: _of_inverse(se.atan),
    libsbml.AST_FUNCTION_ARCSINH: _of_one(se.asinh),
    libsbml.AST_FUNCTION_ARCCOSH: _of_one(se.acosh),
    libsbml.AST_FUNCTION_ARCTANH: _of_one(se.atanh),
    libsbml.AST_FUNCTION_ARCSECH: _of_inverse(se.acosh),
    libsbml.AST_FUNCTION_ARCCSCH: _of_inverse(se.asinh),
    libsbml.AST_FUNCTION_ARCCOTH: _of_inverse(se.atanh),
}

_ATOMS = frozenset(
    {
        *("Symbol", "Integer", "Zero", "One", "NegativeOne", "Rational", "Half", "RealDouble"),
        *("Pi", "Exp1", "NaN", "Infinity", "NegativeInfinity", "BooleanTrue", "BooleanFalse"),
    }
)
_COMPILABLE = _ATOMS | {
    *("Add", "Mul", "Pow", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh"),
    *("tanh", "asinh", "acosh", "atanh", "floor", "ceiling", "Piecewise", "Equality"),
    *("Unequality", "LessThan", "StrictLessThan", "And", "Or", "Not", "Xor"),
}
