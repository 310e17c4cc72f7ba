r"""Families of dose-response curves.

All share one form, which makes their landmarks comparable:

.. math:: y(x) = c + \frac{d - c + a\,h(x)}{1 + (x/e)^b}

`d` is the response without drug, `c` the floor at high dose, `a >= 0` the stimulation and `h` a
rising function that tells the families apart:

========================  =======================================  ===============================
family                    :math:`h(x)`                             source
========================  =======================================  ===============================
log-logistic              none (:math:`a = 0`)                     Finney 1971; Ritz 2015,
                                                                   doi:10.1371/journal.pone.0146021
Brain-Cousens             :math:`x`                                Brain & Cousens 1989,
                                                                   doi:10.1111/j.1365-3180.1989.tb00845.x
Cedergreen-Ritz-Streibig  :math:`\exp(-1/x^\alpha)`,               Cedergreen 2005,
                          alpha 1 (a), 1/2 (b), 1/4 (c)            doi:10.1897/05-014R.1
bell                      :math:`1/(1 + (e_1/x)^{b_1})`            product of opposing sigmoids,
                                                                   Beckon 2008 (Environ Sci
                                                                   Technol 42:1308)
========================  =======================================  ===============================

Doses enter divided by a reference dose, so that 1e-12 to 1e-4 M need no rescaling. The families
Brain-Cousens, log-logistic and bell do not change with that reference; Cedergreen-Ritz-Streibig
does, since :math:`\exp(-1/x^\alpha)` holds a dose of 1 in whatever unit is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LARGEST_EXPONENT = 300.0

PARAMETER_MEANING = {
    "control": "response without drug",
    "floor": "response at high dose",
    "stimulation": "size of the rising term",
    "log_slope": "natural logarithm of the slope b of the falling limb",
    "log_dose": "natural logarithm of the dose e of the falling limb",
    "log_rise_slope": "natural logarithm of the slope of the rising limb",
    "log_rise_dose": "natural logarithm of the dose of the rising limb",
}


@dataclass(frozen=True)
class CurveFamily:
    """One family of curves.

    Attributes
    ----------
    name
        Short name, as in the R package drc where one exists there.
    label
        Name as printed.
    rise
        `none`, `linear`, `exponential` or `sigmoid`: the function h.
    falls
        Whether there is a falling limb; without it the curve is flat.
    has_floor
        Whether the floor is estimated; without it the floor is 0.
    alpha
        Exponent of the exponential rise.
    """

    name: str
    label: str
    rise: str = "none"
    falls: bool = True
    has_floor: bool = False
    alpha: float = 0.0

    @property
    def biphasic(self) -> bool:
        """Whether the family can rise before it falls."""
        return self.rise != "none"

    @property
    def linear(self) -> tuple[str, ...]:
        """Parameters in which the curve is linear."""
        return (
            "control",
            *(("floor",) if self.has_floor else ()),
            *(("stimulation",) if self.biphasic else ()),
        )

    @property
    def nonlinear(self) -> tuple[str, ...]:
        """Parameters in which the curve is not linear, all logarithms."""
        fall = ("log_slope", "log_dose") if self.falls else ()
        rise = ("log_rise_slope", "log_rise_dose") if self.rise == "sigmoid" else ()
        return fall + rise

    @property
    def parameters(self) -> tuple[str, ...]:
        """All parameters in the order of the parameter vector."""
        return self.linear + self.nonlinear

    def place(self, parameter: str) -> int:
        """Position of a parameter in the parameter vector."""
        return self.parameters.index(parameter)

    def _items(self, theta: Array) -> dict[str, Array]:
        return {name: theta[..., i] for i, name in enumerate(self.parameters)}

    def _fall(self, items: dict[str, Array], log_dose: Array) -> tuple[Array, Array]:
        """Return S = 1/(1 + u) and log u."""
        slope = np.exp(items["log_slope"])
        log_u = np.clip(
            slope * (log_dose - items["log_dose"]), -_LARGEST_EXPONENT, _LARGEST_EXPONENT
        )
        return 1.0 / (1.0 + np.exp(log_u)), log_u

    def _rise(self, items: dict[str, Array], log_dose: Array) -> tuple[Array, Array]:
        """Return h and dh/dlog(x)."""
        if self.rise == "linear":
            h = np.exp(np.clip(log_dose, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
            return h, h
        if self.rise == "exponential":
            power = np.exp(np.clip(-self.alpha * log_dose, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))
            h = np.exp(-np.minimum(power, 700.0))
            return h, h * self.alpha * power
        slope = np.exp(items["log_rise_slope"])
        exponent = np.clip(
            slope * (items["log_rise_dose"] - log_dose), -_LARGEST_EXPONENT, _LARGEST_EXPONENT
        )
        h = 1.0 / (1.0 + np.exp(exponent))
        return h, slope * h * (1.0 - h)

    def evaluate(self, theta: Array, log_dose: Array) -> Array:
        """Response.

        Parameters
        ----------
        theta
            Parameter vectors; shape (..., parameters).
        log_dose
            Natural logarithm of dose over reference dose, minus infinity for no drug; broadcast
            against the leading axes of `theta`.
        """
        items = self._items(theta)
        if not self.falls:
            return items["control"] + 0.0 * np.maximum(log_dose, 0.0)
        fall, _ = self._fall(items, log_dose)
        floor = items.get("floor", np.zeros(()))
        height = items["control"] - floor
        if self.biphasic:
            height = height + items["stimulation"] * self._rise(items, log_dose)[0]
        return floor + height * fall

    def jacobian(self, theta: Array, log_dose: Array) -> tuple[Array, Array]:
        """Response and its derivatives by the parameters; shapes (...) and (..., parameters)."""
        items = self._items(theta)
        if not self.falls:
            response = self.evaluate(theta, log_dose)
            return response, np.ones((*response.shape, 1))
        fall, log_u = self._fall(items, log_dose)
        floor = items.get("floor", np.zeros(()))
        height = items["control"] - floor
        columns: dict[str, Array] = {}
        if self.biphasic:
            rise, slope_of_rise = self._rise(items, log_dose)
            height = height + items["stimulation"] * rise
            columns["stimulation"] = rise * fall
            if self.rise == "sigmoid":
                gain = items["stimulation"] * fall
                distance = np.where(np.isfinite(log_dose), log_dose - items["log_rise_dose"], 0.0)
                columns["log_rise_slope"] = gain * slope_of_rise * distance
                columns["log_rise_dose"] = -gain * slope_of_rise
        bend = height * fall * (1.0 - fall)
        columns["control"] = fall
        columns["floor"] = 1.0 - fall
        columns["log_slope"] = -bend * log_u
        columns["log_dose"] = bend * np.exp(items["log_slope"])
        stacked = np.stack(
            np.broadcast_arrays(*(columns[name] for name in self.parameters)), axis=-1
        )
        return floor + height * fall, stacked

    def slope(self, theta: Array, log_dose: Array) -> Array:
        """Derivative of the response by the logarithm of the dose."""
        items = self._items(theta)
        if not self.falls:
            return 0.0 * self.evaluate(theta, log_dose)
        fall, _ = self._fall(items, log_dose)
        height = items["control"] - items.get("floor", np.zeros(()))
        result = np.zeros(())
        if self.biphasic:
            rise, slope_of_rise = self._rise(items, log_dose)
            height = height + items["stimulation"] * rise
            result = items["stimulation"] * slope_of_rise * fall
        return result - height * np.exp(items["log_slope"]) * fall * (1.0 - fall)


FLAT = CurveFamily("flat", "flat", falls=False)
LOG_LOGISTIC_3 = CurveFamily("LL.3", "three-parameter log-logistic")
LOG_LOGISTIC_4 = CurveFamily("LL.4", "four-parameter log-logistic", has_floor=True)
BRAIN_COUSENS_4 = CurveFamily("BC.4", "Brain-Cousens", rise="linear")
BRAIN_COUSENS_5 = CurveFamily("BC.5", "Brain-Cousens with floor", rise="linear", has_floor=True)
CEDERGREEN_A = CurveFamily("CRS.4a", "Cedergreen-Ritz-Streibig a", rise="exponential", alpha=1.0)
CEDERGREEN_B = CurveFamily("CRS.4b", "Cedergreen-Ritz-Streibig b", rise="exponential", alpha=0.5)
CEDERGREEN_C = CurveFamily("CRS.4c", "Cedergreen-Ritz-Streibig c", rise="exponential", alpha=0.25)
BELL = CurveFamily("bell", "bell of two opposing sigmoids", rise="sigmoid")
BELL_WITH_FLOOR = CurveFamily("bell.f", "bell with floor", rise="sigmoid", has_floor=True)

FAMILIES = {
    family.name: family
    for family in (
        FLAT,
        LOG_LOGISTIC_3,
        LOG_LOGISTIC_4,
        BRAIN_COUSENS_4,
        BRAIN_COUSENS_5,
        CEDERGREEN_A,
        CEDERGREEN_B,
        CEDERGREEN_C,
        BELL,
        BELL_WITH_FLOOR,
    )
}
"""All families by name."""


def nested_monotone(family: CurveFamily) -> CurveFamily:
    """The family that is left when a biphasic family has no stimulation."""
    return LOG_LOGISTIC_4 if family.has_floor else LOG_LOGISTIC_3


def families_named(names: tuple[str, ...]) -> Iterator[CurveFamily]:
    """Families by their short names."""
    for name in names:
        yield FAMILIES[name]
