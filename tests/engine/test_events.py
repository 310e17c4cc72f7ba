"""Events: found where they happen, for each patient on her own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import symengine as se
from engine_models import oral_drug, system

from estradyn.engine import DoseSchedule, SolverOptions, compile_model, solve
from estradyn.model.ode_model import Event, OdeModel

TIGHT = SolverOptions(relative_tolerance=1e-9, size_share=0.0, absolute_tolerance=1e-13)


def with_event(
    model: OdeModel, trigger: str, *, true_before_start: bool = True, **changes: str
) -> OdeModel:
    """Return a model with one more event."""
    event = Event(
        "event",
        se.sympify(trigger),
        tuple((name, se.sympify(value)) for name, value in changes.items()),
        true_before_start,
    )
    return replace(model, events=(*model.events, event))


def falling_ball() -> OdeModel:
    """A ball that bounces with 80 % of its speed."""
    ball = system(
        {"height": "speed", "speed": "-gravity"}, {"height": 10.0, "speed": 0.0}, {"gravity": 9.81}
    )
    return with_event(ball, "height < 0", height="0", speed="-0.8*speed")


def test_a_bouncing_ball_hits_the_ground_when_it_should() -> None:
    gravity = np.linspace(5.0, 20.0, 13)
    times = np.linspace(0.0, 3.0, 61)
    compiled = compile_model(falling_ball(), ["height", "speed"])
    solution = solve(compiled, {"gravity": gravity}, times, options=TIGHT)
    for patient, g in enumerate(gravity):
        expected, speed_at_ground = [], np.sqrt(2 * 10.0 * g)
        first = speed_at_ground / g
        for time in times:
            if time < first:
                expected.append(10.0 - g * time**2 / 2)
                continue
            since, speed = time - first, 0.8 * speed_at_ground
            while since >= 2 * speed / g:
                since -= 2 * speed / g
                speed *= 0.8
            expected.append(speed * since - g * since**2 / 2)
        np.testing.assert_allclose(solution["height"][patient], expected, atol=1e-7)


def test_an_event_at_the_start_needs_a_condition_that_was_not_true_before() -> None:
    model = system({"x": "-x"}, {"x": 1.0})
    for before, expected in ((False, 5.0), (True, 1.0)):
        changed = with_event(model, "x > 0.5", true_before_start=before, x="5")
        solution = solve(compile_model(changed, ["x"]), {}, [0.0], options=TIGHT)
        assert solution["x"][0, 0] == expected


def test_an_event_at_a_time_is_seen_by_an_output_at_that_time() -> None:
    model = with_event(system({"x": "0*x"}, {"x": 1.0}), "time >= 2.5", x="7")
    solution = solve(compile_model(model, ["x"]), {}, [2.4999, 2.5, 3.0], options=TIGHT)
    np.testing.assert_array_equal(solution["x"][0], [1.0, 7.0, 7.0])


def test_simultaneous_events_do_not_see_each_other() -> None:
    model = system({"x": "0*x", "y": "0*y"}, {"x": 1.0, "y": 2.0})
    model = with_event(with_event(model, "time > 1", x="y"), "time > 1", y="x")
    solution = solve(compile_model(model, ["x", "y"]), {}, [2.0], options=TIGHT)
    np.testing.assert_array_equal(solution.values[0, 0], [2.0, 1.0])


def test_events_can_set_each_other_off() -> None:
    model = system({"x": "0*x", "y": "0*y"}, {"x": 0.0, "y": 0.0})
    model = with_event(with_event(model, "time > 1", x="1"), "x > 0.5", y="3")
    solution = solve(compile_model(model, ["y"]), {}, [0.9, 1.1], options=TIGHT)
    np.testing.assert_array_equal(solution["y"][0], [0.0, 3.0])


def test_a_dose_can_set_off_an_event() -> None:
    model = with_event(oral_drug(), "gut > 50", plasma="1000")
    doses = DoseSchedule.from_records([0, 1], [4.0, 4.0], "gut", [40.0, 60.0])
    compiled = compile_model(model, ["plasma"])
    solution = solve(compiled, {}, [4.0, 4.0 + 1e-9], doses, patients=2, options=TIGHT)
    np.testing.assert_allclose(solution["plasma"], [[0.0, 0.0], [0.0, 1000.0]], atol=1e-5)


@pytest.mark.parametrize("lane", range(8))
def test_one_patients_event_changes_nobody_else(lane: int) -> None:
    compiled = compile_model(falling_ball(), ["height"])
    quiet, loud = np.full(11, 0.01), np.full(11, 0.01)
    loud[lane] = 9.81
    times = np.linspace(0.0, 3.0, 31)
    without = solve(compiled, {"gravity": quiet}, times)
    having = solve(compiled, {"gravity": loud}, times)
    others = np.arange(11) != lane
    np.testing.assert_array_equal(having.values[others], without.values[others])
    assert (having["height"][lane] != without["height"][lane]).any()


def test_outputs_do_not_change_where_an_event_is_found() -> None:
    compiled = compile_model(falling_ball(), ["height"])
    fine = solve(compiled, {}, np.linspace(0.0, 3.0, 301))
    coarse = solve(compiled, {}, np.linspace(0.0, 3.0, 4))
    np.testing.assert_array_equal(fine.values[:, ::100], coarse.values)
