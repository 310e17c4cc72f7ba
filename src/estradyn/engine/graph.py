"""Expressions as a graph of numbered values, each distinct value present once.

The solver's code is generated from this graph. Two properties matter there: a subexpression that
occurs in several equations or derivatives is one node, and a node knows whether it depends on the
state of a patient, on her parameters only, or on nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import IntEnum

import symengine

from estradyn.errors import ModelError

LARGEST_UNROLLED_POWER = 16
"""Integer powers up to this one become multiplications."""

COMPARISONS = {
    "StrictLessThan": "<",
    "LessThan": "<=",
    "Equality": "==",
    "Unequality": "!=",
}

FUNCTION_NAMES = {
    "Log": "log",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "ASin": "asin",
    "ACos": "acos",
    "ATan": "atan",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Tanh": "tanh",
    "ASinh": "asinh",
    "ACosh": "acosh",
    "ATanh": "atanh",
    "Floor": "floor",
    "Ceiling": "ceiling",
}


ONE_ARGUMENT_FUNCTIONS = frozenset({"exp", "sqrt", *FUNCTION_NAMES.values()})


class Varies(IntEnum):
    """What a value depends on, from least to most."""

    NEVER = 0
    """A number."""
    BY_PATIENT = 1
    """Parameters only: computed once per patient."""
    IN_TIME = 2
    """State or time: computed in every step."""


class Graph:
    """Values numbered from 0, each after its operands.

    An operation is `number`, `parameter`, `state`, `time`, `+`, `-`, `*`, `/`, `neg`, `base_log`
    (to base two, and a number at zero, so that exponent zero times it is zero), `power`
    (operands: such a logarithm of the base, exponent, base), a name of `ONE_ARGUMENT_FUNCTIONS`, a
    comparison, `and`, `or`, `not`, or `select` (condition, value if true, value if false).

    Attributes
    ----------
    operations
        Operation of each value.
    operands
        Numbers of the values each value is made from; for leaves the position in the parameter
        or state vector, or the number itself.
    varies
        What each value depends on.
    depends
        Bit set of the states each value depends on; the bit after the last state stands for time.
    """

    def __init__(self, state_count: int):
        self.state_count = state_count
        self.operations: list[str] = []
        self.operands: list[tuple[int | float, ...]] = []
        self.varies: list[Varies] = []
        self.depends: list[int] = []
        self._numbered: dict[tuple[str, tuple[int | float, ...]], int] = {}
        self._derivatives: dict[tuple[int, int], int] = {}
        self.zero = self.number(0.0)
        self.one = self.number(1.0)

    # -- leaves ---------------------------------------------------------------------------------

    def number(self, value: float) -> int:
        """Return the value of a literal number."""
        return self._leaf("number", (float(value),), Varies.NEVER, 0)

    def parameter(self, position: int) -> int:
        """Return the value of a parameter by its position in the parameter vector."""
        return self._leaf("parameter", (position,), Varies.BY_PATIENT, 0)

    def state(self, position: int) -> int:
        """Return the value of a state by its position in the state vector."""
        return self._leaf("state", (position,), Varies.IN_TIME, 1 << position)

    def time(self) -> int:
        """Return the value of time."""
        return self._leaf("time", (), Varies.IN_TIME, 1 << self.state_count)

    def _leaf(self, operation: str, key: tuple, varies: Varies, depends: int) -> int:
        known = self._numbered.get((operation, key))
        if known is not None:
            return known
        return self._append(operation, key, varies, depends)

    def _append(self, operation: str, operands: tuple, varies: Varies, depends: int) -> int:
        node = len(self.operations)
        self.operations.append(operation)
        self.operands.append(operands)
        self.varies.append(varies)
        self.depends.append(depends)
        self._numbered[(operation, operands)] = node
        return node

    def literal(self, node: int) -> float | None:
        """Return the number a value stands for, or None if it is not a literal."""
        if self.operations[node] != "number":
            return None
        return float(self.operands[node][0])

    # -- operations -----------------------------------------------------------------------------

    def make(self, operation: str, *operands: int) -> int:
        """Return the value of an operation, an existing one where there is one."""
        if operation in ("+", "*", "and", "or", "==", "!=") and operands[0] > operands[1]:
            operands = (operands[1], operands[0])
        known = self._numbered.get((operation, operands))
        if known is not None:
            return known
        varies = max(self.varies[operand] for operand in operands)
        depends = 0
        for operand in operands:
            depends |= self.depends[operand]
        return self._append(operation, operands, varies, depends)

    def add(self, left: int, right: int) -> int:
        """Return left + right."""
        a, b = self.literal(left), self.literal(right)
        if a is not None and b is not None:
            return self.number(a + b)
        if a == 0.0:
            return right
        if b == 0.0:
            return left
        if self.operations[right] == "neg":
            return self.subtract(left, int(self.operands[right][0]))
        if self.operations[left] == "neg":
            return self.subtract(right, int(self.operands[left][0]))
        return self.make("+", left, right)

    def subtract(self, left: int, right: int) -> int:
        """Return left - right."""
        a, b = self.literal(left), self.literal(right)
        if a is not None and b is not None:
            return self.number(a - b)
        if b == 0.0:
            return left
        if a == 0.0:
            return self.negate(right)
        if left == right:
            return self.zero
        if self.operations[right] == "neg":
            return self.add(left, int(self.operands[right][0]))
        return self.make("-", left, right)

    def negate(self, value: int) -> int:
        """Return -value."""
        a = self.literal(value)
        if a is not None:
            return self.number(-a)
        if self.operations[value] == "neg":
            return int(self.operands[value][0])
        return self.make("neg", value)

    def multiply(self, left: int, right: int) -> int:
        """Return left * right, with parameter-only factors gathered so they are computed once."""
        a, b = self.literal(left), self.literal(right)
        if a is not None and b is not None:
            return self.number(a * b)
        if a is not None:
            left, right, a, b = right, left, b, a
        if b == 0.0:
            return self.zero
        if b == 1.0:
            return left
        if b == -1.0:
            return self.negate(left)
        for one, other in ((left, right), (right, left)):
            if self.operations[one] == "neg":
                return self.negate(self.multiply(int(self.operands[one][0]), other))
        if self.varies[left] < self.varies[right]:
            left, right = right, left
        if self.varies[right] < Varies.IN_TIME and self.operations[left] == "*":
            inner, factor = (int(operand) for operand in self.operands[left])
            if self.varies[inner] < Varies.IN_TIME:
                inner, factor = factor, inner
            if self.varies[inner] == Varies.IN_TIME and self.varies[factor] < Varies.IN_TIME:
                return self.make("*", inner, self.multiply(factor, right))
        return self.make("*", left, right)

    def divide(self, numerator: int, denominator: int) -> int:
        """Return numerator / denominator."""
        a, b = self.literal(numerator), self.literal(denominator)
        if a is not None and b is not None and b != 0.0:
            return self.number(a / b)
        if a == 0.0:
            return self.zero
        if b == 1.0:
            return numerator
        if self.operations[numerator] == "neg":
            return self.negate(self.divide(int(self.operands[numerator][0]), denominator))
        if self.varies[denominator] < self.varies[numerator]:
            return self.multiply(numerator, self.divide(self.one, denominator))
        return self.make("/", numerator, denominator)

    def function(self, name: str, argument: int) -> int:
        """Return a one-argument function of a value."""
        a = self.literal(argument)
        if a is not None:
            try:
                return self.number(_evaluate(name, a))
            except (ValueError, OverflowError):
                pass
        return self.make(name, argument)

    def power(self, base: int, exponent: int) -> int:
        """Return base ** exponent.

        A literal integer exponent becomes multiplications and one half a square root; any other
        is 2 ** (exponent log2(base)), which is not a number for a negative base.
        """
        p = self.literal(exponent)
        b = self.literal(base)
        if p is not None and b is not None and (b > 0 or (float(p).is_integer() and b != 0)):
            return self.number(b**p)
        if p is not None:
            if p == 0.5:
                return self.function("sqrt", base)
            if p == -0.5:
                return self.divide(self.one, self.function("sqrt", base))
            if float(p).is_integer() and abs(p) <= LARGEST_UNROLLED_POWER:
                unrolled = self._integer_power(base, abs(int(p)))
                return unrolled if p >= 0 else self.divide(self.one, unrolled)
        log_base = self.number(math.log2(b)) if b is not None and b > 0 else None
        if log_base is None:
            log_base = self.make("base_log", base)
        return self.make("power", log_base, exponent, base)

    def _integer_power(self, base: int, exponent: int) -> int:
        if exponent == 0:
            return self.one
        half = self._integer_power(base, exponent // 2)
        square = self.multiply(half, half)
        return self.multiply(square, base) if exponent % 2 else square

    def select(self, condition: int, if_true: int, if_false: int) -> int:
        """Return one of two values by a condition."""
        if if_true == if_false:
            return if_true
        decided = self.literal(condition)
        if decided is not None:
            return if_true if decided else if_false
        return self.make("select", condition, if_true, if_false)

    # -- from symbolic expressions --------------------------------------------------------------

    def lower(self, expression: symengine.Basic, values: Mapping[str, int]) -> int:
        """Return the value of a symbolic expression.

        Parameters
        ----------
        expression
            A symengine expression.
        values
            Value of each symbol the expression may use.

        Raises
        ------
        ModelError
            If the expression uses a symbol or function the solver does not know.
        """
        return self._lower(symengine.sympify(expression), values, {})

    def _lower(self, expression: symengine.Basic, values: Mapping[str, int], memo: dict) -> int:
        known = memo.get(expression)
        if known is None:
            known = memo[expression] = self._lower_new(expression, values, memo)
        return known

    def _lower_new(self, expression: symengine.Basic, values: Mapping[str, int], memo: dict) -> int:
        kind = type(expression).__name__
        if expression.is_Symbol:
            name = str(expression)
            if name not in values:
                raise ModelError(f"the model uses '{name}', which it does not define")
            return values[name]
        if expression.is_number and not expression.args:
            if kind in ("Infinity", "NegativeInfinity", "NaN", "ComplexInfinity"):
                return self.number(
                    {"Infinity": math.inf, "NegativeInfinity": -math.inf}.get(kind, math.nan)
                )
            return self.number(float(expression))
        if kind in ("BooleanTrue", "BooleanFalse"):
            return self.number(1.0 if kind == "BooleanTrue" else 0.0)
        arguments = expression.args
        if kind == "Add":
            return self._sum(self._lower(argument, values, memo) for argument in arguments)
        if kind == "Mul":
            return self._product(arguments, values, memo)
        if kind == "Pow":
            base, exponent = arguments
            if base == symengine.E:
                return self.function("exp", self._lower(exponent, values, memo))
            return self.power(self._lower(base, values, memo), self._lower(exponent, values, memo))
        if kind in COMPARISONS:
            left, right = (self._lower(argument, values, memo) for argument in arguments)
            return self._compare(COMPARISONS[kind], left, right)
        if kind in ("And", "Or", "Xor", "Not"):
            return self._logic(
                kind, [self._lower(argument, values, memo) for argument in arguments]
            )
        if kind == "Piecewise":
            result = self.number(math.nan)
            for piece in range(len(arguments) - 2, -1, -2):
                value = self._lower(arguments[piece], values, memo)
                result = self.select(self._lower(arguments[piece + 1], values, memo), value, result)
            return result
        name = FUNCTION_NAMES.get(kind, kind.lower())
        if name in ONE_ARGUMENT_FUNCTIONS and len(arguments) == 1:
            return self.function(name, self._lower(arguments[0], values, memo))
        raise ModelError(f"the solver does not know the function '{kind}' in '{expression}'")

    def _sum(self, terms: Iterable[int]) -> int:
        fixed, moving = self.zero, self.zero
        # A stable order keeps results the same however the expression was built.
        for term in sorted(terms):
            if self.varies[term] == Varies.IN_TIME:
                moving = self.add(moving, term)
            else:
                fixed = self.add(fixed, term)
        return self.add(moving, fixed)

    def _product(self, factors: tuple, values: Mapping[str, int], memo: dict) -> int:
        above: list[int] = []
        below: list[int] = []
        for factor in factors:
            if factor.is_Pow and factor.args[1].is_number and factor.args[0] != symengine.E:
                exponent = float(factor.args[1])
                if exponent < 0:
                    base = self._lower(factor.args[0], values, memo)
                    below.append(self.power(base, self.number(-exponent)))
                    continue
            above.append(self._lower(factor, values, memo))
        numerator, denominator = self._grouped(above), self._grouped(below)
        fixed = self.divide(numerator[0], denominator[0])
        return self.multiply(self.divide(numerator[1], denominator[1]), fixed)

    def _grouped(self, factors: list[int]) -> tuple[int, int]:
        """Multiply parameter-only and moving factors apart."""
        fixed, moving = self.one, self.one
        for factor in sorted(factors):
            if self.varies[factor] == Varies.IN_TIME:
                moving = self.multiply(moving, factor)
            else:
                fixed = self.multiply(fixed, factor)
        return fixed, moving

    def _compare(self, relation: str, left: int, right: int) -> int:
        a, b = self.literal(left), self.literal(right)
        if a is not None and b is not None:
            holds = {"<": a < b, "<=": a <= b, "==": a == b, "!=": a != b}[relation]
            return self.number(float(holds))
        return self.make(relation, left, right)

    def _logic(self, kind: str, conditions: list[int]) -> int:
        if kind == "Not":
            return self._not(conditions[0])
        result = conditions[0]
        for condition in conditions[1:]:
            if kind == "Xor":
                either = self._either_or_both("or", result, condition)
                both = self._either_or_both("and", result, condition)
                result = self._either_or_both("and", either, self._not(both))
            else:
                result = self._either_or_both(kind.lower(), result, condition)
        return result

    def _not(self, condition: int) -> int:
        decided = self.literal(condition)
        return self.make("not", condition) if decided is None else self.number(float(not decided))

    def _either_or_both(self, kind: str, left: int, right: int) -> int:
        for one, other in ((left, right), (right, left)):
            decided = self.literal(one)
            if decided is not None:
                if kind == "and":
                    return other if decided else self.zero
                return self.one if decided else other
        return self.make(kind, left, right)

    # -- derivatives ----------------------------------------------------------------------------

    def derivative(self, node: int, variable: int) -> int:
        """Return the derivative of a value.

        Parameters
        ----------
        node
            Value to differentiate.
        variable
            Position of the state to differentiate by; the number of states stands for time.

        Notes
        -----
        Forward mode on the graph, so derivatives share every subexpression with the equations.
        A comparison has derivative zero: at its switching point the value is not differentiable.
        """
        if not self.depends[node] >> variable & 1:
            return self.zero
        key = (node, variable)
        known = self._derivatives.get(key)
        if known is None:
            known = self._derivatives[key] = self._differentiate(node, variable)
        return known

    def _differentiate(self, node: int, variable: int) -> int:
        operation = self.operations[node]
        if operation in ("state", "time"):
            return self.one
        arguments = [int(operand) for operand in self.operands[node]]
        first = arguments[0]
        if operation == "select":
            return self.select(
                first,
                self.derivative(arguments[1], variable),
                self.derivative(arguments[2], variable),
            )
        if operation in ("<", "<=", "==", "!=", "and", "or", "not", "floor", "ceiling"):
            return self.zero
        if operation == "power":
            return self._differentiate_power(node, variable)
        d_first = self.derivative(first, variable)
        if operation == "neg":
            return self.negate(d_first)
        if operation in ("+", "-", "*", "/"):
            second = arguments[1]
            d_second = self.derivative(second, variable)
            if operation == "+":
                return self.add(d_first, d_second)
            if operation == "-":
                return self.subtract(d_first, d_second)
            if operation == "*":
                return self.add(self.multiply(d_first, second), self.multiply(first, d_second))
            return self.divide(self.subtract(d_first, self.multiply(node, d_second)), second)
        return self.multiply(self._slope(operation, node, first), d_first)

    def _differentiate_power(self, node: int, variable: int) -> int:
        log_base, exponent, base = (int(operand) for operand in self.operands[node])
        # Written with base ** (exponent - 1), which is right at a base of zero,
        # where base ** exponent / base would be 0 / 0.
        lowered = self.power(base, self.subtract(exponent, self.one))
        by_base = self.multiply(self.multiply(exponent, lowered), self.derivative(base, variable))
        natural_log = self.multiply(log_base, self.number(math.log(2.0)))
        by_exponent = self.multiply(
            self.multiply(node, natural_log), self.derivative(exponent, variable)
        )
        return self.add(by_base, by_exponent)

    def _slope(self, function: str, node: int, argument: int) -> int:
        """Return the derivative of a one-argument function by its argument."""
        square = self.multiply(argument, argument)
        own_square = self.multiply(node, node)
        if function == "exp":
            return node
        if function == "log":
            return self.divide(self.one, argument)
        if function == "sqrt":
            return self.divide(self.number(0.5), node)
        if function == "sin":
            return self.function("cos", argument)
        if function == "cos":
            return self.negate(self.function("sin", argument))
        if function == "tan":
            return self.add(self.one, own_square)
        if function == "tanh":
            return self.subtract(self.one, own_square)
        if function == "sinh":
            return self.function("cosh", argument)
        if function == "cosh":
            return self.function("sinh", argument)
        if function == "atan":
            return self.divide(self.one, self.add(self.one, square))
        if function == "atanh":
            return self.divide(self.one, self.subtract(self.one, square))
        under_root = {
            "asin": self.subtract(self.one, square),
            "acos": self.subtract(self.one, square),
            "asinh": self.add(square, self.one),
            "acosh": self.subtract(square, self.one),
        }[function]
        slope = self.divide(self.one, self.function("sqrt", under_root))
        return self.negate(slope) if function == "acos" else slope

    # -- reachability ---------------------------------------------------------------------------

    def needed(self, roots: Iterable[int]) -> list[int]:
        """Return the values the roots are made from, each after its operands."""
        seen: set[int] = set()
        stack = list(roots)
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if self.operations[node] not in ("number", "parameter", "state", "time"):
                stack.extend(int(operand) for operand in self.operands[node])
        return sorted(seen)


def _evaluate(name: str, argument: float) -> float:
    if name == "ceiling":
        return float(math.ceil(argument))
    if name == "floor":
        return float(math.floor(argument))
    return float(getattr(math, name)(argument))
