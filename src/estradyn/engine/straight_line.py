"""Straight-line vector code for the values of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

from llvmlite import ir

from estradyn.engine.graph import Graph, Varies
from estradyn.engine.vector_math import DOUBLE, INTEGER, VectorMath

LOGARITHMS = frozenset({"log", "base_log"})
SLOW = frozenset({"power", "exp", "tanh", *LOGARITHMS})
INTRINSICS = {"sqrt": "sqrt", "floor": "floor", "ceiling": "ceil"}


class StraightLine:
    """Writes the values of a graph into one basic block, each once.

    Parameters
    ----------
    graph
        Graph whose values are written.
    mathematics
        Writer of elementary functions for the vector width in use.
    builder
        Position to write at.
    leaves
        Returns the vector of a parameter, state or time value (`operation`, position), or of a
        value kept from earlier code.
    kept
        Values that `leaves` provides although they are not leaves.
    """

    def __init__(
        self,
        graph: Graph,
        mathematics: VectorMath,
        builder: ir.IRBuilder,
        leaves: Callable[[int], ir.Value],
        kept: Mapping[int, int] | None = None,
    ):
        self.graph = graph
        self.mathematics = mathematics
        self.builder = builder
        self.leaves = leaves
        self.kept = kept or {}
        self._written: dict[int, ir.Value] = {}

    def write(self, roots: Iterable[int]) -> list[ir.Value]:
        """Return vectors of the given values, writing whatever they need first."""
        roots = list(roots)
        for node in self._order(roots):
            if node not in self._written:
                self._written[node] = self._write(node)
        return [self._written[root] for root in roots]

    def write_side_by_side(self, roots: Iterable[int]) -> None:
        """Write the exponentials and logarithms that roots need, those of one depth in a row.

        Each is a long chain of dependent instructions; the processor overlaps neighbours that do
        not wait for each other.
        """
        order = self._order(list(roots))
        depth: dict[int, int] = {}
        slow: list[int] = []
        for node in order:
            operands = () if node in self.kept or self._is_leaf(node) else self._operands(node)
            depth[node] = max((depth.get(operand, 0) for operand in operands), default=0)
            if operands and self.graph.operations[node] in SLOW:
                depth[node] += 1
                slow.append(node)
        slow.sort(key=depth.__getitem__)
        for _, group in groupby(slow, key=depth.__getitem__):
            together = list(group)
            self.write(operand for node in together for operand in self._operands(node))
            logarithms = [node for node in together if self.graph.operations[node] in LOGARITHMS]
            if logarithms:
                self._written.update(zip(logarithms, self._logarithms(logarithms), strict=True))
            self.write(together)

    def _logarithms(self, nodes: list[int]) -> list[ir.Value]:
        """Write logarithms whose arguments are written."""
        return self.mathematics.logs(
            self.builder,
            [self._written[self._operands(node)[0]] for node in nodes],
            [self.graph.operations[node] == "base_log" for node in nodes],
        )

    def _order(self, roots: list[int]) -> list[int]:
        """Operands first, near their use: keeps fewer vectors alive than numbering order."""
        order: list[int] = []
        seen: set[int] = set(self._written)
        for root in roots:
            stack: list[tuple[int, bool]] = [(root, False)]
            while stack:
                node, operands_done = stack.pop()
                if operands_done:
                    order.append(node)
                    continue
                if node in seen:
                    continue
                seen.add(node)
                stack.append((node, True))
                if node not in self.kept and not self._is_leaf(node):
                    stack.extend((operand, False) for operand in reversed(self._operands(node)))
        return order

    def _operands(self, node: int) -> tuple[int, ...]:
        """Values that are written to write a value."""
        operands = self.graph.operands[node]
        if self.graph.operations[node] == "power":
            operands = operands[:2]
        return tuple(int(operand) for operand in operands)

    def _is_leaf(self, node: int) -> bool:
        return self.graph.operations[node] in ("number", "parameter", "state", "time")

    def _write(self, node: int) -> ir.Value:
        graph, mathematics, builder = self.graph, self.mathematics, self.builder
        operation = graph.operations[node]
        if operation == "number":
            return mathematics.constant(float(graph.operands[node][0]))
        if node in self.kept or self._is_leaf(node):
            return self.leaves(node)
        flags = mathematics.FLAGS
        if operation == "power":
            log_base, exponent = (self._written[int(n)] for n in graph.operands[node][:2])
            return mathematics.exp2(builder, builder.fmul(exponent, log_base, flags=flags))
        values = [self._written[int(operand)] for operand in graph.operands[node]]
        match operation:
            case "+":
                return builder.fadd(values[0], values[1], flags=flags)
            case "-":
                return builder.fsub(values[0], values[1], flags=flags)
            case "*":
                return builder.fmul(values[0], values[1], flags=flags)
            case "/":
                return builder.fdiv(values[0], values[1], flags=flags)
            case "neg":
                return builder.fneg(values[0])
            case "<" | "<=" | "==":
                return builder.fcmp_ordered(operation, values[0], values[1])
            case "!=":
                return builder.fcmp_unordered(operation, values[0], values[1])
            case "and":
                return builder.and_(self._truth(values[0]), self._truth(values[1]))
            case "or":
                return builder.or_(self._truth(values[0]), self._truth(values[1]))
            case "not":
                return builder.not_(self._truth(values[0]))
            case "select":
                return builder.select(
                    self._truth(values[0]), self.number(values[1]), self.number(values[2])
                )
            case "exp":
                return mathematics.exp(builder, values[0])
            case "log" | "base_log":
                return self._logarithms([node])[0]
            case "tanh":
                return self._tanh(values[0])
        if operation in INTRINSICS:
            return mathematics.intrinsic(builder, INTRINSICS[operation], values[0])
        return self._by_lane(operation, values[0])

    def _truth(self, value: ir.Value) -> ir.Value:
        """A condition as bits; numbers are true unless zero."""
        if value.type == self.mathematics.vector:
            return self.builder.fcmp_unordered("!=", value, self.mathematics.constant(0.0))
        return value

    def number(self, value: ir.Value) -> ir.Value:
        """Return a value as numbers; a condition counts 1 where it holds."""
        if value.type == self.mathematics.vector:
            return value
        constant = self.mathematics.constant
        return self.builder.select(value, constant(1.0), constant(0.0))

    def _tanh(self, x: ir.Value) -> ir.Value:
        mathematics, builder = self.mathematics, self.builder
        doubled = mathematics.exp(builder, builder.fadd(x, x))
        lower = builder.fadd(doubled, mathematics.constant(1.0))
        return builder.fsub(
            mathematics.constant(1.0), builder.fdiv(mathematics.constant(2.0), lower)
        )

    def _by_lane(self, name: str, x: ir.Value) -> ir.Value:
        """Call the C library once per lane: slow, for functions few models use."""
        builder, module = self.builder, self.builder.module
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(DOUBLE, [DOUBLE]), name=name)
            function.attributes.add("nounwind")
        result: ir.Value = ir.Constant(self.mathematics.vector, ir.Undefined)
        for lane in range(self.mathematics.width):
            position = ir.Constant(INTEGER, lane)
            one = builder.call(function, [builder.extract_element(x, position)])
            result = builder.insert_element(result, one, position)
        return result


def kept_by_patient(graph: Graph, roots: Iterable[int]) -> list[int]:
    """Return the parameter-only values that moving values are made from, to compute once.

    Parameters
    ----------
    graph
        Graph of all values.
    roots
        Values the solver computes in every step.

    Returns
    -------
    list of int
        Parameter-only values that are a root or an operand of a value that varies in time.
    """
    roots = list(roots)
    kept: set[int] = set()
    for node in graph.needed(roots):
        if graph.varies[node] == Varies.IN_TIME and graph.operations[node] not in ("state", "time"):
            operands = graph.operands[node]
            if graph.operations[node] == "power":
                operands = operands[:2]
            kept.update(int(operand) for operand in operands)
    kept.update(roots)
    return sorted(node for node in kept if graph.varies[node] == Varies.BY_PATIENT)
