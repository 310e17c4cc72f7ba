"""Where the solver keeps what, in vectors of one value per lane."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """Positions in the working memory of one thread, counted in vectors.

    The working memory holds everything about the patients who are in the lanes at the moment.

    Attributes
    ----------
    width
        Lanes in a vector.
    states, kept, outputs, stages, factors, events
        Numbers of states, per-patient constants, outputs, stages of the method, stored entries of
        the LU factorisation, and events.
    """

    width: int
    states: int
    kept: int
    outputs: int
    stages: int
    factors: int
    events: int

    @property
    def state(self) -> int:
        """Current state."""
        return 0

    @property
    def constants(self) -> int:
        """Constants of the patient in each lane, inflows first."""
        return self.state + self.states

    @property
    def previous_state(self) -> int:
        """State at the start of the last step."""
        return self.constants + self.kept

    @property
    def trial_state(self) -> int:
        """State at a stage, at the end of a step not yet accepted, or between steps."""
        return self.previous_state + self.states

    @property
    def largest_size(self) -> int:
        """Largest absolute value each state has had."""
        return self.trial_state + self.states

    @property
    def step_end(self) -> int:
        """State at the end of the last step.

        Without events that is the current state.
        """
        return self.largest_size + self.states if self.events else self.state

    @property
    def stage(self) -> int:
        """Stage vectors u, one after the other."""
        return self.largest_size + self.states * (2 if self.events else 1)

    @property
    def time_derivative(self) -> int:
        """Derivative of the rates by time."""
        return self.stage + self.stages * self.states

    @property
    def rate(self) -> int:
        """Rates at a stage."""
        return self.time_derivative + self.states

    @property
    def factor(self) -> int:
        """LU factors."""
        return self.rate + self.states

    @property
    def output(self) -> int:
        """Outputs at one time."""
        return self.factor + self.factors

    @property
    def trigger_before(self) -> int:
        """Whether each event's condition held before (1) or not (0)."""
        return self.output + self.outputs

    @property
    def trigger_now(self) -> int:
        """Whether each event's condition holds at the point looked at."""
        return self.trigger_before + self.events

    @property
    def firing(self) -> int:
        """Whether each event happens now."""
        return self.trigger_now + self.events

    @property
    def lane(self) -> int:
        """Scalars of each lane, see `LANE`."""
        return self.firing + self.events

    @property
    def size(self) -> int:
        """Vectors in all."""
        return self.lane + len(LANE)

    def slot(self, name: str) -> int:
        """Position of a scalar of each lane."""
        return self.lane + LANE.index(name)


LANE = (
    "time",
    "stop",
    "next_output",
    "step",
    "last_step",
    "step_after_dose",
    "after_dose",
    "largest_growth",
    "stage_time",
    "shift",
    "inverse_step",
    "output_due",
    "dose_size",
    "step_end_time",
    "event_found",
    "event_after",
    "event_by",
)
"""Scalars kept for each lane: its time, the time it must stop at (a dose or the end), the next
output time, the step to try, the last step taken, the step that was right after the last dose,
whether a dose was just given, the growth allowed for the next step, the time of a stage, the shift
of the Jacobian's diagonal, the inverse of the step, whether an output is handed over, the size
of the patient's smallest dose, the time at which the last step ended, and where in it an event was
found: whether, and the relative positions it lies between."""

LANE_INTEGERS = ("patient", "event", "output", "accepted", "rejected")
"""Integers kept for each lane: patient (-1 for none), next event, next output, step counts."""
