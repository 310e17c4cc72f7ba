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


ESTROGENS = (
    "estradiol_concentration",
    "estrone_concentration",
    "estrone_sulfate_concentration",
    "aromatase_activity",
)


def remaining(days, **inputs):
    """Share of each estrogen that is left, and the activity of aromatase, which begins lower."""
    compiled = module("estrogen", "estrogen", ESTROGENS)
    solution = solve(compiled, inputs, np.asarray([0.0, *days]) * 24.0, patients=1)
    values = {item.name: item.value for item in compiled.model.parameters}
    left = {name: solution[name][0, 1:] / solution[name][0, 0] for name in ESTROGENS[:3]}
    return left | {"aromatase_activity": solution["aromatase_activity"][0, 1:]}, values


def test_estrogens_stay_at_their_own_baseline():
    left, _ = remaining([1.0, 40.0])
    for name in ESTROGENS:
        assert left[name] == pytest.approx([1.0, 1.0])


def test_estrogens_settle_with_the_aromatase_that_is_left():
    for inhibition in (
        {"inhibitor_binding": 19.0, "sheltered_binding": 5.0},
        {"remaining_aromatase": 0.05},
    ):
        left, values = remaining([40.0], **inhibition)
        activity = left["aromatase_activity"][0]
        # Solved on paper: the sulfate comes to rest with estrone, and gives back what it takes.
        rest = values["estrone_aromatase_independent_share"]
        estrone = rest + (1.0 - rest) * activity
        assert left["estrone_concentration"][0] == pytest.approx(estrone)
        assert left["estrone_sulfate_concentration"][0] == pytest.approx(estrone)
        from_estrone = values["estradiol_share_from_estrone"]
        supply = (1.0 - from_estrone) * activity + from_estrone * estrone
        rest = values["aromatase_independent_share"]
        assert left["estradiol_concentration"][0] == pytest.approx(rest + (1.0 - rest) * supply)


def test_the_sulfate_declines_with_its_published_half_life_and_holds_the_others_up():
    left, _ = remaining([0.0, 0.5, 1.5, 2.5], remaining_aromatase=0.0)
    sulfate = left["estrone_sulfate_concentration"]
    above = sulfate - remaining([40.0], remaining_aromatase=0.0)[0]["estrone_sulfate_concentration"]
    half_life = 24.0 * np.log(2.0) / np.log(above[1] / above[2])
    # Estrone is held up by the sulfate, so both together fall a fiftieth more slowly than it would.
    assert half_life == pytest.approx(21.7, rel=0.03)  # pk180
    assert left["estradiol_concentration"][1] > 0.2


def test_an_inhibitor_leaves_the_aromatase_that_is_sheltered_from_it():
    left, values = remaining([1.0], inhibitor_binding=1e9)
    assert left["aromatase_activity"][0] == pytest.approx(values["sheltered_aromatase_share"])
    for everywhere in (
        {"inhibitor_binding": 1e9, "sheltered_binding": 1e9},
        {"remaining_aromatase": 0.0},
    ):
        left, _ = remaining([1.0], **everywhere)
        assert left["aromatase_activity"][0] == pytest.approx(0.0, abs=1e-8)


def test_estradiol_made_in_the_tumor_falls_with_its_aromatase(receptor):
    values = {item.name: item.value for item in receptor.model.parameters}
    plasma = {"estradiol_concentration": 1.2}
    without = solve(receptor, {"aromatase_activity": 1.0, **plasma}, [0.0], patients=1)
    inhibited = solve(receptor, {"aromatase_activity": 0.01, **plasma}, [0.0], patients=1)
    names = ("breast_estrogen_drive", "bone_estrogen_ratio")
    breast, bone = ([run[name][0, 0] for run in (without, inhibited)] for name in names)
    assert breast[1] < breast[0]
    assert bone[0] == bone[1]
    # Where as much is left in plasma as of aromatase, the tumor keeps its ratio to plasma.
    left = solve(receptor, {"aromatase_activity": 0.1, **plasma}, [0.0], patients=1)
    scale = values["tumor_estradiol_ratio"] * values["available_fraction"]
    bound = 1.2 * scale / values["estradiol_dissociation_constant"]
    expected = (values["unliganded_activity"] + bound) / (1.0 + bound)
    assert left["breast_estrogen_drive"][0, 0] == pytest.approx(expected)


def test_lost_receptors_take_their_share_of_the_drive(receptor):
    full, half = (
        solve(receptor, {"receptor_content": content}, [0.0], patients=1)["breast_estrogen_drive"]
        for content in (1.0, 0.5)
    )
    assert half[0, 0] == pytest.approx(0.5 * full[0, 0])


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
    fast = tissue(receptor, [3.0], cell_birth_rate=0.003, **inputs)
    slow = tissue(receptor, [3.0], cell_birth_rate=0.00075, **inputs)
    assert slow["breast_estrogen_drive"][0] > 2.0 * fast["breast_estrogen_drive"][0]


def test_cells_without_hold_for_a_serm_read_estradiol_alone(receptor):
    serm = tissue(receptor, [0.0, 60.0], breast_binding=8.0, breast_stimulus=0.4)
    assert serm["estradiol_breast_drive"] == pytest.approx(serm["drug_free_breast_drive"])
    deprived = tissue(receptor, [0.0, 60.0], estradiol_concentration=1.0, aromatase_activity=0.0)
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
