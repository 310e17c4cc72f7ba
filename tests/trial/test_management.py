from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from estradyn.engine import DoseSchedule
from estradyn.errors import StudyError
from estradyn.population import Drawn
from estradyn.trial.management import Managed, managed, managed_doses
from estradyn.trial.patients import PatientSimulation
from estradyn.trial.study import Study, load_study

MakeStudy = Callable[..., Study]

GIVE = """management:
  hypercalcemia:
    treat_above: 2.75 mmol/L
    give:
      - {drug: blockine, dose: 5 mg, at: [0 day, 1 day]}
"""


def study_with(make_study: MakeStudy, more: str = "") -> Study:
    return make_study(("scans:\n", GIVE + more + "scans:\n"))


def acted(make_study: MakeStudy, make_simulation, more: str = "") -> Managed:  # type: ignore[no-untyped-def]
    study = study_with(make_study, more)
    simulation = make_simulation(study)
    days = np.arange(0.0, 337.0)
    group = simulation.solve(0, next(iter(simulation.draw(8, 8, Drawn()))), days)
    rules = study.management.hypercalcemia
    assert rules is not None
    return managed(study, rules, 0, group, days, simulation)


def test_the_first_visit_that_measures_too_much_starts_the_treatment(
    make_study: MakeStudy, make_simulation
) -> None:
    # Every fourth patient has 3.0 mmol/L from day 10 to 20; visits are weekly.
    found = acted(make_study, make_simulation)
    assert np.flatnonzero(found.acted).tolist() == [3, 7]
    assert found.treated_day[[3, 7]].tolist() == [14.0, 14.0]
    assert np.isnan(found.stopped_day).all()


@pytest.mark.parametrize(("limit", "stops"), [("2.9", True), ("3.1", False)])
def test_the_drug_stops_only_where_calcium_is_severe(
    make_study: MakeStudy, make_simulation, limit: str, stops: bool
) -> None:
    found = acted(make_study, make_simulation, f"    stop_above: {limit} mmol/L\n")
    assert np.isfinite(found.stopped_day[3]) == stops


def test_doses_are_added_from_the_visit_on_and_planned_ones_end_where_stopped(
    make_study: MakeStudy, make_simulation
) -> None:
    study = study_with(make_study)
    rules = study.management.hypercalcemia
    assert rules is not None
    planned = DoseSchedule.repeated(3, "blockine_gut", 60.0, interval=24.0, count=30)
    nan = np.nan
    found = Managed(np.array([nan, 14.0, 14.0]), np.array([nan, nan, 14.0]))
    doses = managed_doses(study, rules, planned, found, make_simulation(study).drugs)

    def of(patient: int) -> list[tuple[float, float]]:
        mine = doses.patient == patient
        return list(zip(doses.time[mine] / 24.0, doses.amount[mine], strict=True))

    untouched = [(float(day), 60.0) for day in range(30)]
    rescue = [(14.0, 5.0), (15.0, 5.0)]
    assert of(0) == untouched
    assert of(1) == untouched + rescue
    assert of(2) == untouched[:14] + rescue


def test_doses_of_some_patients_are_numbered_anew() -> None:
    doses = DoseSchedule.from_records([0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0], "gut", 1.0)
    chosen = doses.of_patients(np.array([1, 3]))
    assert chosen.patient.tolist() == [0, 1]
    assert chosen.time.tolist() == [2.0, 4.0]
    assert DoseSchedule.together(()).of_patients(np.array([1])).patient.size == 0


def test_treatment_that_no_visit_can_start_is_refused(make_study: MakeStudy) -> None:
    with pytest.raises(StudyError, match="visits that measure calcium"):
        make_study(("scans:\n", GIVE + "scans:\n"), ("calcium: 0 percent", "lipids: 0 percent"))


def test_a_stop_below_the_treatment_is_refused(make_study: MakeStudy) -> None:
    with pytest.raises(StudyError, match="treat_above"):
        study_with(make_study, "    stop_above: 2.5 mmol/L\n")


MANAGED = """\
title: Managed
question: Does calcium fall sooner when it is treated?
population: {model: patient, setting: bone metastases, same_patients_in_every_arm: true}
arms:
  - name: tamoxifen
    regimens: [{drug: tamoxifen, dose: 20 mg, interval: 1 day}]
duration: 8 week
patients_per_arm: 300
seed: 5
visits: [{name: safety, every: 3 day, until: 6 week, measure: {calcium: 0 percent}}]
scans: {every: 8 week, diameter_error: 0 percent}
hypercalcemia: {threshold: 2.6 mmol/L}
"""
RESCUE = """\
management:
  hypercalcemia:
    treat_above: 2.6 mmol/L
    give:
      - {drug: saline, dose: 9 g, interval: 8 hour, stop: 3 day}
      - {drug: pamidronate, dose: 90 mg, at: [0 day]}
"""


@pytest.mark.slow
def test_treated_hypercalcemia_is_over_sooner_and_nobody_else_changes(tmp_path) -> None:
    days = np.arange(0.0, 57.0)
    calcium = []
    for name, text in (("left", MANAGED), ("treated", MANAGED + RESCUE)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        study = load_study(path)
        simulation = PatientSimulation(study)
        population = next(iter(simulation.draw(300, 300, Drawn())))
        group = simulation.solve(0, population, days)
        assert group.succeeded.all()
        place = [output.name for output in simulation.outputs].index("plasma_calcium")
        calcium.append(group.trajectories[:, :, place])
    left, treated = calcium
    helped = np.isfinite(group.managed["hypercalcemia_treated_day"])
    assert 3 <= helped.sum() < 100
    np.testing.assert_allclose(treated[~helped], left[~helped], rtol=1e-3)
    assert (treated > 2.6)[helped].sum() < 0.7 * (left > 2.6)[helped].sum()
    for patient in np.flatnonzero(helped):
        before = days <= group.managed["hypercalcemia_treated_day"][patient]
        np.testing.assert_allclose(treated[patient, before], left[patient, before], rtol=1e-3)
