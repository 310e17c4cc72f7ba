"""Reads model text, tables and drug records, and checks them."""

from estradyn.model.composition import compose, drug_records
from estradyn.model.drug_record import DrugRecord, read_drug_record
from estradyn.model.export import export_sbml
from estradyn.model.loading import load_model, parameters_without_value
from estradyn.model.ode_model import TIME, Assignment, OdeModel, Parameter, State
from estradyn.model.parameter_table import (
    Correlation,
    Distribution,
    EvidenceClass,
    Level,
    ParameterRow,
    ParameterTable,
)
from estradyn.model.patient_model import (
    BaselineOverride,
    Output,
    PatientModel,
    PlausibilityRule,
    load_parameters,
    load_patient_model,
    modules_giving,
    outputs_of_people,
    with_fixed_values,
    with_values,
)
from estradyn.model.sources import models_directory, shipped_models
from estradyn.model.units import check_units, unit_faults, unit_ratio

__all__ = [
    "TIME",
    "Assignment",
    "BaselineOverride",
    "Correlation",
    "Distribution",
    "DrugRecord",
    "EvidenceClass",
    "Level",
    "OdeModel",
    "Output",
    "Parameter",
    "ParameterRow",
    "ParameterTable",
    "PatientModel",
    "PlausibilityRule",
    "State",
    "check_units",
    "compose",
    "drug_records",
    "export_sbml",
    "load_model",
    "load_parameters",
    "load_patient_model",
    "models_directory",
    "modules_giving",
    "outputs_of_people",
    "parameters_without_value",
    "read_drug_record",
    "shipped_models",
    "unit_faults",
    "unit_ratio",
    "with_fixed_values",
    "with_values",
]
