"""The solver's machine code, written as LLVM instructions.

One kernel advances `width` patients at once, one in each lane of a vector. Every lane has its own
time, step size and error control; a lane whose patient is done takes the next one. All arithmetic
is lane by lane, so what happens in one lane cannot change a bit in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir

from estradyn.engine.layout import LANE_INTEGERS, Layout
from estradyn.engine.program import Program
from estradyn.engine.status import PatientStatus
from estradyn.engine.straight_line import StraightLine
from estradyn.engine.tableau import RosenbrockMethod
from estradyn.engine.vector_math import DOUBLE, INTEGER, VectorMath

POINTER = ir.PointerType()
VOID = ir.VoidType()
BIT = ir.IntType(1)

SAFETY = 0.9
LARGEST_SHRINK = 0.2
LARGEST_GROWTH = 6.0
LARGEST_GROWTH_AFTER_DOSE = 2.0
SMALLEST_RELATIVE_STEP = 1e-14

INTEGRATE_ARGUMENTS = (
    ("patients", INTEGER),
    ("constants", POINTER),
    ("initial_states", POINTER),
    ("event_first", POINTER),
    ("event_time", POINTER),
    ("event_slot", POINTER),
    ("event_amount", POINTER),
    ("output_times", POINTER),
    ("output_count", INTEGER),
    ("start", DOUBLE),
    ("end", DOUBLE),
    ("relative_tolerance", DOUBLE),
    ("size_share", DOUBLE),
    ("absolute_tolerance", POINTER),
    ("first_step", DOUBLE),
    ("largest_step", DOUBLE),
    ("step_limit", INTEGER),
    ("outputs", POINTER),
    ("final_states", POINTER),
    ("status", POINTER),
    ("accepted", POINTER),
    ("rejected", POINTER),
    ("workspace", POINTER),
    ("integer_workspace", POINTER),
    ("vector_steps", POINTER),
)
"""Arguments of `integrate`, in order."""


@dataclass(frozen=True)
class Kernel:
    """Machine code of one model before compilation.

    Attributes
    ----------
    text
        LLVM assembly with the functions `prepare`, `rates`, `linearize`, `solve`, `observe` and
        `integrate`.
    layout
        Positions in the working memory.
    """

    text: str
    layout: Layout


def write_kernel(program: Program, method: RosenbrockMethod, width: int) -> Kernel:
    """Write the machine code that solves a model.

    Parameters
    ----------
    program
        Values of the model.
    method
        Integration method.
    width
        Lanes in a vector.
    """
    return _KernelWriter(program, method, width).write()


class _KernelWriter:
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
        )

    def write(self) -> Kernel:
        self._write_prepare()
        self.rates = self._write_rates()
        self.linearize = self._write_linearize()
        self.solve = self._write_solve()
        self.observe = self._write_observe()
        _IntegrateWriter(self).write()
        return Kernel(str(self.module), self.layout)

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

    def _write_solve(self) -> ir.Function:
        """Solve with the factors, in place."""
        function, builder = self.function("solve", "factor", "unknown")
        factor, unknown = function.args
        flags = self.mathematics.FLAGS
        steps = self.program.elimination.steps
        x = [self.load(builder, unknown, position) for position in range(self.states)]

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


class _IntegrateWriter:
    """Writes `integrate`: lanes take patients, stop for doses, step, and hand over outputs."""

    def __init__(self, kernel: _KernelWriter):
        self.kernel = kernel
        self.layout = kernel.layout
        self.method = kernel.method
        self.mathematics = kernel.mathematics
        self.vector = kernel.vector
        types = [kind for _, kind in INTEGRATE_ARGUMENTS]
        self.function = ir.Function(kernel.module, ir.FunctionType(VOID, types), "integrate")
        self.function.attributes.add("nounwind")
        for value, (name, kind) in zip(self.function.args, INTEGRATE_ARGUMENTS, strict=True):
            value.name = name
            if kind == POINTER:
                value.add_attribute("noalias")
        self.argument = dict(
            zip((name for name, _ in INTEGRATE_ARGUMENTS), self.function.args, strict=True)
        )
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    # -- small pieces ---------------------------------------------------------------------------

    def integer(self, value: int) -> ir.Constant:
        return ir.Constant(INTEGER, value)

    def vector_at(self, position: int | ir.Value) -> ir.Value:
        return self.kernel.load(self.builder, self.argument["workspace"], position)

    def put_vector(self, value: ir.Value, position: int | ir.Value) -> None:
        self.kernel.store(self.builder, value, self.argument["workspace"], position)

    def pointer(self, position: int | ir.Value) -> ir.Value:
        return self.kernel.address(self.builder, self.argument["workspace"], position)

    def lane_vector(self, name: str) -> ir.Value:
        return self.vector_at(self.layout.slot(name))

    def put_lane_vector(self, name: str, value: ir.Value) -> None:
        self.put_vector(value, self.layout.slot(name))

    def element(self, base: ir.Value, index: ir.Value, kind: ir.Type = DOUBLE) -> ir.Value:
        return self.builder.load(self.element_address(base, index, kind), typ=kind)

    def put_element(self, value: ir.Value, base: ir.Value, index: ir.Value) -> None:
        self.builder.store(value, self.element_address(base, index, value.type))

    def element_address(self, base: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
        return self.builder.gep(base, [index], inbounds=True, source_etype=kind)

    def in_lane(self, position: int | ir.Value, lane: ir.Value) -> ir.Value:
        """Index of one lane's number in the working memory."""
        if isinstance(position, int):
            position = self.integer(position)
        return self.builder.add(self.builder.mul(position, self.integer(self.layout.width)), lane)

    def scalar(self, name: str, lane: ir.Value) -> ir.Value:
        index = self.in_lane(self.layout.slot(name), lane)
        return self.element(self.argument["workspace"], index)

    def put_scalar(self, name: str, lane: ir.Value, value: ir.Value | float) -> None:
        if isinstance(value, int | float):
            value = ir.Constant(DOUBLE, float(value))
        index = self.in_lane(self.layout.slot(name), lane)
        self.put_element(value, self.argument["workspace"], index)

    def count(self, name: str, lane: ir.Value) -> ir.Value:
        index = self.in_lane(LANE_INTEGERS.index(name), lane)
        return self.element(self.argument["integer_workspace"], index, INTEGER)

    def put_count(self, name: str, lane: ir.Value, value: ir.Value | int) -> None:
        if isinstance(value, int):
            value = self.integer(value)
        index = self.in_lane(LANE_INTEGERS.index(name), lane)
        self.put_element(value, self.argument["integer_workspace"], index)

    @contextmanager
    def loop(self, stop: ir.Value | int, start: ir.Value | int = 0) -> Iterator[ir.Value]:
        """Run a body for start, start + 1, ... below stop."""
        stop = self.integer(stop) if isinstance(stop, int) else stop
        start = self.integer(start) if isinstance(start, int) else start
        head = self.function.append_basic_block("loop")
        body = self.function.append_basic_block("body")
        done = self.function.append_basic_block("done")
        before = self.builder.block
        self.builder.branch(head)
        self.builder.position_at_end(head)
        index = self.builder.phi(INTEGER)
        index.add_incoming(start, before)
        self.builder.cbranch(self.builder.icmp_signed("<", index, stop), body, done)
        self.builder.position_at_end(body)
        yield index
        index.add_incoming(self.builder.add(index, self.integer(1)), self.builder.block)
        self.builder.branch(head)
        self.builder.position_at_end(done)

    def while_(self, condition: Callable[[], ir.Value], body: Callable[[], None]) -> None:
        """Run a body as long as a condition holds."""
        head = self.function.append_basic_block("while")
        inside = self.function.append_basic_block("inside")
        done = self.function.append_basic_block("done")
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(condition(), inside, done)
        self.builder.position_at_end(inside)
        body()
        self.builder.branch(head)
        self.builder.position_at_end(done)

    def any_lane(self, condition: ir.Value) -> ir.Value:
        bits = self.builder.bitcast(condition, ir.IntType(self.layout.width))
        return self.builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    # -- the loop -------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the whole function."""
        builder = self.builder
        # All stack memory is taken once, on entry: taking it in a loop would exhaust the stack.
        self.next_patient = builder.alloca(INTEGER)
        self.taken = builder.alloca(INTEGER)
        self.largest_error = builder.alloca(self.vector)
        self.error_sum = builder.alloca(self.vector)
        self.lane_bits = {
            name: builder.alloca(ir.IntType(8), size=self.layout.width)
            for name in ("failed", "stuck", "finite")
        }
        builder.store(self.integer(0), self.next_patient)
        builder.store(self.integer(0), self.taken)
        self.put_vector_defaults()
        head = self.function.append_basic_block("advance")
        step = self.function.append_basic_block("step")
        finished = self.function.append_basic_block("finished")
        builder.branch(head)

        builder.position_at_end(head)
        self.take_patients()
        self.while_(self.output_is_due, self.hand_over_outputs)
        with builder.if_then(self.any_lane(self.lanes_at_stop())):
            self.serve_stops()
        waiting = self.any_lane(self.lanes_without_patient())
        left = builder.icmp_signed(
            "<", builder.load(self.next_patient, typ=INTEGER), self.argument["patients"]
        )
        builder.cbranch(builder.and_(waiting, left), head, step)

        builder.position_at_end(step)
        work = self.function.append_basic_block("work")
        busy = self.any_lane(builder.not_(self.lanes_without_patient()))
        builder.cbranch(busy, work, finished)
        builder.position_at_end(work)
        self.take_step()
        builder.branch(head)

        builder.position_at_end(finished)
        builder.store(builder.load(self.taken, typ=INTEGER), self.argument["vector_steps"])
        builder.ret_void()

    def put_vector_defaults(self) -> None:
        """Start with every lane empty."""
        with self.loop(self.layout.size) as position:
            self.put_vector(self.mathematics.constant(0.0), position)
        with self.loop(self.layout.width) as lane:
            self.put_count("patient", lane, -1)
            self.empty_lane(lane)

    def empty_lane(self, lane: ir.Value) -> None:
        """Give a lane without a patient times at which nothing ever happens."""
        self.put_scalar("stop", lane, float("inf"))
        self.put_scalar("next_output", lane, float("inf"))
        self.put_scalar("step", lane, 1.0)
        self.put_count("patient", lane, -1)

    def lanes_without_patient(self) -> ir.Value:
        """Bits of the lanes that have no patient: only these never have to stop."""
        return self.builder.fcmp_ordered(
            "==", self.lane_vector("stop"), self.mathematics.constant(float("inf"))
        )

    def lanes_at_stop(self) -> ir.Value:
        return self.builder.fcmp_ordered(">=", self.lane_vector("time"), self.lane_vector("stop"))

    def output_is_due(self) -> ir.Value:
        return self.any_lane(self.lanes_with_output())

    def lanes_with_output(self) -> ir.Value:
        return self.builder.fcmp_ordered(
            "<=", self.lane_vector("next_output"), self.lane_vector("time")
        )

    # -- patients come and go -------------------------------------------------------------------

    def take_patients(self) -> None:
        """Let every empty lane take the next patient, if there is one."""
        builder, argument = self.builder, self.argument
        with self.loop(self.layout.width) as lane:
            empty = builder.icmp_signed("<", self.count("patient", lane), self.integer(0))
            patient = builder.load(self.next_patient, typ=INTEGER)
            left = builder.icmp_signed("<", patient, argument["patients"])
            with builder.if_then(builder.and_(empty, left)):
                builder.store(builder.add(patient, self.integer(1)), self.next_patient)
                self.load_patient(patient, lane)

    def load_patient(self, patient: ir.Value, lane: ir.Value) -> None:
        builder, argument, layout = self.builder, self.argument, self.layout
        width = self.integer(layout.width)
        block, place = builder.udiv(patient, width), builder.urem(patient, width)
        with self.loop(layout.kept) as position:
            source = builder.add(builder.mul(block, self.integer(layout.kept)), position)
            value = self.element(argument["constants"], self.in_lane(source, place))
            target = self.in_lane(builder.add(position, self.integer(layout.constants)), lane)
            self.put_element(value, argument["workspace"], target)
        with self.loop(layout.states) as position:
            source = builder.add(builder.mul(patient, self.integer(layout.states)), position)
            value = self.element(argument["initial_states"], source)
            target = self.in_lane(builder.add(position, self.integer(layout.state)), lane)
            self.put_element(value, argument["workspace"], target)
            earlier = self.in_lane(builder.add(position, self.integer(layout.previous_state)), lane)
            self.put_element(value, argument["workspace"], earlier)
            size = self.in_lane(builder.add(position, self.integer(layout.largest_size)), lane)
            self.put_element(ir.Constant(DOUBLE, 0.0), argument["workspace"], size)
        self.put_scalar("time", lane, argument["start"])
        self.put_scalar("stop", lane, argument["start"])
        self.put_scalar("step", lane, argument["first_step"])
        self.put_scalar("last_step", lane, 1.0)
        self.put_scalar("step_after_dose", lane, argument["first_step"])
        self.put_scalar("after_dose", lane, 0.0)
        self.put_scalar("largest_growth", lane, LARGEST_GROWTH)
        self.put_count("patient", lane, patient)
        self.put_count("event", lane, self.element(argument["event_first"], patient, INTEGER))
        self.put_count("output", lane, 0)
        self.put_count("accepted", lane, 0)
        self.put_count("rejected", lane, 0)
        self.schedule_output(lane)

    def schedule_output(self, lane: ir.Value) -> None:
        """Find the next output time of a lane."""
        builder = self.builder
        position = self.count("output", lane)
        more = builder.icmp_signed("<", position, self.argument["output_count"])
        with builder.if_else(more) as (then, otherwise):
            with then:
                self.put_scalar(
                    "next_output", lane, self.element(self.argument["output_times"], position)
                )
            with otherwise:
                self.put_scalar("next_output", lane, float("inf"))

    def serve_stops(self) -> None:
        """Give the doses that are due, or let a patient go who has reached the end."""
        builder = self.builder
        with self.loop(self.layout.width) as lane:
            time = self.scalar("time", lane)
            at_stop = builder.fcmp_ordered(">=", time, self.scalar("stop", lane))
            with builder.if_then(at_stop):
                ended = builder.fcmp_ordered(">=", time, self.argument["end"])
                with builder.if_else(ended) as (then, otherwise):
                    with then:
                        self.release(lane, PatientStatus.OK)
                    with otherwise:
                        self.give_doses(lane, time)

    def give_doses(self, lane: ir.Value, time: ir.Value) -> None:
        builder, argument = self.builder, self.argument
        patient = self.count("patient", lane)
        after_last = self.element(
            argument["event_first"], builder.add(patient, self.integer(1)), INTEGER
        )

        def due() -> ir.Value:
            event = self.count("event", lane)
            more = builder.icmp_signed("<", event, after_last)
            # The array of times has one entry past the last event.
            reached = builder.fcmp_ordered("<=", self.element(argument["event_time"], event), time)
            return builder.and_(more, reached)

        def give() -> None:
            event = self.count("event", lane)
            slot = self.element(argument["event_slot"], event, INTEGER)
            index = self.in_lane(slot, lane)
            before = self.element(argument["workspace"], index)
            after = builder.fadd(before, self.element(argument["event_amount"], event))
            self.put_element(after, argument["workspace"], index)
            self.put_count("event", lane, builder.add(event, self.integer(1)))
            self.put_scalar("after_dose", lane, 1.0)

        self.while_(due, give)
        with builder.if_then(
            builder.fcmp_ordered("!=", self.scalar("after_dose", lane), ir.Constant(DOUBLE, 0.0))
        ):
            self.put_scalar("step", lane, self.scalar("step_after_dose", lane))
        event = self.count("event", lane)
        more = builder.icmp_signed("<", event, after_last)
        upcoming = self.element(argument["event_time"], event)
        earlier = builder.and_(more, builder.fcmp_ordered("<", upcoming, argument["end"]))
        self.put_scalar("stop", lane, builder.select(earlier, upcoming, argument["end"]))

    def release(self, lane: ir.Value, status: PatientStatus | ir.Value) -> None:
        """Write down a patient's end and empty her lane."""
        builder, argument, layout = self.builder, self.argument, self.layout
        patient = self.count("patient", lane)
        if isinstance(status, PatientStatus):
            status = self.integer(int(status))
        self.put_element(status, argument["status"], patient)
        for name in ("accepted", "rejected"):
            self.put_element(self.count(name, lane), argument[name], patient)
        with self.loop(layout.states) as position:
            source = self.in_lane(builder.add(position, self.integer(layout.state)), lane)
            target = builder.add(builder.mul(patient, self.integer(layout.states)), position)
            value = self.element(argument["workspace"], source)
            self.put_element(value, argument["final_states"], target)
        self.empty_lane(lane)

    # -- outputs --------------------------------------------------------------------------------

    def hand_over_outputs(self) -> None:
        """Interpolate to the next output time of each lane that has passed it."""
        builder, layout, kernel = self.builder, self.layout, self.kernel
        flags, constant = self.mathematics.FLAGS, self.mathematics.constant
        due = self.lanes_with_output()
        time, wanted = self.lane_vector("time"), self.lane_vector("next_output")
        back = builder.fdiv(builder.fsub(time, wanted), self.lane_vector("last_step"))
        # Lanes with nothing due are computed at the end of their step and not handed over.
        at_end = builder.or_(builder.not_(due), builder.fcmp_ordered("<=", back, constant(0.0)))
        one_minus = builder.select(at_end, constant(0.0), back)
        theta = builder.fsub(constant(1.0), one_minus)
        with self.loop(layout.states) as position:
            new = self.vector_at(builder.add(position, self.integer(layout.state)))
            old = self.vector_at(builder.add(position, self.integer(layout.previous_state)))
            bend: ir.Value | None = None
            for row in reversed(self.method.dense):
                term = self.weighted_stages(row, position)
                bend = (
                    term
                    if bend is None
                    else self.mathematics.multiply_add(builder, bend, theta, term)
                )
            inner = self.mathematics.multiply_add(builder, one_minus, bend, new)
            between = self.mathematics.multiply_add(
                builder, one_minus, old, builder.fmul(theta, inner, flags=flags)
            )
            # At the end of a step the interpolant is the state itself; a new patient has no step.
            self.put_vector(
                builder.select(at_end, new, between),
                builder.add(position, self.integer(layout.trial_state)),
            )
        self.put_lane_vector("stage_time", builder.select(at_end, time, wanted))
        builder.call(
            kernel.observe,
            [
                self.pointer(layout.slot("stage_time")),
                self.pointer(layout.trial_state),
                self.pointer(layout.constants),
                self.pointer(layout.output),
            ],
        )
        with self.loop(layout.width) as lane:
            reached = builder.fcmp_ordered(
                "<=", self.scalar("next_output", lane), self.scalar("time", lane)
            )
            with builder.if_then(reached):
                self.copy_output(lane)

    def copy_output(self, lane: ir.Value) -> None:
        builder, layout, argument = self.builder, self.layout, self.argument
        position = self.count("output", lane)
        row = builder.add(
            builder.mul(self.count("patient", lane), argument["output_count"]), position
        )
        with self.loop(layout.outputs) as output:
            source = self.in_lane(builder.add(output, self.integer(layout.output)), lane)
            target = builder.add(builder.mul(row, self.integer(layout.outputs)), output)
            self.put_element(
                self.element(argument["workspace"], source), argument["outputs"], target
            )
        self.put_count("output", lane, builder.add(position, self.integer(1)))
        self.schedule_output(lane)

    def weighted_stages(self, weights: tuple[float, ...], position: ir.Value) -> ir.Value:
        """Sum of stage vectors at a position, weighted."""
        total: ir.Value | None = None
        for stage, weight in enumerate(weights):
            if weight == 0.0:
                continue
            offset = self.integer(self.layout.stage + stage * self.layout.states)
            value = self.vector_at(self.builder.add(position, offset))
            factor = self.mathematics.constant(weight)
            total = (
                self.builder.fmul(value, factor, flags=self.mathematics.FLAGS)
                if total is None
                else self.mathematics.multiply_add(self.builder, value, factor, total)
            )
        return self.mathematics.constant(0.0) if total is None else total

    # -- one step -------------------------------------------------------------------------------

    def take_step(self) -> None:
        """Try one step in every lane; lanes whose error is too large stay where they are."""
        builder, layout = self.builder, self.layout
        constant, flags = self.mathematics.constant, self.mathematics.FLAGS
        builder.store(
            builder.add(builder.load(self.taken, typ=INTEGER), self.integer(1)), self.taken
        )
        step = self.choose_step()
        inverse = builder.fdiv(constant(1.0), step)
        self.put_lane_vector("inverse_step", inverse)
        self.put_lane_vector(
            "shift", builder.fmul(inverse, constant(1.0 / self.method.gamma), flags=flags)
        )
        for stage in range(self.method.stages):
            self.compute_stage(stage, step)
        error, total = self.estimate_error()
        finite = builder.fcmp_ordered("<", total, constant(float("inf")))
        accepted = builder.and_(finite, builder.fcmp_ordered("<=", error, constant(1.0)))
        self.adapt_step(step, error, finite, accepted)
        with self.loop(layout.states) as position:
            state = builder.add(position, self.integer(layout.state))
            old = self.vector_at(state)
            new = self.vector_at(builder.add(position, self.integer(layout.trial_state)))
            self.put_vector(old, builder.add(position, self.integer(layout.previous_state)))
            self.put_vector(builder.select(accepted, new, old), state)
        self.book_steps(step, finite, accepted)

    def choose_step(self) -> ir.Value:
        """The step each lane tries: what its error control asks for, ending at its stop."""
        builder, constant = self.builder, self.mathematics.constant
        remaining = builder.fsub(self.lane_vector("stop"), self.lane_vector("time"))
        wanted = self.lane_vector("step")
        # Two even steps to the stop are better than a long one and a very short one.
        half = builder.fmul(remaining, constant(0.5))
        near = builder.fcmp_ordered("<", half, wanted)
        step = builder.select(near, half, wanted)
        reaches = builder.fcmp_ordered(">=", wanted, remaining)
        return builder.select(reaches, remaining, step)

    def compute_stage(self, stage: int, step: ir.Value) -> None:
        builder, layout, method, kernel = self.builder, self.layout, self.method, self.kernel
        flags, constant = self.mathematics.FLAGS, self.mathematics.constant
        own = layout.stage + stage * layout.states
        time = self.lane_vector("time")
        shifted = self.mathematics.multiply_add(builder, step, constant(method.time[stage]), time)
        self.put_lane_vector("stage_time", shifted)
        if stage == 0:
            builder.call(
                kernel.linearize,
                [
                    self.pointer(layout.slot("stage_time")),
                    self.pointer(layout.state),
                    self.pointer(layout.constants),
                    self.pointer(layout.slot("shift")),
                    self.pointer(own),
                    self.pointer(layout.time_derivative),
                    self.pointer(layout.factor),
                ],
            )
        else:
            with self.loop(layout.states) as position:
                state = self.vector_at(builder.add(position, self.integer(layout.state)))
                moved = builder.fadd(
                    state, self.weighted_stages(method.position[stage], position), flags=flags
                )
                self.put_vector(moved, builder.add(position, self.integer(layout.trial_state)))
            builder.call(
                kernel.rates,
                [
                    self.pointer(layout.slot("stage_time")),
                    self.pointer(layout.trial_state),
                    self.pointer(layout.constants),
                    self.pointer(own),
                ],
            )
        inverse = self.lane_vector("inverse_step")
        uses_time = kernel.program.depends_on_time and method.time_derivative[stage] != 0.0
        if stage > 0 or uses_time:
            with self.loop(layout.states) as position:
                index = builder.add(position, self.integer(own))
                value = self.vector_at(index)
                if stage > 0:
                    coupled = self.weighted_stages(method.coupling[stage], position)
                    value = self.mathematics.multiply_add(builder, coupled, inverse, value)
                if uses_time:
                    slope = self.vector_at(
                        builder.add(position, self.integer(layout.time_derivative))
                    )
                    weight = builder.fmul(
                        step, constant(method.time_derivative[stage]), flags=flags
                    )
                    value = self.mathematics.multiply_add(builder, slope, weight, value)
                self.put_vector(value, index)
        builder.call(kernel.solve, [self.pointer(layout.factor), self.pointer(own)])

    def estimate_error(self) -> tuple[ir.Value, ir.Value]:
        """Largest error over tolerance, and a sum that shows values that are not finite.

        Leaves the state at the end of the step in `trial_state`.
        """
        builder, layout, flags = self.builder, self.layout, self.mathematics.FLAGS
        last = layout.stage + (self.method.stages - 1) * layout.states
        relative = self.broadcast(self.argument["relative_tolerance"])
        share = self.broadcast(self.argument["size_share"])
        largest, total = self.largest_error, self.error_sum
        zero = self.mathematics.constant(0.0)
        builder.store(zero, largest)
        builder.store(zero, total)
        with self.loop(layout.states) as position:
            old = self.vector_at(builder.add(position, self.integer(layout.state)))
            trial = builder.add(position, self.integer(layout.trial_state))
            error = self.vector_at(builder.add(position, self.integer(last)))
            # The last stage starts from the solution of lower order.
            new = builder.fadd(self.vector_at(trial), error, flags=flags)
            self.put_vector(new, trial)
            old_size = self.mathematics.intrinsic(builder, "fabs", old)
            new_size = self.mathematics.intrinsic(builder, "fabs", new)
            size = builder.select(builder.fcmp_ordered(">", old_size, new_size), old_size, new_size)
            largest_size = builder.add(position, self.integer(layout.largest_size))
            ever = self.vector_at(largest_size)
            ever = builder.select(builder.fcmp_ordered(">", old_size, ever), old_size, ever)
            self.put_vector(ever, largest_size)
            size = self.mathematics.multiply_add(builder, ever, share, size)
            floor = self.broadcast(self.element(self.argument["absolute_tolerance"], position))
            allowed = self.mathematics.multiply_add(builder, size, relative, floor)
            ratio = builder.fdiv(self.mathematics.intrinsic(builder, "fabs", error), allowed)
            so_far = builder.load(largest, typ=self.vector)
            larger = builder.fcmp_ordered(">", ratio, so_far)
            builder.store(builder.select(larger, ratio, so_far), largest)
            builder.store(builder.fadd(builder.load(total, typ=self.vector), ratio), total)
        return builder.load(largest, typ=self.vector), builder.load(total, typ=self.vector)

    def broadcast(self, value: ir.Value) -> ir.Value:
        """Put one number in every lane."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, value, self.integer(0))
        mask = ir.Constant(
            ir.VectorType(ir.IntType(32), self.layout.width),
            [ir.Constant(ir.IntType(32), 0)] * self.layout.width,
        )
        return self.builder.shuffle_vector(first, undefined, mask)

    def adapt_step(
        self, step: ir.Value, error: ir.Value, finite: ir.Value, accepted: ir.Value
    ) -> None:
        """Set the next step of each lane from the error of this one."""
        builder, constant = self.builder, self.mathematics.constant
        logarithm = self.mathematics.log(builder, error)
        power = builder.fmul(logarithm, constant(-1.0 / self.method.order))
        factor = builder.fmul(self.mathematics.exp(builder, power), constant(SAFETY))
        most = self.lane_vector("largest_growth")
        factor = builder.select(builder.fcmp_ordered(">", factor, most), most, factor)
        least = constant(LARGEST_SHRINK)
        factor = builder.select(builder.fcmp_ordered("<", factor, least), least, factor)
        factor = builder.select(finite, factor, least)
        wanted = self.lane_vector("step")
        proposed = builder.fmul(step, factor)
        # A step cut short by a stop says little about how long the next may be.
        cut = builder.and_(accepted, builder.fcmp_ordered("<", step, wanted))
        longer = builder.select(builder.fcmp_ordered(">", wanted, proposed), wanted, proposed)
        proposed = builder.select(cut, longer, proposed)
        limit = self.broadcast(self.argument["largest_step"])
        proposed = builder.select(builder.fcmp_ordered(">", proposed, limit), limit, proposed)
        self.put_lane_vector("step", proposed)
        self.put_lane_vector(
            "largest_growth", builder.select(accepted, constant(LARGEST_GROWTH), constant(1.0))
        )
        dosed = builder.fcmp_ordered("!=", self.lane_vector("after_dose"), constant(0.0))
        first = builder.and_(accepted, dosed)
        cap = constant(LARGEST_GROWTH_AFTER_DOSE)
        gentle = builder.select(builder.fcmp_ordered(">", factor, cap), cap, factor)
        remembered = self.lane_vector("step_after_dose")
        self.put_lane_vector(
            "step_after_dose", builder.select(first, builder.fmul(step, gentle), remembered)
        )
        self.put_lane_vector(
            "after_dose", builder.select(accepted, constant(0.0), self.lane_vector("after_dose"))
        )

    def book_steps(self, step: ir.Value, finite: ir.Value, accepted: ir.Value) -> None:
        """Advance the time of accepted lanes, count steps and release failed patients."""
        builder, constant = self.builder, self.mathematics.constant
        time, stop = self.lane_vector("time"), self.lane_vector("stop")
        remaining = builder.fsub(stop, time)
        moved = builder.select(
            builder.fcmp_ordered(">=", step, remaining), stop, builder.fadd(time, step)
        )
        empty = self.lanes_without_patient()
        advanced = builder.and_(accepted, builder.not_(empty))
        self.put_lane_vector("time", builder.select(advanced, moved, time))
        self.put_lane_vector(
            "last_step", builder.select(advanced, step, self.lane_vector("last_step"))
        )
        zero = self.mathematics.integer(0)
        for name, counted in (("accepted", accepted), ("rejected", builder.not_(accepted))):
            address = self.element_address(
                self.argument["integer_workspace"],
                self.integer(LANE_INTEGERS.index(name) * self.layout.width),
                INTEGER,
            )
            before = builder.load(
                address, typ=self.mathematics.integers, align=8 * self.layout.width
            )
            one = builder.select(counted, self.mathematics.integer(1), zero)
            builder.store(builder.add(before, one), address, align=8 * self.layout.width)
        size = self.mathematics.intrinsic(builder, "fabs", time)
        smallest = builder.fmul(builder.fadd(size, step), constant(SMALLEST_RELATIVE_STEP))
        rejected = builder.and_(builder.not_(accepted), builder.not_(empty))
        # The unordered comparison also holds for a step that is not a number.
        stuck = builder.and_(rejected, builder.fcmp_unordered("<=", step, smallest))
        tiny = builder.fcmp_ordered("<", step, constant(1e-300))
        stuck = builder.or_(stuck, builder.and_(rejected, tiny))
        used = self.steps_used()
        too_many = builder.and_(
            builder.icmp_signed(">=", used, self.broadcast_integer(self.argument["step_limit"])),
            builder.not_(empty),
        )
        failed = builder.or_(stuck, too_many)
        with builder.if_then(self.any_lane(failed)):
            self.release_failed(failed, stuck, finite)

    def steps_used(self) -> ir.Value:
        """Steps each lane has tried for its patient."""
        total: ir.Value | None = None
        for name in ("accepted", "rejected"):
            address = self.element_address(
                self.argument["integer_workspace"],
                self.integer(LANE_INTEGERS.index(name) * self.layout.width),
                INTEGER,
            )
            value = self.builder.load(
                address, typ=self.mathematics.integers, align=8 * self.layout.width
            )
            total = value if total is None else self.builder.add(total, value)
        assert total is not None
        return total

    def broadcast_integer(self, value: ir.Value) -> ir.Value:
        undefined = ir.Constant(self.mathematics.integers, ir.Undefined)
        first = self.builder.insert_element(undefined, value, self.integer(0))
        mask = ir.Constant(
            ir.VectorType(ir.IntType(32), self.layout.width),
            [ir.Constant(ir.IntType(32), 0)] * self.layout.width,
        )
        return self.builder.shuffle_vector(first, undefined, mask)

    def release_failed(self, failed: ir.Value, stuck: ir.Value, finite: ir.Value) -> None:
        builder = self.builder
        slots = self.lane_bits
        for name, bits in (("failed", failed), ("stuck", stuck), ("finite", finite)):
            for lane in range(self.layout.width):
                bit = builder.extract_element(bits, self.integer(lane))
                self.put_element(builder.zext(bit, ir.IntType(8)), slots[name], self.integer(lane))

        def holds(name: str, lane: ir.Value) -> ir.Value:
            return builder.trunc(self.element(slots[name], lane, ir.IntType(8)), BIT)

        with self.loop(self.layout.width) as lane, builder.if_then(holds("failed", lane)):
            when_stuck = builder.select(
                holds("finite", lane),
                self.integer(int(PatientStatus.STEP_TOO_SMALL)),
                self.integer(int(PatientStatus.NOT_FINITE)),
            )
            limit = self.integer(int(PatientStatus.STEP_LIMIT))
            status = builder.select(holds("stuck", lane), when_stuck, limit)
            self.release(lane, status)
