"""Fits to rows as the scorecard reads them: every kind of prediction feels what they change."""

import importlib.util
import sys
from pathlib import Path

import pytest

from estradyn.evidence import Use
from estradyn.model import load_parameters, load_patient_model
from estradyn.model.parameter_table import EvidenceClass
from estradyn.scorecard import clinical
from estradyn.scorecard.targets import targets_of

FOLDER = Path(__file__).parents[2] / "calibration"


@pytest.fixture(scope="module")
def scored_rows():
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("scored_rows", FOLDER / "scored_rows.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["scored_rows"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(FOLDER))
        for name in ("scored_rows", "population_fit", "cohort"):
            sys.modules.pop(name, None)


def test_fits_move_fitted_rows_to_rows_that_say_they_are_calibrated_to(scored_rows):
    targets = {target.id: target for target in targets_of("clinical")}
    tables = {
        population: load_parameters(population=population)
        for population in {fit.population for fit in scored_rows.FITS.values()}
    }
    for name, fit in scored_rows.FITS.items():
        table = tables[fit.population]
        for parameter in fit.parameters:
            row = table.by_name[parameter.row]
            assert row.evidence_class is EvidenceClass.FITTED, (name, parameter.row)
            assert "calibration/scored_rows.py" in row.source, (name, parameter.row)
        for shown in fit.shown:
            target = targets[shown.target]
            assert target.item.use is Use.CALIBRATION, (name, shown.target)
            assert (shown.published is None) == (target.number is not None), (name, shown.target)


@pytest.mark.parametrize(
    ("row", "target", "value"),
    [
        ("ovary_androgen_competition", "pk164.2", 1e9),
        ("hot_flashes_background_logit", "SA51", -9.0),
        ("clomiphene_ligand_dissociation_constant", "pk214", 1e9),
    ],
)
def test_predictions_of_cycles_trials_and_levels_follow_what_is_changed(
    scored_rows, row, target, value
):
    asked = [one for one in targets_of("clinical") if one.id == target]

    def predicted(changes):
        found = clinical.predict(
            asked,
            workers=1,
            progress=None,
            patients=3,
            change=lambda patient: scored_rows.with_changes(patient, changes),
        )
        return found[target].value

    assert predicted({row: scored_rows.RowValues(value)}) < 0.7 * predicted({})


def test_what_a_drug_brings_is_left_alone_in_a_model_without_it(scored_rows):
    patient = load_patient_model(drugs=("letrozole",), modules=())
    changes = {"clomiphene_ligand_dissociation_constant": scored_rows.RowValues(3.0)}
    assert scored_rows.with_changes(patient, changes).parameters == patient.parameters
