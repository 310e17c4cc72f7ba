"""What a model says about doses into its states: lag, bioavailability, rate and duration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import symengine as se
from numpy.typing import NDArray

from estradyn.engine import compile_model, solve
from estradyn.errors import ModelError
from estradyn.model import OdeModel, State

LAG_TIME = "lag_time"
BIOAVAILABILITY = "bioavailability"
INFUSION_RATE = "infusion_rate"
INFUSION_DURATION = "infusion_duration"
TRAITS = (LAG_TIME, BIOAVAILABILITY, INFUSION_RATE, INFUSION_DURATION)


def trait_name(state: str, trait: str) -> str:
    """Return the name of the constant that holds a trait of doses into a state.

    The state comes first, so that the name stays right when the model becomes part of another:
    ``gut`` and ``gut_lag_time`` of an instance ``drug`` are ``drug_gut`` and ``drug_gut_lag_time``.
    """
    return f"{state}_{trait}"


@dataclass(frozen=True)
class DosingTraits:
    """Values of the traits for each patient.

    Attributes
    ----------
    values
        By trait, shape (patients, states); NaN where the model has no constant for it.
    """

    values: Mapping[str, NDArray[np.float64]]

    def __getitem__(self, trait: str) -> NDArray[np.float64]:
        return self.values[trait]


def dosing_traits(
    model: OdeModel, parameters: Mapping[str, NDArray[np.float64]], patients: int
) -> DosingTraits:
    """Evaluate the constants that are named after a state and a trait.

    Parameters
    ----------
    model
        The model.
    parameters
        Values that replace the model's own, shape (patients,).
    patients
        Number of patients.

    Raises
    ------
    ModelError
        If a variable has such a name but is not constant.
    """
    parameter_values = {item.name: item.value for item in model.parameters}
    derived = {item.name for item in model.derived}
    varying = {item.name for item in model.assignments} | set(model.state_names)
    values = {trait: np.full((patients, len(model.states)), np.nan) for trait in TRAITS}
    computed: dict[str, tuple[str, int]] = {}
    for place, state in enumerate(model.state_names):
        for trait in TRAITS:
            name = trait_name(state, trait)
            if name in varying:
                raise ModelError(f"'{name}' of the model '{model.name}' must be a constant")
            if name in parameter_values:
                values[trait][:, place] = parameters.get(name, parameter_values[name])
            elif name in derived:
                computed[name] = (trait, place)
    if computed:
        found = _derived_constants(model, list(computed), parameters, patients)
        for (trait, place), column in zip(computed.values(), found.T, strict=True):
            values[trait][:, place] = column
    return DosingTraits(values)


def _derived_constants(
    model: OdeModel,
    names: list[str],
    parameters: Mapping[str, NDArray[np.float64]],
    patients: int,
) -> NDArray[np.float64]:
    """Evaluate derived constants by the engine, shape (patients, names)."""
    # A state that nothing moves stands for the equations, which constants do not need.
    still = State("still", "dimensionless", se.Integer(0), se.Integer(0))
    constants = replace(model, states=(still,), assignments=(), events=())
    compiled = compile_model(constants, names)
    return solve(compiled, parameters, [0.0], patients=patients).values[:, 0]
