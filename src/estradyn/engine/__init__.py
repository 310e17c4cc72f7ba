"""Compiled vector solver for populations of patients."""

from estradyn.engine.compiled import CompiledModel, compile_model, model_hash
from estradyn.engine.doses import DoseSchedule
from estradyn.engine.equilibrium import Equilibria, find_equilibria
from estradyn.engine.solve import Solution, SolverOptions, solve
from estradyn.engine.status import PatientStatus

__all__ = [
    "CompiledModel",
    "DoseSchedule",
    "Equilibria",
    "PatientStatus",
    "Solution",
    "SolverOptions",
    "compile_model",
    "find_equilibria",
    "model_hash",
    "solve",
]
