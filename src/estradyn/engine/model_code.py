"""Machine code for the values of a model: constants, rates, linear algebra, outputs, events."""

from __future__ import annotations

from llvmlite import ir

from estradyn.engine.layout import Layout
from estradyn.engine.program import Program
from estradyn.engine.straight_line import StraightLine
from estradyn.engine.tableau import RosenbrockMethod
from estradyn.engine.vector_math import INTEGER, VectorMath

POINTER = ir.PointerType()
VOID = ir.VoidType()


class ModelCode:
    """Straight-line functions of one model, each for all lanes of a vector at once.

    Parameters
    ----------
    program
        Values of the model.
    method
        Integration method, for the layout of its stages.
    width
        Lanes in a vector.

    Attributes
    ----------
    module
        LLVM module the functions are written into.
    layout
        Positions in the working memory.
    """

    def __init__(self, program: Program, method: RosenbrockMethod, width: int):
        self.program = program
        self.method = method
        self.width = width
        self.mathematics = VectorMath(width)
        self.vector = self.mathematics.vector
        self.module = ir.Module(name="estradyn_kernel")
        self.kept_position = {node: position for position, node in enumerate(program.kept)}
        self.states = len(program.rates)
        self._plan_factors()
        self.layout = Layout(
            width=width,
            states=self.states,
            kept=len(program.kept),
            outputs=len(program.outputs),
            stages=method.stages,
            factors=len(self.factor_position),
            events=len(program.triggers),
        )

    def write(self) -> None:
        """Write all functions."""
        self._write_prepare()
        self.rates = self._write_rates()
        self.linearize = self._write_linearize()
        self.solve = self._write_solve()
        self._write_jacobian()
        self.observe = self._write_observe()
        if self.program.triggers:
            self.triggers = self._write_triggers()
            self.change = self._write_change()

    # -- straight-line functions ----------------------------------------------------------------

    def function(self, name: str, *arguments: str) -> tuple[ir.Function, ir.IRBuilder]:
        """Start a function of pointers that do not alias."""
        function = ir.Function(self.module, ir.FunctionType(VOID, [POINTER] * len(arguments)), name)
        for value, argument in zip(function.args, arguments, strict=True):
            value.name = argument
            value.add_attribute("noalias")
        function.attributes.add("nounwind")
        return function, ir.IRBuilder(function.append_basic_block("entry"))

    def load(self, builder: ir.IRBuilder, base: ir.Value, position: int | ir.Value) -> ir.Value:
        """Load a vector by its position."""
        return builder.load(
            self.address(builder, base, position), typ=self.vector, align=8 * self.width
        )

    def store(
        self, builder: ir.IRBuilder, value: ir.Value, base: ir.Value, position: int | ir.Value
    ) -> None:
        """Store a vector at a position."""
        builder.store(value, self.address(builder, base, position), align=8 * self.width)

    def address(self, builder: ir.IRBuilder, base: ir.Value, position: int | ir.Value) -> ir.Value:
        """Address of a vector by its position."""
        if isinstance(position, int):
            position = ir.Constant(INTEGER, position)
        return builder.gep(base, [position], inbounds=True, source_etype=self.vector)

    def _moving(
        self, builder: ir.IRBuilder, time: ir.Value, state: ir.Value, constants: ir.Value
    ) -> StraightLine:
        """Writer of values that vary in time, with constants kept per patient."""
        graph = self.program.graph

        def leaf(node: int) -> ir.Value:
            if node in self.kept_position:
                return self.load(builder, constants, self.kept_position[node])
            if graph.operations[node] == "state":
                return self.load(builder, state, int(graph.operands[node][0]))
            return self.load(builder, time, 0)

        return StraightLine(graph, self.mathematics, builder, leaf, self.kept_position)

    def _write_prepare(self) -> None:
        """Compute initial states and per-patient constants from parameters."""
        _, builder = self.function("prepare", "parameters", "constants", "initial_states")
        parameters, constants, initial_states = builder.function.args
        graph = self.program.graph
        line = StraightLine(
            graph,
            self.mathematics,
            builder,
            lambda node: self.load(builder, parameters, int(graph.operands[node][0])),
        )
        for position, node in enumerate(self.program.kept):
            self.store(builder, line.write([node])[0], constants, position)
        for position, node in enumerate(self.program.initial):
            self.store(builder, line.write([node])[0], initial_states, position)
        builder.ret_void()

    def _write_rates(self) -> ir.Function:
        function, builder = self.function("rates", "time", "state", "constants", "rate")
        line = self._moving(builder, *function.args[:3])
        line.write_side_by_side(self.program.rates)
        for position, node in enumerate(self.program.rates):
            self.store(builder, line.write([node])[0], function.args[3], position)
        builder.ret_void()
        return function

    def _write_observe(self) -> ir.Function:
        function, builder = self.function("observe", "time", "state", "constants", "output")
        line = self._moving(builder, *function.args[:3])
        for position, node in enumerate(self.program.outputs):
            self.store(builder, line.write([node])[0], function.args[3], position)
        builder.ret_void()
        return function

    def _write_triggers(self) -> ir.Function:
        """Compute whether the condition of each event holds, as 1 or 0."""
        function, builder = self.function("triggers", "time", "state", "constants", "holds")
        line = self._moving(builder, *function.args[:3])
        constant = self.mathematics.constant
        for position, node in enumerate(self.program.triggers):
            value = line.number(line.write([node])[0])
            # A number counts as true unless it is zero; NaN counts as false.
            holds = builder.fcmp_ordered("!=", value, constant(0.0))
            one = builder.select(holds, constant(1.0), constant(0.0))
            self.store(builder, one, function.args[3], position)
        builder.ret_void()
        return function

    def _write_change(self) -> ir.Function:
        """Change the states of lanes in which events happen.

        All new values are computed from the state before any event, so simultaneous events do not
        see each other; where two change the same state, the later in the model wins.
        """
        function, builder = self.function("change", "time", "state", "constants", "firing")
        time, state, constants, firing = function.args
        line = self._moving(builder, time, state, constants)
        zero = self.mathematics.constant(0.0)
        changed: dict[int, ir.Value] = {}
        for event, change in enumerate(self.program.changes):
            happens = builder.fcmp_ordered("!=", self.load(builder, firing, event), zero)
            for position, node in change:
                new = line.number(line.write([node])[0])
                before = changed.get(position)
                if before is None:
                    before = self.load(builder, state, position)
                changed[position] = builder.select(happens, new, before)
        for position, value in changed.items():
            self.store(builder, value, state, position)
        builder.ret_void()
        return function

    def _plan_factors(self) -> None:
        """Number the stored entries: inverse pivots, multipliers below and entries above."""
        self.factor_position: dict[tuple[int, int], int] = {}
        for pivot, below, right in self.program.elimination.steps:
            for entry in (
                (pivot, pivot),
                *((row, pivot) for row in below),
                *((pivot, column) for column in right),
            ):
                self.factor_position[entry] = len(self.factor_position)

    def _write_linearize(self) -> ir.Function:
        """Compute rates, their time derivative and the factors of shift I - J."""
        function, builder = self.function(
            "linearize", "time", "state", "constants", "shift", "rate", "time_derivative", "factor"
        )
        time, state, constants, shift, rate, time_derivative, factor = function.args
        program, flags = self.program, self.mathematics.FLAGS
        line = self._moving(builder, time, state, constants)
        line.write_side_by_side([*program.rates, *program.jacobian.values()])
        for position, node in enumerate(program.rates):
            self.store(builder, line.write([node])[0], rate, position)
        if program.depends_on_time:
            for position, node in enumerate(program.time_derivative):
                self.store(builder, line.write([node])[0], time_derivative, position)
        diagonal = self.load(builder, shift, 0)
        entries: dict[tuple[int, int], ir.Value] = {}

        def entry(row: int, column: int) -> ir.Value:
            if (row, column) not in entries:
                node = program.jacobian.get((row, column))
                value = None if node is None else line.write([node])[0]
                if row == column:
                    entries[row, column] = (
                        diagonal if value is None else builder.fsub(diagonal, value, flags=flags)
                    )
                elif value is None:
                    entries[row, column] = self.mathematics.constant(0.0)
                else:
                    entries[row, column] = builder.fneg(value)
            return entries[row, column]

        one = self.mathematics.constant(1.0)
        for pivot, below, right in program.elimination.steps:
            inverse = builder.fdiv(one, entry(pivot, pivot))
            self.store(builder, inverse, factor, self.factor_position[pivot, pivot])
            upper = {column: entry(pivot, column) for column in right}
            for column, value in upper.items():
                self.store(builder, value, factor, self.factor_position[pivot, column])
            for row in below:
                multiplier = builder.fmul(entry(row, pivot), inverse, flags=flags)
                self.store(builder, multiplier, factor, self.factor_position[row, pivot])
                for column, value in upper.items():
                    product = builder.fmul(multiplier, value, flags=flags)
                    if (row, column) in program.elimination.fill and (row, column) not in entries:
                        entries[row, column] = builder.fneg(product)
                    else:
                        entries[row, column] = builder.fsub(
                            entry(row, column), product, flags=flags
                        )
        builder.ret_void()
        return function

    def _write_jacobian(self) -> None:
        """Compute the entries of the Jacobian that are not zero, in the program's order."""
        function, builder = self.function("jacobian", "time", "state", "constants", "entries")
        line = self._moving(builder, *function.args[:3])
        for position, node in enumerate(self.program.jacobian.values()):
            self.store(builder, line.write([node])[0], function.args[3], position)
        builder.ret_void()

    def _write_solve(self) -> ir.Function:
        """Solve with the factors; the right-hand side is the sum of rate and unknown."""
        function, builder = self.function("solve", "factor", "rate", "unknown")
        factor, rate, unknown = function.args
        flags = self.mathematics.FLAGS
        steps = self.program.elimination.steps
        x = [
            builder.fadd(self.load(builder, rate, position), self.load(builder, unknown, position))
            for position in range(self.states)
        ]

        def factor_of(row: int, column: int) -> ir.Value:
            return self.load(builder, factor, self.factor_position[row, column])

        for pivot, below, _ in steps:
            for row in below:
                product = builder.fmul(factor_of(row, pivot), x[pivot], flags=flags)
                x[row] = builder.fsub(x[row], product, flags=flags)
        for pivot, _, right in reversed(steps):
            for column in right:
                product = builder.fmul(factor_of(pivot, column), x[column], flags=flags)
                x[pivot] = builder.fsub(x[pivot], product, flags=flags)
            x[pivot] = builder.fmul(x[pivot], factor_of(pivot, pivot), flags=flags)
            self.store(builder, x[pivot], unknown, pivot)
        builder.ret_void()
        return function
