"""Women who cycle: where each starts, and what stands for drug-free."""

import numpy as np
import pytest

from estradyn.engine import compile_model, solve
from estradyn.errors import InputError
from estradyn.model import load_patient_model
from estradyn.model.patient_model import PatientModel, with_fixed_values
from estradyn.model.people import people_records
from estradyn.population import CyclingBaseline, Population, stream_population
from estradyn.population.cycle import last_cycle

DAY = 24.0
OUTPUTS = ["estradiol_concentration", "lh_concentration", "lumbar_spine_bmd", "ctx", "ldl"]


@pytest.fixture(scope="module")
def women() -> PatientModel:
    return load_patient_model(
        drugs=(), modules=(), setting="adjuvant", population="premenopausal_women"
    )


@pytest.fixture(scope="module")
def population(women: PatientModel) -> Population:
    (drawn,) = stream_population(women, 24, 5, chunk_size=24, trial_effects="typical")
    return drawn


@pytest.fixture(scope="module")
def year(women: PatientModel, population: Population):
    hours = np.arange(0.0, 366 * DAY, 6.0)
    solution = solve(
        compile_model(women.model, OUTPUTS),
        population.parameters,
        hours,
        initial_states=population.initial_states,
    )
    assert solution.succeeded.all()
    return hours / DAY, solution


def test_every_woman_is_on_her_own_regular_cycle(year):
    _, solution = year
    for lh in solution["lh_concentration"]:
        peaks = np.flatnonzero((lh[1:-1] > lh[:-2]) & (lh[1:-1] >= lh[2:]) & (lh[1:-1] > 25)) + 1
        lengths = np.diff(peaks) * 0.25
        assert 20 < lengths.mean() < 40
        assert np.ptp(lengths) < 1.0


def test_her_drug_free_estradiol_is_the_mean_of_her_cycle(year, population: Population):
    _, solution = year
    parameters = population.parameters
    expected = parameters["estrogen_baseline_estradiol"] + parameters["estrogen_cycle_mean_rise"]
    assert solution["estradiol_concentration"].mean(axis=1) == pytest.approx(expected, rel=0.05)


def test_bone_keeps_still_through_the_cycles(year):
    days, solution = year
    last_month = days > 335
    density = solution["lumbar_spine_bmd"]
    assert density[:, last_month].mean(axis=1) == pytest.approx(density[:, 0], abs=0.005)
    resorption = solution["ctx"].mean(axis=1)
    assert np.median(resorption) == pytest.approx(1.0, abs=0.005)
    assert resorption == pytest.approx(1.0, abs=0.1)


def test_the_spread_of_estradiol_is_about_that_published(year):
    # 95 % reference intervals at the peak of LH and five to nine days after it (pk240, pk242).
    days, solution = year
    at_peak, after = [], []
    for estradiol, lh in zip(
        solution["estradiol_concentration"], solution["lh_concentration"], strict=True
    ):
        peaks = last_cycle(lh, 25.0)
        assert peaks is not None
        at_peak.append(estradiol[peaks[0]])
        within = (days >= days[peaks[0]] + 5) & (days <= days[peaks[0]] + 9)
        after.append(estradiol[within].mean())
    for found, (lower, upper) in ((at_peak, (275, 2864)), (after, (151, 1941))):
        spread = np.std(np.log(found))
        published = np.log(upper / lower) / (2 * 1.96)
        assert 0.5 * published < spread < 1.5 * published
        assert lower < np.median(found) < upper


def test_who_is_beside_whom_makes_no_difference(women: PatientModel):
    together = next(iter(stream_population(women, 6, 3, chunk_size=6)))
    apart = list(stream_population(women, 6, 3, chunk_size=2))
    assert np.array_equal(
        together.initial_states, np.concatenate([p.initial_states for p in apart])
    )
    for name, values in together.parameters.items():
        assert np.array_equal(values, np.concatenate([part.parameters[name] for part in apart]))


def test_she_enters_on_the_day_of_the_cycle_that_is_asked_for(women: PatientModel):
    assert women.cycle is not None
    hours = np.arange(0.0, 25 * DAY, 6.0)
    found = []
    for day in (1.0, 8.0):
        fixed = with_fixed_values(women, {women.cycle.entry_day: day})
        (one,) = stream_population(fixed, 1, 5, chunk_size=1, trial_effects="typical")
        solution = solve(
            compile_model(women.model, ["lh_concentration"]),
            one.parameters,
            hours,
            initial_states=one.initial_states,
        )
        found.append(hours[np.argmax(solution["lh_concentration"][0])] / DAY)
    assert found[0] - found[1] == pytest.approx(7.0, abs=0.5)
    assert 8 < found[0] < 22


def test_a_woman_without_a_cycle_is_no_patient(women: PatientModel):
    asleep = {"ovary_recruitment_rate": np.array([0.0]), "cycle_entry_day": np.array([1.0])}
    found = CyclingBaseline(women)(asleep, 1)
    assert found.failures == ["no regular drug-free cycle"]
    assert np.isnan(found.states).all()


def test_a_record_with_half_a_cycle_is_refused(tmp_path):
    folder = tmp_path / "populations"
    folder.mkdir()
    text = "---\ntitle: Somebody\ncycle: {marker: lh_concentration}\n---\n"
    (folder / "somebody.md").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="cycle"):
        people_records(tmp_path)
