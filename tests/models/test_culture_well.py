"""Cells in a well: what the bench relies on, row by row of the evidence where one is named."""

from __future__ import annotations

import numpy as np
import pytest

from estradyn.assay.simulate import Medium, simulate_cells
from estradyn.model import drug_records, load_parameters, load_patient_model, models_directory

FED = Medium(deprivation_h=0.0)
ROOM = {"tumor_capacity": 1e6}


def live(treatments, hours, cell_line="MCF-7", medium=None, **parameters):
    found = simulate_cells(
        treatments, hours, cell_line=cell_line, medium=medium, parameters={**ROOM, **parameters}
    )
    return found["live_cells"]


def percent(compound, doses, hours, beside=None, **settings):
    """Living cells in percent of those without the compound, shape (doses, times)."""
    held = beside or {}
    found = live([held, *({**held, compound: dose} for dose in doses)], hours, **settings)
    return 100.0 * found[1:] / found[0]


def doubling_time(treatment, hours, medium=FED):
    start, end = live([treatment], [0.0, hours], medium=medium)[0]
    return hours * np.log(2.0) / np.log(end / start)


def test_every_compound_composes_with_consistent_units():
    names = tuple(drug_records(models_directory(), "well"))
    assert {"estradiol", "fulvestrant", "tamoxifen", "toremifene"} <= set(names)
    found = load_patient_model(model_name="well")
    assert tuple(found.drugs) == names
    assert found.parameters.by_name["tumor_drive_midpoint"].path.parent == models_directory()


def test_what_metabolites_share_with_their_parent_has_one_value():
    well, patient = load_parameters("well").by_name, load_parameters().by_name
    pairs = (
        ("desmethyltoremifene", "toremifene", "metabolite_"),
        ("desmethyltamoxifen", "tamoxifen", "desmethyl_"),
        ("hydroxytamoxifen", "tamoxifen", "hydroxy_"),
        ("endoxifen", "tamoxifen", "hydroxydesmethyl_"),
    )
    for metabolite, parent, prefix in pairs:
        own = well[f"{metabolite}_ligand_dissociation_constant"].value
        assert own == patient[f"{parent}_ligand_{prefix}dissociation_constant"].value
        for name in ("tumor_partition", "breast_agonism", "unbound_fraction"):
            assert well[f"{metabolite}_ligand_{name}"].value == (
                patient[f"{parent}_ligand_{name}"].value
            )


def test_estradiol_acts_from_picomoles_and_fully_from_a_tenth_of_a_nanomole():
    doses = [3e-13, 3e-12, 2e-10, 1e-8]
    found = percent("estradiol", doses, [144.0], medium=Medium(0.0))[:, 0] - 100.0
    assert found[0] < 0.05 * found[3]
    assert found[1] > 0.1 * found[3]
    assert found[2] > 0.99 * found[3]


def test_serum_binds_estradiol():
    dose = [1e-11]
    little, much = (percent("estradiol", dose, [96.0], medium=Medium(s)) for s in (1.0, 40.0))
    assert little[0, 0] > 1.5 * much[0, 0]


def test_doubling_times_with_and_without_estradiol():
    assert 27.0 / 1.25 < doubling_time({"estradiol": 1e-8}, 144.0) < 33.0 * 1.25
    assert 51.0 / 1.25 < doubling_time({}, 168.0) < 68.0 * 1.25


def test_growth_without_estradiol_comes_to_a_plateau_and_recovers():
    weeks = live([{}], [0.0, 168.0, 504.0, 4000.0, 4168.0], medium=FED, tumor_capacity=1e15)[0]
    per_week = np.log(weeks[[1, 4]] / weeks[[0, 3]])
    plateau = np.log(weeks[2] / weeks[1]) / 2
    assert per_week[0] > 1.3
    assert plateau < 0.2 * per_week[0]
    assert plateau < per_week[1] < 0.7 * per_week[0]
    content = simulate_cells([{}], [0.0, 4000.0], cell_line="MCF-7", medium=FED)
    first, last = content["receptor_content"][0]
    assert last / first == pytest.approx(3.0, rel=0.15)


def test_insulin_keeps_cells_growing_without_serum_and_leaves_estradiol_less_to_add():
    supplied = Medium(0.0, deprivation_h=0.0, insulin=True)
    # 48 h and 41 h are published without estradiol (DT04, DT05), and at most 2-fold by it (E203).
    assert 41.0 / 1.25 < doubling_time({}, 144.0, supplied) < 48.0 * 1.25
    assert doubling_time({}, 144.0, Medium(0.0, deprivation_h=0.0)) > 60.0
    beside = percent("estradiol", [1e-9], [144.0], medium=Medium(0.0, insulin=True))[0, 0]
    assert 150.0 < beside < 300.0
    # Cells that were never deprived make these factors themselves.
    own, more = (
        simulate_cells([{"estradiol": 1e-8}], [48.0], cell_line="MCF-7", medium=medium)
        for medium in (FED, Medium(deprivation_h=0.0, insulin=True))
    )
    assert own["live_cells"][0, 0] == pytest.approx(more["live_cells"][0, 0], rel=0.02)


def test_fulvestrant_halves_growth_near_0_3_nanomoles():
    doses = np.logspace(-10.5, -8.5, 41)
    share = percent("fulvestrant", doses, [144.0], medium=FED)[:, 0]
    assert 0.29e-9 / 3 < np.interp(-50.0, -share, doses) < 0.29e-9 * 3


def test_500_but_hardly_100_nanomoles_of_fulvestrant_stop_growth_with_estradiol():
    found = live(
        [{}, {"fulvestrant": 1e-7}, {"fulvestrant": 5e-7}],
        [0.0, 168.0],
        medium=FED,
    )
    beside = live(
        [{"estradiol": 1e-8, "fulvestrant": dose} for dose in (1e-7, 5e-7)], [168.0], medium=FED
    )
    start = found[0, 0]
    assert beside[0, 0] / start > 10.0
    assert beside[1, 0] / start < 4.0


@pytest.mark.parametrize("agonist", [1e-10, 1e-9])
def test_hydroxytamoxifen_is_as_much_stronger_as_it_binds(agonist):
    doses = np.logspace(-10.0, -5.5, 91)
    half = [
        np.interp(-50.0, -percent(name, doses, [144.0], {"estradiol": agonist})[:, 0], doses)
        for name in ("hydroxytamoxifen", "tamoxifen")
    ]
    # Published about 100 (POT01); constants of 0.15 and 4.8 to 9.6 nmol/L (KD01, KD02, rc027).
    assert 34.0 < half[1] / half[0] < 100.0


def test_low_doses_stimulate_in_stripped_medium_only():
    dose = [1e-8]
    stripped = percent("toremifene", dose, [96.0])
    serum = percent("toremifene", dose, [96.0], medium=Medium(charcoal_stripped=False))
    phenol_red = percent("toremifene", dose, [96.0], medium=Medium(phenol_red_free=False))
    assert stripped[0, 0] > 115.0
    assert max(serum[0, 0], phenol_red[0, 0]) < 103.0


def test_a_tenth_of_a_micromole_stimulates_early_and_inhibits_late():
    early, late = percent("toremifene", [1e-7], [20.0, 96.0])[0]
    assert early > 101.5
    assert late < 90.0


@pytest.mark.parametrize("beside", [{}, {"estradiol": 1e-9}])
def test_a_micromole_inhibits_with_and_without_estradiol(beside):
    assert percent("toremifene", [1e-6], [96.0], beside)[0, 0] < 90.0


def test_estradiol_rescues_cells_below_4_micromoles_only():
    doses = [1e-6, 1e-5]
    rescued = percent("tamoxifen", doses, [48.0], {"estradiol": 1e-6})[:, 0]
    assert rescued[0] > 95.0
    assert rescued[1] < 50.0


def test_t47d_is_stimulated_most_near_a_nanomole_of_tamoxifen():
    doses = np.logspace(-10.0, -6.0, 81)
    found = percent("tamoxifen", doses, [96.0], cell_line="T47D")[:, 0]
    assert 1e-9 / 3 < doses[found.argmax()] < 3e-9
    assert found.max() > 110.0
    assert percent("tamoxifen", [1.25e-5], [96.0], cell_line="T47D")[0, 0] < 50.0


def test_confluence_ends_growth():
    found = simulate_cells([{"estradiol": 1e-9}], [0.0, 400.0, 500.0], cell_line="MCF-7")
    cells = found["live_cells"][0]
    assert cells[2] / cells[1] < 1.05
    assert found["cycling_fraction"][0, 2] < 0.1 * found["cycling_fraction"][0].max()


def test_dna_synthesis_answers_before_cell_number():
    found = simulate_cells([{}, {"estradiol": 1e-9}], [24.0], cell_line="MCF-7")
    number, label = (
        found[name][1, 0] / found[name][0, 0] for name in ("live_cells", "dna_synthesis")
    )
    assert label > 1.5 * number
