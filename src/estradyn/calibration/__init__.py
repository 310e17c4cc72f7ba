"""Fitting of typical individuals to published numbers: problems in PEtab, fits, profiles."""

from estradyn.calibration.experiment_model import AREA, AT_START, experiment_sbml
from estradyn.calibration.fit import Fit, fit
from estradyn.calibration.prediction import Predictor
from estradyn.calibration.problem import CalibrationProblem, load_problem
from estradyn.calibration.profile import Profile, profile_likelihood
from estradyn.calibration.run import Calibration, calibrate
from estradyn.calibration.value_tables import write_fitted_values

__all__ = [
    "AREA",
    "AT_START",
    "Calibration",
    "CalibrationProblem",
    "Fit",
    "Predictor",
    "Profile",
    "calibrate",
    "experiment_sbml",
    "fit",
    "load_problem",
    "profile_likelihood",
    "write_fitted_values",
]
