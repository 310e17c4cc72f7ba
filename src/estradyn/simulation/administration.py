"""From dose records to doses: what enters which state when, after lag and bioavailability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estradyn.errors import InputError
from estradyn.simulation.dosing_traits import (
    BIOAVAILABILITY,
    INFUSION_DURATION,
    INFUSION_RATE,
    LAG_TIME,
    DosingTraits,
    trait_name,
)
from estradyn.simulation.event_records import MODELLED_DURATION, MODELLED_RATE, EventRecords


@dataclass(frozen=True)
class Administrations:
    """How each record's dose is given; all arrays have shape (records,).

    Attributes
    ----------
    delay
        Time from the record to the start of the dose.
    amount
        Amount that is added at once, 0 for an infusion and for a record without a dose.
    rate
        Rate of an infusion, 0 without one.
    duration
        Duration of an infusion, 0 without one.
    """

    delay: NDArray[np.float64]
    amount: NDArray[np.float64]
    rate: NDArray[np.float64]
    duration: NDArray[np.float64]


def administer(
    records: EventRecords, traits: DosingTraits, state_names: tuple[str, ...]
) -> Administrations:
    """Work out how the doses of records are given.

    The bioavailable amount is infused at RATE, or over DUR: with a rate given, bioavailability
    changes how long an infusion lasts, with a duration how fast it runs.

    Parameters
    ----------
    records
        Records of all patients.
    traits
        Traits of the model for the same patients.
    state_names
        States of the model.

    Raises
    ------
    InputError
        Naming the line of a record whose lag time, bioavailability, rate or duration is missing or
        may not be used.
    """
    patient = np.repeat(np.arange(records.patients), np.diff(records.first))
    dosed = records.state >= 0
    state = np.where(dosed, records.state, 0)

    def of_model(trait: str) -> NDArray[np.float64]:
        return np.where(dosed, traits[trait][patient, state], np.nan)

    def refuse(
        wrong: NDArray[np.bool_], trait: str, values: NDArray[np.float64], allowed: str
    ) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            name = trait_name(state_names[state[row]], trait)
            raise InputError(
                f"the model's '{name}' is {values[row]:g} for ID {records.ids[patient[row]]}, "
                f"it must be {allowed}",
                source=records.path,
                line=int(records.line[row]),
            )

    def own_or_models(own: NDArray[np.float64], trait: str, usual: float) -> NDArray[np.float64]:
        values = of_model(trait)
        values = np.where(np.isnan(values), usual, values)
        values = np.where(np.isnan(own), values, own)
        refuse((values < 0) | ~np.isfinite(values), trait, values, "0 or above")
        return values

    delay = own_or_models(records.lag_time, LAG_TIME, 0.0)
    bioavailability = own_or_models(records.bioavailability, BIOAVAILABILITY, 1.0)
    amount = np.where(dosed, records.amount * bioavailability, 0.0)

    rate, duration = records.rate.copy(), records.duration.copy()
    for code, trait, chosen in (
        (MODELLED_RATE, INFUSION_RATE, rate),
        (MODELLED_DURATION, INFUSION_DURATION, duration),
    ):
        asked = records.rate == code
        values = of_model(trait)
        missing = asked & np.isnan(values)
        if missing.any():
            row = int(np.argmax(missing))
            name = trait_name(state_names[state[row]], trait)
            raise InputError(
                f"RATE is {code:g}, for which the model needs a constant '{name}'",
                source=records.path,
                line=int(records.line[row]),
            )
        refuse(asked & ~((values > 0) & np.isfinite(values)), trait, values, "above 0")
        chosen[asked] = values[asked]
    by_rate = (rate > 0) & (amount > 0)
    by_duration = (duration > 0) & (amount > 0)
    with np.errstate(over="ignore"):
        np.divide(amount, rate, out=duration, where=by_rate)
        np.divide(amount, duration, out=rate, where=by_duration)
    if np.isinf(rate).any():
        row = int(np.argmax(np.isinf(rate)))
        raise InputError(
            f"an infusion over {duration[row]:g} has no finite rate, give AMT at once (DUR 0)",
            source=records.path,
            line=int(records.line[row]),
        )
    infused = by_rate | by_duration
    return Administrations(
        delay=delay,
        amount=np.where(infused, 0.0, amount),
        rate=np.where(infused, rate, 0.0),
        duration=np.where(infused, duration, 0.0),
    )
