"""Machine code that every part of the integrator uses: memory of the lanes, loops, conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llvmlite import ir

from estradyn.engine.layout import LANE_INTEGERS
from estradyn.engine.model_code import POINTER, VOID, ModelCode
from estradyn.engine.vector_math import DOUBLE, INTEGER

INTEGRATE_ARGUMENTS = (
    ("patients", INTEGER),
    ("next_patient", POINTER),
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
    ("dose_tolerance", POINTER),
    ("dose_size", POINTER),
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


class LaneCode:
    """The function `integrate` and what it is written with: memory, loops, conditions.

    Parameters
    ----------
    model_code
        Functions of the model, already written.
    """

    def __init__(self, model_code: ModelCode):
        self.model_code = model_code
        self.layout = model_code.layout
        self.method = model_code.method
        self.mathematics = model_code.mathematics
        self.vector = model_code.vector
        types = [kind for _, kind in INTEGRATE_ARGUMENTS]
        module = model_code.module
        self.function = ir.Function(module, ir.FunctionType(VOID, types), "integrate")
        self.function.attributes.add("nounwind")
        for value, (name, kind) in zip(self.function.args, INTEGRATE_ARGUMENTS, strict=True):
            value.name = name
            if kind == POINTER:
                value.add_attribute("noalias")
        self.argument = dict(
            zip((name for name, _ in INTEGRATE_ARGUMENTS), self.function.args, strict=True)
        )
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def integer(self, value: int) -> ir.Constant:
        """Return an integer constant."""
        return ir.Constant(INTEGER, value)

    def vector_at(self, position: int | ir.Value) -> ir.Value:
        """Load a vector of the working memory."""
        return self.model_code.load(self.builder, self.argument["workspace"], position)

    def put_vector(self, value: ir.Value, position: int | ir.Value) -> None:
        """Store a vector in the working memory."""
        self.model_code.store(self.builder, value, self.argument["workspace"], position)

    def pointer(self, position: int | ir.Value) -> ir.Value:
        """Return the address of a vector of the working memory."""
        return self.model_code.address(self.builder, self.argument["workspace"], position)

    def lane_vector(self, name: str) -> ir.Value:
        """Load a scalar of every lane."""
        return self.vector_at(self.layout.slot(name))

    def put_lane_vector(self, name: str, value: ir.Value) -> None:
        """Store a scalar of every lane."""
        self.put_vector(value, self.layout.slot(name))

    def element(self, base: ir.Value, index: ir.Value, kind: ir.Type = DOUBLE) -> ir.Value:
        """Load one element of an array."""
        return self.builder.load(self.element_address(base, index, kind), typ=kind)

    def put_element(self, value: ir.Value, base: ir.Value, index: ir.Value) -> None:
        """Store one element of an array."""
        self.builder.store(value, self.element_address(base, index, value.type))

    def element_address(self, base: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
        """Return the address of one element of an array."""
        return self.builder.gep(base, [index], inbounds=True, source_etype=kind)

    def in_lane(self, position: int | ir.Value, lane: ir.Value) -> ir.Value:
        """Index of one lane's number in the working memory."""
        if isinstance(position, int):
            position = self.integer(position)
        return self.builder.add(self.builder.mul(position, self.integer(self.layout.width)), lane)

    def scalar(self, name: str, lane: ir.Value) -> ir.Value:
        """Load a scalar of one lane."""
        index = self.in_lane(self.layout.slot(name), lane)
        return self.element(self.argument["workspace"], index)

    def put_scalar(self, name: str, lane: ir.Value, value: ir.Value | float) -> None:
        """Store a scalar of one lane."""
        if isinstance(value, int | float):
            value = ir.Constant(DOUBLE, float(value))
        index = self.in_lane(self.layout.slot(name), lane)
        self.put_element(value, self.argument["workspace"], index)

    def count(self, name: str, lane: ir.Value) -> ir.Value:
        """Load an integer of one lane."""
        index = self.in_lane(LANE_INTEGERS.index(name), lane)
        return self.element(self.argument["integer_workspace"], index, INTEGER)

    def put_count(self, name: str, lane: ir.Value, value: ir.Value | int) -> None:
        """Store an integer of one lane."""
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
        """Return whether a condition holds in any lane."""
        bits = self.builder.bitcast(condition, ir.IntType(self.layout.width))
        return self.builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    def broadcast(self, value: ir.Value) -> ir.Value:
        """Put one number or integer in every lane."""
        width = self.layout.width
        undefined = ir.Constant(ir.VectorType(value.type, width), ir.Undefined)
        first = self.builder.insert_element(undefined, value, self.integer(0))
        zero = ir.Constant(ir.IntType(32), 0)
        mask = ir.Constant(ir.VectorType(zero.type, width), [zero] * width)
        return self.builder.shuffle_vector(first, undefined, mask)

    def counts(self, name: str) -> ir.Value:
        """Load an integer of every lane."""
        return self.builder.load(
            self._counts_address(name),
            typ=self.mathematics.integers,
            align=8 * self.layout.width,
        )

    def put_counts(self, name: str, value: ir.Value) -> None:
        """Store an integer of every lane."""
        self.builder.store(value, self._counts_address(name), align=8 * self.layout.width)

    def _counts_address(self, name: str) -> ir.Value:
        first = self.integer(LANE_INTEGERS.index(name) * self.layout.width)
        return self.element_address(self.argument["integer_workspace"], first, INTEGER)
