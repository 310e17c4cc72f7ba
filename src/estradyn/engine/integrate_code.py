"""Machine code of the integrator: lanes take patients, stop for doses, step, hand over outputs."""

from __future__ import annotations

from llvmlite import ir

from estradyn.engine.event_code import EventCode
from estradyn.engine.lane_code import LaneCode
from estradyn.engine.status import PatientStatus
from estradyn.engine.vector_math import DOUBLE, INTEGER

BIT = ir.IntType(1)

SAFETY = 0.9
LARGEST_SHRINK = 0.2
LARGEST_GROWTH = 6.0
LARGEST_GROWTH_AFTER_DOSE = 2.0
SMALLEST_RELATIVE_STEP = 1e-14
SAME_TIME = 1e-13
"""Relative difference below which an output is at the time of an event."""


class IntegrateCode(LaneCode):
    """Writes `integrate`."""

    # -- the loop -------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the whole function."""
        builder = self.builder
        # All stack memory is taken once, on entry: taking it in a loop would exhaust the stack.
        self.taken = builder.alloca(INTEGER)
        self.largest_error = builder.alloca(self.vector)
        self.error_sum = builder.alloca(self.vector)
        self.lane_bits = {
            name: builder.alloca(ir.IntType(8), size=self.layout.width)
            for name in ("failed", "stuck", "finite")
        }
        self.events = EventCode(self) if self.layout.events else None
        builder.store(self.integer(0), self.taken)
        self.put_vector_defaults()
        head = self.function.append_basic_block("advance")
        step = self.function.append_basic_block("step")
        finished = self.function.append_basic_block("finished")
        builder.branch(head)

        builder.position_at_end(head)
        self.take_patients()
        if self.events:
            self.while_(self.output_is_due_before_event, self.hand_over_outputs_before_event)
            self.events.fire()
        self.while_(self.output_is_due, self.hand_over_outputs)
        with builder.if_then(self.any_lane(self.lanes_at_stop())):
            self.serve_stops()
        if self.events:
            self.events.fire()
        waiting = self.any_lane(self.lanes_without_patient())
        builder.cbranch(builder.and_(waiting, self.patients_are_left()), head, step)

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
        """Lanes that have reached the time they must stop at."""
        return self.builder.fcmp_ordered(">=", self.lane_vector("time"), self.lane_vector("stop"))

    def output_is_due(self) -> ir.Value:
        """Whether any lane has an output up to its time."""
        return self.any_lane(self.lanes_with_output())

    def output_is_due_before_event(self) -> ir.Value:
        """Whether an output lies inside a step that an event cut short.

        Outputs at the moment of an event itself are taken after it.
        """
        return self.any_lane(self.lanes_with_output_inside_step())

    def lanes_with_output_inside_step(self) -> ir.Value:
        """Lanes with an output due before, and not just at, their time."""
        builder, time = self.builder, self.lane_vector("time")
        size = self.mathematics.intrinsic(builder, "fabs", time)
        scale = builder.fadd(size, self.lane_vector("last_step"))
        margin = builder.fmul(scale, self.mathematics.constant(SAME_TIME))
        inside = builder.fcmp_ordered(
            "<", self.lane_vector("next_output"), builder.fsub(time, margin)
        )
        return inside

    def lanes_with_output(self) -> ir.Value:
        """Lanes that have an output up to their time."""
        return self.builder.fcmp_ordered(
            "<=", self.lane_vector("next_output"), self.lane_vector("time")
        )

    # -- patients come and go -------------------------------------------------------------------

    def take_patients(self) -> None:
        """Let every empty lane take the next patient, if there is one.

        Threads share the counter, so that all are busy until the last patient is taken; who is
        solved beside whom changes no result.
        """
        builder, argument = self.builder, self.argument
        with self.loop(self.layout.width) as lane:
            empty = builder.icmp_signed("<", self.count("patient", lane), self.integer(0))
            with builder.if_then(builder.and_(empty, self.patients_are_left())):
                patient = builder.atomic_rmw(
                    "add", argument["next_patient"], self.integer(1), "monotonic"
                )
                # Another thread may have taken the last one in between.
                with builder.if_then(builder.icmp_signed("<", patient, argument["patients"])):
                    self.load_patient(patient, lane)

    def patients_are_left(self) -> ir.Value:
        """Whether somebody has not been taken yet."""
        builder, argument = self.builder, self.argument
        following = builder.load_atomic(argument["next_patient"], "monotonic", 8, typ=INTEGER)
        return builder.icmp_signed("<", following, argument["patients"])

    def load_patient(self, patient: ir.Value, lane: ir.Value) -> None:
        """Put a patient's constants and initial state into a lane."""
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
        self.put_scalar("dose_size", lane, self.element(argument["dose_size"], patient))
        self.put_scalar("largest_growth", lane, LARGEST_GROWTH)
        self.put_count("patient", lane, patient)
        self.put_count("event", lane, self.element(argument["event_first"], patient, INTEGER))
        self.put_count("output", lane, 0)
        self.put_count("accepted", lane, 0)
        self.put_count("rejected", lane, 0)
        self.schedule_output(lane)
        if self.events:
            self.events.start_patient(lane)

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
        """Give a lane the doses that are due and set its next stop."""
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
        """Hand over what is due up to the current time; at that time, the current state."""
        due = self.lanes_with_output()
        if self.events:
            self.hand_over(due, self.builder.and_(due, self.builder.not_(due)))
            return
        time, wanted = self.lane_vector("time"), self.lane_vector("next_output")
        self.hand_over(due, self.builder.fcmp_ordered("<", wanted, time))

    def hand_over_outputs_before_event(self) -> None:
        """Hand over what is due inside the step that an event may have cut short."""
        inside = self.lanes_with_output_inside_step()
        self.hand_over(inside, inside)

    def hand_over(self, due: ir.Value, inside: ir.Value) -> None:
        """Compute and copy the next output of some lanes.

        Parameters
        ----------
        due
            Lanes to hand over.
        inside
            Lanes whose output lies inside their last step; the rest are at their current state.
        """
        builder, layout = self.builder, self.layout
        constant = self.mathematics.constant
        time, wanted = self.lane_vector("time"), self.lane_vector("next_output")
        end = self.lane_vector("step_end_time") if self.events else time
        back = builder.fdiv(builder.fsub(end, wanted), self.lane_vector("last_step"))
        self.interpolate(builder.select(inside, back, constant(0.0)), layout.step_end)
        if self.events:
            with self.loop(layout.states) as position:
                trial = builder.add(position, self.integer(layout.trial_state))
                state = self.vector_at(builder.add(position, self.integer(layout.state)))
                self.put_vector(builder.select(inside, self.vector_at(trial), state), trial)
        self.put_lane_vector("stage_time", builder.select(inside, wanted, time))
        self.put_lane_vector("output_due", builder.select(due, constant(1.0), constant(0.0)))
        builder.call(
            self.model_code.observe,
            [
                self.pointer(layout.slot("stage_time")),
                self.pointer(layout.trial_state),
                self.pointer(layout.constants),
                self.pointer(layout.output),
            ],
        )
        with self.loop(layout.width) as lane:
            chosen = self.scalar("output_due", lane)
            with builder.if_then(builder.fcmp_ordered("!=", chosen, ir.Constant(DOUBLE, 0.0))):
                self.copy_output(lane)

    def interpolate(self, rest: ir.Value, end_state: int) -> None:
        """Leave the solution inside the last step in `trial_state`.

        Parameters
        ----------
        rest
            Share of the step that lies after the wanted point; zero gives the end state itself,
            also for a new patient, who has no step.
        end_state
            Place of the state at the end of the step.

        Without events only the states that outputs are made of are interpolated.
        """
        builder, layout, constant = self.builder, self.layout, self.mathematics.constant
        theta = builder.fsub(constant(1.0), rest)
        at_end = builder.fcmp_ordered("==", rest, constant(0.0))
        needed = self.model_code.program.states_of_outputs
        if self.events:
            needed = tuple(range(layout.states))
        listed = self.positions(needed)
        with self.loop(len(needed)) as place:
            position = self.element(listed, place, INTEGER)
            new = self.vector_at(builder.add(position, self.integer(end_state)))
            old = self.vector_at(builder.add(position, self.integer(layout.previous_state)))
            bend: ir.Value | None = None
            for row in reversed(self.method.dense):
                term = self.weighted_stages(row, position)
                bend = (
                    term
                    if bend is None
                    else self.mathematics.multiply_add(builder, bend, theta, term)
                )
            inner = self.mathematics.multiply_add(builder, rest, bend, new)
            between = self.mathematics.multiply_add(
                builder, rest, old, builder.fmul(theta, inner, flags=self.mathematics.FLAGS)
            )
            self.put_vector(
                builder.select(at_end, new, between),
                builder.add(position, self.integer(layout.trial_state)),
            )

    def positions(self, numbers: tuple[int, ...]) -> ir.Value:
        """Return an array of positions that the code may loop over."""
        kind = ir.ArrayType(INTEGER, len(numbers))
        module = self.model_code.module
        array = ir.GlobalVariable(module, kind, module.get_unique_name("positions"))
        array.linkage = "internal"
        array.global_constant = True
        array.initializer = ir.Constant(kind, list(numbers))
        return array

    def copy_output(self, lane: ir.Value) -> None:
        """Copy the outputs of a lane to where the caller finds them."""
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
            if self.events:
                step_end = builder.add(position, self.integer(layout.step_end))
                self.put_vector(builder.select(accepted, new, self.vector_at(step_end)), step_end)
        self.book_steps(step, finite, accepted)
        if self.events:
            busy = builder.not_(self.lanes_without_patient())
            self.events.find_in_step(builder.and_(accepted, busy))

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
        """Compute one stage of the method in every lane."""
        builder, layout, method, model_code = (
            self.builder,
            self.layout,
            self.method,
            self.model_code,
        )
        flags, constant = self.mathematics.FLAGS, self.mathematics.constant
        own = layout.stage + stage * layout.states
        time = self.lane_vector("time")
        shifted = self.mathematics.multiply_add(builder, step, constant(method.time[stage]), time)
        self.put_lane_vector("stage_time", shifted)
        if stage == 0:
            with self.loop(layout.states) as position:
                self.put_vector(constant(0.0), builder.add(position, self.integer(own)))
            builder.call(
                model_code.linearize,
                [
                    self.pointer(layout.slot("stage_time")),
                    self.pointer(layout.state),
                    self.pointer(layout.constants),
                    self.pointer(layout.slot("shift")),
                    self.pointer(layout.rate),
                    self.pointer(layout.time_derivative),
                    self.pointer(layout.factor),
                ],
            )
        else:
            with self.loop(layout.states) as position:
                self.put_vector(
                    self.stage_position(stage, position),
                    builder.add(position, self.integer(layout.trial_state)),
                )
                coupled = self.weighted_stages(method.coupling[stage], position)
                self.put_vector(
                    builder.fmul(coupled, self.lane_vector("inverse_step"), flags=flags),
                    builder.add(position, self.integer(own)),
                )
            builder.call(
                model_code.rates,
                [
                    self.pointer(layout.slot("stage_time")),
                    self.pointer(layout.trial_state),
                    self.pointer(layout.constants),
                    self.pointer(layout.rate),
                ],
            )
        if model_code.program.depends_on_time and method.time_derivative[stage] != 0.0:
            weight = builder.fmul(step, constant(method.time_derivative[stage]), flags=flags)
            with self.loop(layout.states) as position:
                slope = self.vector_at(builder.add(position, self.integer(layout.time_derivative)))
                index = builder.add(position, self.integer(own))
                value = self.mathematics.multiply_add(builder, slope, weight, self.vector_at(index))
                self.put_vector(value, index)
        arguments = [self.pointer(layout.factor), self.pointer(layout.rate), self.pointer(own)]
        builder.call(model_code.solve, arguments)

    def stage_position(self, stage: int, position: ir.Value) -> ir.Value:
        """State at a stage; where only one term is new, the last stage's with it."""
        builder, layout, method = self.builder, self.layout, self.method
        flags = self.mathematics.FLAGS
        weights = method.position[stage]
        if stage > 1 and weights == (*method.position[stage - 1], 1.0):
            known = self.vector_at(builder.add(position, self.integer(layout.trial_state)))
            last = self.integer(layout.stage + (stage - 1) * layout.states)
            return builder.fadd(known, self.vector_at(builder.add(position, last)), flags=flags)
        state = self.vector_at(builder.add(position, self.integer(layout.state)))
        return builder.fadd(state, self.weighted_stages(weights, position), flags=flags)

    def estimate_error(self) -> tuple[ir.Value, ir.Value]:
        """Largest error over tolerance, and a sum that shows values that are not finite.

        Leaves the state at the end of the step in `trial_state`.
        """
        builder, layout, flags = self.builder, self.layout, self.mathematics.FLAGS
        last = layout.stage + (self.method.stages - 1) * layout.states
        relative = self.broadcast(self.argument["relative_tolerance"])
        share = self.broadcast(self.argument["size_share"])
        dose_size = self.lane_vector("dose_size")
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
            by_dose = self.broadcast(self.element(self.argument["dose_tolerance"], position))
            floor = self.mathematics.multiply_add(builder, by_dose, dose_size, floor)
            allowed = self.mathematics.multiply_add(builder, size, relative, floor)
            ratio = builder.fdiv(self.mathematics.intrinsic(builder, "fabs", error), allowed)
            so_far = builder.load(largest, typ=self.vector)
            larger = builder.fcmp_ordered(">", ratio, so_far)
            builder.store(builder.select(larger, ratio, so_far), largest)
            builder.store(builder.fadd(builder.load(total, typ=self.vector), ratio), total)
        return builder.load(largest, typ=self.vector), builder.load(total, typ=self.vector)

    def adapt_step(
        self, step: ir.Value, error: ir.Value, finite: ir.Value, accepted: ir.Value
    ) -> None:
        """Set the next step of each lane from the error of this one."""
        builder, constant = self.builder, self.mathematics.constant
        (logarithm,) = self.mathematics.logs(builder, [error], [True])
        power = builder.fmul(logarithm, constant(-1.0 / self.method.order))
        factor = builder.fmul(self.mathematics.exp2(builder, power), constant(SAFETY))
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
        if self.events:
            earlier = self.lane_vector("step_end_time")
            self.put_lane_vector("step_end_time", builder.select(advanced, moved, earlier))
        self.put_lane_vector(
            "last_step", builder.select(advanced, step, self.lane_vector("last_step"))
        )
        zero = self.mathematics.integer(0)
        for name, counted in (("accepted", accepted), ("rejected", builder.not_(accepted))):
            one = builder.select(counted, self.mathematics.integer(1), zero)
            self.put_counts(name, builder.add(self.counts(name), one))
        size = self.mathematics.intrinsic(builder, "fabs", time)
        smallest = builder.fmul(builder.fadd(size, step), constant(SMALLEST_RELATIVE_STEP))
        rejected = builder.and_(builder.not_(accepted), builder.not_(empty))
        # The unordered comparison also holds for a step that is not a number.
        stuck = builder.and_(rejected, builder.fcmp_unordered("<=", step, smallest))
        tiny = builder.fcmp_ordered("<", step, constant(1e-300))
        stuck = builder.or_(stuck, builder.and_(rejected, tiny))
        used = self.steps_used()
        too_many = builder.and_(
            builder.icmp_signed(">=", used, self.broadcast(self.argument["step_limit"])),
            builder.not_(empty),
        )
        failed = builder.or_(stuck, too_many)
        with builder.if_then(self.any_lane(failed)):
            self.release_failed(failed, stuck, finite)

    def steps_used(self) -> ir.Value:
        """Steps each lane has tried for its patient."""
        return self.builder.add(self.counts("accepted"), self.counts("rejected"))

    def release_failed(self, failed: ir.Value, stuck: ir.Value, finite: ir.Value) -> None:
        """Release patients who failed, each with the reason."""
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
