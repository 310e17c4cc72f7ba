"""Estradiol after menopause, and what ligands do at the receptor of each tissue."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estradyn.engine import compile_model, solve
from estradyn.model import load_model, load_parameters, with_values


def module(name, instance, outputs, **values):
    model = load_model(name)
    rows = load_parameters().by_name
    tabled = {
        parameter: rows[f"{instance}_{parameter}"].value
        for parameter in model.parameter_names
        if f"{instance}_{parameter}" in rows
    }
    return compile_model(with_values(model, {**tabled, **values}), outputs)


RECEPTOR_OUTPUTS = (
    "breast_estrogen_drive",
    "drug_free_breast_drive",
    "bone_estrogen_ratio",
    "liver_estrogen_ratio",
    "estradiol_breast_drive",
)


@pytest.fixture(scope="module")
def receptor():
    levels = {"estradiol_concentration": 12.0, "drug_free_estradiol": 12.0}
    return module("receptor", "receptor", RECEPTOR_OUTPUTS, cell_birth_rate=0.0015, **levels)


def tissue(receptor, days, **inputs):
    solution = solve(receptor, inputs, np.asarray(days) * 24.0, patients=1)
    return {name: solution[name][0] for name in RECEPTOR_OUTPUTS}


def test_estradiol_stays_at_its_own_baseline_and_falls_with_aromatase():
    compiled = module("estrogen", "estrogen", ("estradiol_concentration",))
    untouched = solve(compiled, {}, [0.0, 1000.0], patients=1)["estradiol_concentration"][0]
    assert untouched == pytest.approx([12.0, 12.0])
    rest = compiled.model.parameters
    rest = next(item.value for item in rest if item.name == "aromatase_independent_share")
    for inhibition in ({"inhibitor_binding": 19.0}, {"remaining_aromatase": 0.05}):
        inhibited = solve(compiled, inhibition, [500.0], patients=1)["estradiol_concentration"]
        assert inhibited[0, 0] == pytest.approx((rest + (1.0 - rest) * 0.05) * 12.0)


def test_without_a_drug_every_tissue_reads_plasma_estradiol(receptor):
    read = tissue(receptor, [0.0, 100.0])
    assert read["breast_estrogen_drive"] == pytest.approx(read["drug_free_breast_drive"])
    assert read["bone_estrogen_ratio"] == pytest.approx(12.0 / 367.1)
    assert read["liver_estrogen_ratio"] == pytest.approx(1.0)


def test_agonism_comes_first_and_antagonism_after(receptor):
    read = tissue(receptor, [0.01, 60.0], breast_binding=8.0, breast_stimulus=0.05 * 8.0)
    early, late = read["breast_estrogen_drive"]
    baseline = read["drug_free_breast_drive"][0]
    assert early > baseline > late


def test_antagonism_takes_longer_in_tumors_that_divide_more_slowly(receptor):
    inputs = {"breast_binding": 8.0, "breast_stimulus": 0.4}
    fast = tissue(receptor, [6.0], cell_birth_rate=0.003, **inputs)
    slow = tissue(receptor, [6.0], cell_birth_rate=0.00075, **inputs)
    assert slow["breast_estrogen_drive"][0] > 2.0 * fast["breast_estrogen_drive"][0]


def test_cells_without_hold_for_a_serm_read_estradiol_alone(receptor):
    serm = tissue(receptor, [0.0, 60.0], breast_binding=8.0, breast_stimulus=0.4)
    assert serm["estradiol_breast_drive"] == pytest.approx(serm["drug_free_breast_drive"])
    deprived = tissue(receptor, [0.0, 60.0], estradiol_concentration=1.0)
    assert deprived["estradiol_breast_drive"] == pytest.approx(deprived["breast_estrogen_drive"])
    assert deprived["estradiol_breast_drive"][0] < 0.5 * deprived["drug_free_breast_drive"][0]


@settings(deadline=None, max_examples=25)
@given(binding=st.floats(0.0, 1e3), estradiol=st.floats(0.1, 5e3))
def test_a_ligand_without_agonism_never_raises_the_drive(receptor, binding, estradiol):
    levels = {"estradiol_concentration": estradiol, "drug_free_estradiol": estradiol}
    read = tissue(receptor, [0.0, 3.0, 100.0], breast_binding=binding, **levels)
    baseline = read["drug_free_breast_drive"][0]
    assert (read["breast_estrogen_drive"] <= baseline * (1.0 + 1e-9)).all()


@settings(deadline=None, max_examples=25)
@given(binding=st.floats(0.0, 1e3), agonism=st.floats(0.0, 0.99), estradiol=st.floats(0.1, 5e3))
def test_equivalent_estradiol_gives_the_same_drive_without_a_drug(
    receptor, binding, agonism, estradiol
):
    rows = load_parameters().by_name
    affinity = (
        rows["receptor_available_fraction"].value
        / rows["receptor_estradiol_dissociation_constant"].value
    )
    read = tissue(
        receptor,
        [0.0],
        estradiol_concentration=estradiol,
        bone_binding=binding,
        bone_stimulus=agonism * binding,
    )
    x = affinity * estradiol
    drive = (x + agonism * binding) / (1.0 + x + binding)
    x_equivalent = affinity * read["bone_estrogen_ratio"][0] * 367.1
    assert x_equivalent / (1.0 + x_equivalent) == pytest.approx(drive, rel=1e-9)


def test_binding_and_stimulus_add_parent_and_metabolite():
    outputs = ("breast_binding", "breast_stimulus", "bone_binding")
    compiled = module("serm_ligand", "toremifene_ligand", outputs)
    levels = {"parent_concentration": 0.9, "metabolite_concentration": 1.8}
    both = solve(compiled, levels, [0.0], patients=1)
    parent = solve(compiled, {"parent_concentration": 0.9}, [0.0], patients=1)
    # 0.9 mg/L of 405.97 g/mol, 0.4 % unbound, against 8 nmol/L
    assert parent["bone_binding"][0, 0] == pytest.approx(0.9e6 / 405.97 * 0.004 / 8.0)
    assert both["bone_binding"][0, 0] == pytest.approx(
        parent["bone_binding"][0, 0] + 1.8e6 / 391.94 * 0.004 / 8.0
    )
    agonism = load_parameters().by_name["toremifene_ligand_breast_agonism"].value
    assert both["breast_stimulus"][0, 0] == pytest.approx(agonism * both["breast_binding"][0, 0])
