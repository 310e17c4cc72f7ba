"""The nude mouse against published xenografts, calcium and exposure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from estradyn.errors import InputError
from estradyn.evidence import mapping
from estradyn.model import load_parameters, load_patient_model
from estradyn.scorecard import mouse as predictor
from estradyn.scorecard.scoring import judge
from estradyn.scorecard.targets import targets_of
from estradyn.xenograft import Colony, Host, Route, Treatment

DAYS = np.arange(57.0)
STARVED = Host(ovariectomized=True)
TOREMIFENE = Treatment("toremifene", 10.0)


@pytest.fixture(scope="module")
def colony() -> Colony:
    return Colony()


def change(colony: Colony, host: Host, *treatments: Treatment) -> np.ndarray:
    volume = colony.follow(colony.typical(host), treatments, DAYS).volume_mm3[0]
    return volume / volume[0]


def test_tumors_grow_with_estradiol_and_rest_without(colony: Colony) -> None:
    with_pellet = change(colony, Host(estradiol_pellet_mg=0.18, ovariectomized=True))
    without = change(colony, STARVED)
    assert with_pellet[28] > 3.0
    assert 0.7 < without[56] < 1.5
    assert math.log(2.0) / math.log(with_pellet[14]) * 14.0 == pytest.approx(14.0, abs=3.0)


def test_growth_rises_with_the_dose_of_the_pellet(colony: Colony) -> None:
    doses = (0.0, 0.01, 0.02, 0.05, 0.18, 0.72)
    folds = [change(colony, Host(estradiol_pellet_mg=x, ovariectomized=True))[28] for x in doses]
    assert (np.diff(folds) > 0).all()


@pytest.mark.parametrize("drug", ["toremifene", "tamoxifen"])
def test_an_antiestrogen_alone_gives_transient_growth_then_stasis(
    colony: Colony, drug: str
) -> None:
    own = change(colony, STARVED, Treatment(drug, 10.0))
    assert own[14] > 1.15
    assert own[14] > change(colony, STARVED)[14]
    late = math.log(own[56] / own[28]) / 28.0
    assert abs(late) < 0.01


def test_flare_signs_come_with_the_rise_and_go(colony: Colony) -> None:
    mouse = colony.typical(STARVED)
    course = colony.follow(mouse, [TOREMIFENE], DAYS)
    vehicle = colony.follow(mouse, [], DAYS)
    for name in ("flare_signal", "macrophages", "pain_score"):
        peak = int(course[name][0].argmax())
        assert 5 <= peak <= 24
        assert course[name][0, 56] < course[name][0, peak]
        assert course[name][0, peak] > vehicle[name][0, peak]
    assert np.abs(vehicle["flare_signal"]).max() < 1e-6


def test_a_saturating_pellet_leaves_nothing_to_flare(colony: Colony) -> None:
    mouse = colony.typical(Host(estradiol_pellet_mg=0.36, ovariectomized=True))
    signal = colony.follow(mouse, [TOREMIFENE], DAYS)["flare_signal"]
    assert signal.max() < 1e-3


def test_calcium_rises_with_a_flare_in_bone_and_not_under_the_skin(colony: Colony) -> None:
    def highest(in_bone: bool) -> float:
        host = Host(ovariectomized=True, in_bone=in_bone, baseline_volume_mm3=50.0)
        course = colony.follow(colony.typical(host), [TOREMIFENE], DAYS)["plasma_calcium"][0]
        return float(course.max() - course[0])

    assert highest(True) > 0.3
    assert abs(highest(False)) < 1e-6


def test_healthy_calcium_does_not_drift(colony: Colony) -> None:
    course = colony.follow(colony.typical(Host()), [], DAYS)
    assert np.ptp(course["plasma_calcium"]) < 1e-6
    assert np.allclose(course["urinary_calcium"], 1.0)


def test_pump_of_peptide_slows_the_kidney_and_fills_the_urine(colony: Colony) -> None:
    pump = {"mouse_calcium_pthrp_infusion": 5.0 / 24.0}
    course = colony.follow(colony.typical(Host()), [], np.arange(8.0), values=pump)
    assert course["glomerular_filtration"][0, 7] < 0.9
    assert course["urinary_calcium"][0, 7] > 3.0


def test_routes_differ_and_unknown_drugs_are_named(colony: Colony) -> None:
    mouse = colony.typical(STARVED)
    levels = {
        route: colony.follow(mouse, [Treatment("tamoxifen", 10.0, route)], [0.25, 1.0, 7.0])[
            "tamoxifen_concentration"
        ][0]
        for route in Route
    }
    assert levels[Route.PELLET][0] < levels[Route.GAVAGE][0]
    # A pellet keeps its level for weeks.
    assert levels[Route.PELLET][2] == pytest.approx(levels[Route.PELLET][1], rel=0.1)
    with pytest.raises(InputError, match="letrozole"):
        colony.follow(mouse, [Treatment("letrozole", 1.0)], DAYS)


def test_a_mouse_depends_on_seed_and_number_alone(colony: Colony) -> None:
    many, few = colony.draw(12, 5, STARVED), colony.draw(4, 5, STARVED, first=3)
    for name, values in few.parameters.items():
        assert np.array_equal(values, many.parameters[name][3:7])
    first = colony.follow(few, [TOREMIFENE], DAYS).volume_mm3
    assert np.array_equal(first, colony.follow(many, [TOREMIFENE], DAYS).volume_mm3[3:7])


def test_every_value_of_the_mouse_has_a_source() -> None:
    assert all(row.source for row in load_parameters("mouse").rows)
    assert {"toremifene", "tamoxifen"} <= set(load_patient_model(model_name="mouse").drugs)


def test_every_scenario_of_the_mapping_is_known() -> None:
    asked = {item.scenario for item in mapping("mouse").values() if item.scenario}
    assert asked == set(predictor.SCENARIOS)


MET = ["XG02", "XG03", "FL01", "XG11", "XG12", "HIS02", "HIS05", "PK04", "PK06", "PK07", "ME01"]
MET += ["ME02", "ME03", "ME04", "VAR01", "CA01", "CA13", "CA15", "CA17"]


def test_published_numbers_are_met() -> None:
    targets = [target for target in targets_of("mouse") if target.id in MET]
    found = predictor.predict(targets, workers=1, progress=None)
    missed = [target.id for target in targets if not judge("mouse", target, found[target.id]).met]
    assert missed == []


@pytest.mark.slow
def test_power_for_a_working_drug_is_near_the_published_one() -> None:
    targets = [target for target in targets_of("mouse") if target.item.group == "power"]
    found = predictor.predict(targets, workers=1, progress=None)
    power = {target.id: found[target.id].value for target in targets}
    # Printed: 0.93 at 4 and 0.973 at 7 animals.
    assert power["POW04"] == pytest.approx(0.93, abs=0.06)
    assert power["POW07"] == pytest.approx(0.973, abs=0.05)
    assert power["POW04"] < power["POW07"]
