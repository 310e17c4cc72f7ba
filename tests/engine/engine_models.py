"""Small systems with known answers."""

from __future__ import annotations

import symengine as se

from estradyn.model.ode_model import TIME, Assignment, OdeModel, Parameter, State


def system(
    rates: dict[str, str],
    initial: dict[str, str | float],
    parameters: dict[str, float] | None = None,
    assignments: dict[str, str] | None = None,
    derived: dict[str, str] | None = None,
) -> OdeModel:
    """Return a model written in short text; units are all dimensionless."""

    def parse(text: str | float) -> se.Basic:
        return se.sympify(text)

    return OdeModel(
        name="system",
        time_unit="hour",
        states=tuple(
            State(name, "dimensionless", parse(initial[name]), parse(rate))
            for name, rate in rates.items()
        ),
        parameters=tuple(
            Parameter(name, "dimensionless", value) for name, value in (parameters or {}).items()
        ),
        derived=tuple(
            Assignment(name, "dimensionless", parse(text)) for name, text in (derived or {}).items()
        ),
        assignments=tuple(
            Assignment(name, "dimensionless", parse(text))
            for name, text in (assignments or {}).items()
        ),
    )


def oral_drug() -> OdeModel:
    """Absorption and elimination of first order."""
    return system(
        {"gut": "-ka*gut", "plasma": "ka*gut - clearance/volume*plasma"},
        {"gut": 0.0, "plasma": 0.0},
        {"ka": 1.5, "clearance": 1.1, "volume": 20.0},
        {"concentration": "plasma/volume"},
    )


def robertson() -> OdeModel:
    """Robertson's three reactions."""
    return system(
        {
            "y1": "-k1*y1 + k3*y2*y3",
            "y2": "k1*y1 - k3*y2*y3 - k2*y2**2",
            "y3": "k2*y2**2",
        },
        {"y1": 1.0, "y2": 0.0, "y3": 0.0},
        {"k1": 0.04, "k2": 3e7, "k3": 1e4},
    )


def hires() -> OdeModel:
    """HIRES, high irradiance responses of photomorphogenesis (8 states)."""
    return system(
        {
            "y1": "-1.71*y1 + 0.43*y2 + 8.32*y3 + 0.0007",
            "y2": "1.71*y1 - 8.75*y2",
            "y3": "-10.03*y3 + 0.43*y4 + 0.035*y5",
            "y4": "8.32*y2 + 1.71*y3 - 1.12*y4",
            "y5": "-1.745*y5 + 0.43*y6 + 0.43*y7",
            "y6": "-280*y6*y8 + 0.69*y4 + 1.71*y5 - 0.43*y6 + 0.69*y7",
            "y7": "280*y6*y8 - 1.81*y7",
            "y8": "-280*y6*y8 + 1.81*y7",
        },
        {
            "y1": 1.0,
            "y2": 0.0,
            "y3": 0.0,
            "y4": 0.0,
            "y5": 0.0,
            "y6": 0.0,
            "y7": 0.0,
            "y8": 0.0057,
        },
    )


def van_der_pol() -> OdeModel:
    """Van der Pol's oscillator with a stiffness of 1e-6."""
    return system(
        {"y1": "y2", "y2": "((1 - y1**2)*y2 - y1)/epsilon"},
        {"y1": 2.0, "y2": -0.66},
        {"epsilon": 1e-6},
    )


def forced_decay() -> OdeModel:
    """Decay driven by time itself: y' = -k (y - cos t) ."""
    return system({"y": f"-k*(y - cos({TIME}))"}, {"y": 0.0}, {"k": 50.0})
