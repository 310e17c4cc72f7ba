"""The menstrual cycle as a module of its own, closed by the estradiol that the ovary makes."""

import csv
import gzip
from functools import cache
from pathlib import Path

import libsbml
import numpy as np
import pytest
import roadrunner

from estradyn.engine import SolverOptions, compile_model, solve
from estradyn.model import load_model
from estradyn.model.ode_model import OdeModel
from estradyn.model.patient_model import with_values
from estradyn.model.sources import find_model, models_directory, sbml_text

DAY = 24.0
PICOMOLE_PER_PICOGRAM = 1000 / 272.38
"""pmol/L in one pg/mL of estradiol."""

SOURCE = Path(__file__).parent / "data" / "BIOMD0000000494.xml.gz"
"""The published model as BioModels has it (CC0)."""

NAME_IN_SOURCE = {
    "gnrh": "GnRH",
    "active_receptor": "R_GnRH_a",
    "inactive_receptor": "R_GnRH_i",
    "active_complex": "GnRH_R_a",
    "inactive_complex": "GnRH_R_i",
    "progesterone": "P4",
    "inhibin_a": "InhA",
    "delayed_inhibin_a": "InhA_delay",
    "inhibin_b": "InhB",
    "pituitary_lh": "LH_Pit",
    "pituitary_fsh": "FSH_pit",
    "plasma_lh": "LH_bld",
    "plasma_fsh": "FSH_bld",
    "free_lh_receptor": "R_LH",
    "bound_lh_receptor": "LH_R",
    "desensitised_lh_receptor": "R_LH_des",
    "free_fsh_receptor": "R_FSH",
    "bound_fsh_receptor": "FSH_R",
    "desensitised_fsh_receptor": "R_FSH_des",
    "lh_sensitivity": "R_Foll",
    "antral_1": "AF1",
    "antral_2": "AF2",
    "antral_3": "AF3",
    "antral_4": "AF4",
    "preovulatory": "PrF",
    "ovulating": "OvF",
    "scar_1": "Sc1",
    "scar_2": "Sc2",
    "luteal_1": "Lut1",
    "luteal_2": "Lut2",
    "luteal_3": "Lut3",
    "luteal_4": "Lut4",
}

BASAL_ESTRADIOL = 51.558081260068 / 5.23500984428137 * PICOMOLE_PER_PICOGRAM
"""What the source adds to the estradiol of the ovary, pmol/L."""

WITHOUT_ADDITIONS = {"theca_lh_midpoint": 1e-9, "sensitivity_limit": 1e9}
"""Values that leave out what the module adds to the source."""

CLOSED = """
import "{module}"
model closed()
  unit picomole_per_litre = 1e-12 mole / litre;
  unit ratio = dimensionless;
  unit time_unit = 3600 second;
  unit volume = litre;
  ovary: menstrual_cycle(ovarian_estradiol, estrone, progesterone, lh, fsh, lh_ratio, fsh_ratio);
  basal_estradiol = {basal};      basal_estradiol has picomole_per_litre;
  sensed_share = 1;               sensed_share has ratio;
  inhibitor_binding = 0;          inhibitor_binding has ratio;
  gnrh_agonist_binding = 0;       gnrh_agonist_binding has ratio;
  estradiol := ovarian_estradiol + basal_estradiol;  estradiol has picomole_per_litre;
  ovary.estradiol_equivalent := sensed_share * estradiol;
  ovary.inhibitor_binding := inhibitor_binding;
  ovary.gnrh_agonist_binding := gnrh_agonist_binding;
end
"""

OUTPUTS = ["estradiol", "lh", "fsh", "progesterone"]


@cache
def table() -> dict[str, float]:
    with (models_directory() / "ovary.tsv").open(encoding="utf-8") as file:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(file, delimiter="\t")}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> OdeModel:
    path = tmp_path_factory.mktemp("cycle") / "closed.ant"
    text = CLOSED.format(module=find_model("ovary").path, basal=BASAL_ESTRADIOL)
    path.write_text(text, encoding="utf-8")
    model = load_model(path, strict_units=True)
    return with_values(model, {f"ovary_{name}": value for name, value in table().items()})


def follow(model: OdeModel, days: float, step: float = 6.0, start=None, **values):
    """Course of the outputs every few hours, and the states at the end."""
    compiled = compile_model(model, [*OUTPUTS, *model.state_names])
    times = np.arange(0.0, days * DAY + 1e-9, step)
    parameters = {name: np.array([value]) for name, value in values.items()}
    solution = solve(compiled, parameters, times, initial_states=start, patients=1)
    assert solution.succeeded.all()
    end = np.array([[solution[name][0, -1] for name in model.state_names]])
    return times / DAY, {name: solution[name][0] for name in OUTPUTS}, end


def ovulations(days: np.ndarray, progesterone: np.ndarray) -> np.ndarray:
    """Days of the peaks of progesterone above 3 ug/L, which follow ovulation."""
    middle = progesterone[1:-1]
    peak = (middle > progesterone[:-2]) & (middle >= progesterone[2:]) & (middle > 3.0)
    return days[1:-1][peak]


def test_units_pass_the_strict_check():
    document = libsbml.readSBMLFromString(sbml_text(find_model("ovary")))
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistencyWithStrictUnits()
    messages = [document.getError(i).getMessage() for i in range(document.getNumErrors())]
    assert messages == []


def test_every_state_follows_the_source_over_three_cycles(closed: OdeModel):
    runner = roadrunner.RoadRunner(gzip.decompress(SOURCE.read_bytes()).decode())
    runner.p269 = runner.p469 = 1e9  # the two doses that the file gives
    runner.integrator.relative_tolerance = 1e-11
    runner.integrator.absolute_tolerance = 1e-15
    columns = ["time", *(f"[{name}]" for name in NAME_IN_SOURCE.values()), "[E2]"]
    published = np.array(runner.simulate(0, 84, 84 * 4 + 1, columns))

    compiled = compile_model(
        closed, [*(f"ovary_{name}" for name in NAME_IN_SOURCE), "ovary_ovarian_estradiol"]
    )
    solution = solve(
        compiled,
        {f"ovary_{name}": np.array([value]) for name, value in WITHOUT_ADDITIONS.items()},
        published[:, 0] * DAY,
        patients=1,
        options=SolverOptions(relative_tolerance=1e-9),
    )
    for place, name in enumerate(NAME_IN_SOURCE, start=1):
        ours, theirs = solution[f"ovary_{name}"][0], published[:, place]
        assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max(), name
    estradiol = (solution["ovary_ovarian_estradiol"][0] + BASAL_ESTRADIOL) / PICOMOLE_PER_PICOGRAM
    assert np.abs(estradiol - published[:, -1]).max() < 1e-5 * published[:, -1].max()


def test_the_cycle_of_the_source_survives_what_was_added(closed: OdeModel):
    days, course, _ = follow(closed, 280)
    late = days > 140
    lengths = np.diff(ovulations(days[late], course["progesterone"][late]))
    assert np.allclose(lengths, 28.1, atol=0.3)
    estradiol = course["estradiol"][late] / PICOMOLE_PER_PICOGRAM
    assert estradiol.min() == pytest.approx(26, rel=0.2)
    assert estradiol.max() == pytest.approx(439, rel=0.05)


@pytest.fixture(scope="module")
def cycling(closed: OdeModel) -> np.ndarray:
    return follow(closed, 168)[2]


def test_an_agonist_releases_lh_and_then_silences_the_ovary(closed: OdeModel, cycling: np.ndarray):
    _, before, _ = follow(closed, 28, start=cycling)
    days, course, _ = follow(closed, 120, start=cycling, gnrh_agonist_binding=1.0)
    assert course["lh"][days < 2].max() > 10 * before["lh"][0]
    assert course["lh"][days > 60].max() < 1.0
    assert course["fsh"][days > 60].max() < before["fsh"].min() * 1.5
    assert course["estradiol"][days > 60].max() < 1.05 * BASAL_ESTRADIOL
    assert not ovulations(days[days > 28], course["progesterone"][days > 28]).size


def test_the_ovary_cycles_again_after_an_agonist(closed: OdeModel, cycling: np.ndarray):
    _, _, end = follow(closed, 168, start=cycling, gnrh_agonist_binding=1.0)
    days, course, _ = follow(closed, 120, start=end)
    assert ovulations(days, course["progesterone"]).size >= 1


def test_a_week_of_aromatase_inhibition_raises_fsh_and_lh(closed: OdeModel, cycling: np.ndarray):
    _, usual, _ = follow(closed, 7, start=cycling)
    _, course, _ = follow(closed, 7, start=cycling, inhibitor_binding=700.0)
    assert course["estradiol"].mean() < usual["estradiol"].mean()
    assert course["fsh"].max() > usual["fsh"].max()
    assert course["lh"].max() > usual["lh"].max()


def test_a_pituitary_that_senses_less_estradiol_lets_it_rise(closed: OdeModel, cycling: np.ndarray):
    _, usual, _ = follow(closed, 168, start=cycling)
    _, course, _ = follow(closed, 168, start=cycling, sensed_share=0.8)
    assert course["estradiol"].mean() > usual["estradiol"].mean()
