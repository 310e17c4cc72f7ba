"""Machine code for events: finding the moment a condition becomes true, and what happens then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir

if TYPE_CHECKING:
    from estradyn.engine.integrate_code import IntegrateCode

LOOKS_PER_STEP = 8
"""Points of a step at which conditions are looked at; one that holds only between is missed."""
HALVINGS = 54
"""Bisections of the part of a step with an event: as far as the arithmetic resolves."""
LARGEST_CASCADE = 100
"""Rounds of events that set each other off at one moment before the solver moves on."""


class EventCode:
    """Writes the parts of the integrator that deal with events.

    Parameters
    ----------
    integrate
        Writer of the integrator.
    """

    def __init__(self, integrate: IntegrateCode):
        self.lanes = integrate
        self.layout = integrate.layout
        self.mathematics = integrate.mathematics
        self.rounds = integrate.builder.alloca(ir.IntType(64))

    @property
    def builder(self) -> ir.IRBuilder:
        """Position to write at."""
        return self.lanes.builder

    def start_patient(self, lane: ir.Value) -> None:
        """Set what each condition was before the start."""
        lanes = self.lanes
        for event, before in enumerate(lanes.model_code.program.true_before_start):
            index = lanes.in_lane(self.layout.trigger_before + event, lane)
            value = ir.Constant(ir.DoubleType(), float(before))
            lanes.put_element(value, lanes.argument["workspace"], index)

    def look(self, time: int, state: int) -> None:
        """Compute all conditions at a time and state, given by their places in memory."""
        lanes = self.lanes
        self.builder.call(
            lanes.model_code.triggers,
            [
                lanes.pointer(time),
                lanes.pointer(state),
                lanes.pointer(self.layout.constants),
                lanes.pointer(self.layout.trigger_now),
            ],
        )

    def becomes_true(self) -> ir.Value:
        """Lanes in which some condition did not hold before and holds now."""
        builder, lanes = self.builder, self.lanes
        result: ir.Value | None = None
        for event in range(self.layout.events):
            before = lanes.vector_at(self.layout.trigger_before + event)
            now = lanes.vector_at(self.layout.trigger_now + event)
            turned = builder.fcmp_ordered(">", now, before)
            result = turned if result is None else builder.or_(result, turned)
        assert result is not None
        return result

    def remember(self, where: ir.Value) -> None:
        """Take the conditions of now as those of before, in some lanes."""
        builder, lanes = self.builder, self.lanes
        for event in range(self.layout.events):
            before = lanes.vector_at(self.layout.trigger_before + event)
            now = lanes.vector_at(self.layout.trigger_now + event)
            place = self.layout.trigger_before + event
            lanes.put_vector(builder.select(where, now, before), place)

    def fire(self) -> None:
        """Let every event happen whose condition has become true at the current time and state."""
        builder, lanes, layout = self.builder, self.lanes, self.layout
        zero = ir.Constant(ir.IntType(64), 0)
        builder.store(zero, self.rounds)

        def something_happens() -> ir.Value:
            self.look(layout.slot("time"), layout.state)
            busy = builder.not_(lanes.lanes_without_patient())
            turned = builder.and_(self.becomes_true(), busy)
            done = builder.load(self.rounds, typ=ir.IntType(64))
            allowed = builder.icmp_signed("<", done, ir.Constant(done.type, LARGEST_CASCADE))
            return builder.and_(lanes.any_lane(turned), allowed)

        def happen() -> None:
            done = builder.load(self.rounds, typ=ir.IntType(64))
            builder.store(builder.add(done, ir.Constant(done.type, 1)), self.rounds)
            busy = builder.not_(lanes.lanes_without_patient())
            constant = self.mathematics.constant
            for event in range(layout.events):
                before = lanes.vector_at(layout.trigger_before + event)
                now = lanes.vector_at(layout.trigger_now + event)
                happens = builder.and_(builder.fcmp_ordered(">", now, before), busy)
                one = builder.select(happens, constant(1.0), constant(0.0))
                lanes.put_vector(one, layout.firing + event)
            self.restart_steps()
            self.remember(busy)
            builder.call(
                lanes.model_code.change,
                [
                    lanes.pointer(layout.slot("time")),
                    lanes.pointer(layout.state),
                    lanes.pointer(layout.constants),
                    lanes.pointer(layout.firing),
                ],
            )

        lanes.while_(something_happens, happen)
        self.remember(builder.not_(lanes.lanes_without_patient()))

    def restart_steps(self) -> None:
        """Let lanes in which an event happens step on as they do after a dose."""
        builder, lanes, layout = self.builder, self.lanes, self.layout
        happens: ir.Value | None = None
        for event in range(layout.events):
            one = lanes.vector_at(layout.firing + event)
            here = builder.fcmp_ordered("!=", one, self.mathematics.constant(0.0))
            happens = here if happens is None else builder.or_(happens, here)
        for name, value in (
            ("step", lanes.lane_vector("step_after_dose")),
            ("after_dose", self.mathematics.constant(1.0)),
        ):
            lanes.put_lane_vector(name, builder.select(happens, value, lanes.lane_vector(name)))

    def find_in_step(self, accepted: ir.Value) -> None:
        """Cut the step of lanes in which an event happens short, to just after that moment.

        Looks at the conditions along the interpolant of the step and halves the first part in
        which one becomes true. The conditions remembered are those just before.
        """
        builder, lanes, layout = self.builder, self.lanes, self.layout
        constant = self.mathematics.constant
        one, zero = constant(1.0), constant(0.0)
        lanes.put_lane_vector("event_found", zero)
        lanes.put_lane_vector("event_after", zero)
        lanes.put_lane_vector("event_by", one)
        for look in range(1, LOOKS_PER_STEP + 1):
            self.look_at(constant(look / LOOKS_PER_STEP))
            found = builder.fcmp_ordered("!=", lanes.lane_vector("event_found"), zero)
            free = builder.and_(accepted, builder.not_(found))
            new = builder.and_(self.becomes_true(), free)
            for name, value in (
                ("event_found", 1.0),
                ("event_after", (look - 1) / LOOKS_PER_STEP),
                ("event_by", look / LOOKS_PER_STEP),
            ):
                chosen = builder.select(new, constant(value), lanes.lane_vector(name))
                lanes.put_lane_vector(name, chosen)
            self.remember(builder.and_(free, builder.not_(new)))
        found = builder.fcmp_ordered("!=", lanes.lane_vector("event_found"), zero)
        with builder.if_then(lanes.any_lane(found)):
            with lanes.loop(HALVINGS):
                low, high = lanes.lane_vector("event_after"), lanes.lane_vector("event_by")
                middle = builder.fmul(builder.fadd(low, high), constant(0.5))
                self.look_at(middle)
                turned = self.becomes_true()
                lanes.put_lane_vector("event_by", builder.select(turned, middle, high))
                lanes.put_lane_vector("event_after", builder.select(turned, low, middle))
            self.look_at(lanes.lane_vector("event_by"))
            time = builder.select(found, lanes.lane_vector("stage_time"), lanes.lane_vector("time"))
            lanes.put_lane_vector("time", time)
            with lanes.loop(layout.states) as position:
                place = builder.add(position, lanes.integer(layout.state))
                at_event = builder.add(position, lanes.integer(layout.trial_state))
                state = builder.select(found, lanes.vector_at(at_event), lanes.vector_at(place))
                lanes.put_vector(state, place)

    def look_at(self, theta: ir.Value) -> None:
        """Compute all conditions at a relative position of the last step of each lane."""
        builder, lanes = self.builder, self.lanes
        rest = builder.fsub(self.mathematics.constant(1.0), theta)
        lanes.interpolate(rest, self.layout.step_end)
        back = builder.fmul(rest, lanes.lane_vector("last_step"))
        lanes.put_lane_vector("stage_time", builder.fsub(lanes.lane_vector("step_end_time"), back))
        self.look(self.layout.slot("stage_time"), self.layout.trial_state)
