"""What keeps a design from showing a stimulation zone."""

from __future__ import annotations

import math

from estradyn.assay.plan.design import AssayDesign
from estradyn.assay.plan.dilution import vehicle_percent
from estradyn.assay.series import dose_text

FEWEST_PER_LIMB = 2
"""Doses wanted on each side of the expected peak."""

HALF_LOG = math.sqrt(10.0)
DEPRIVATION_H = (24.0, 48.0)
FEWEST_PLATES = 3


def design_warnings(design: AssayDesign) -> list[str]:
    """Sentences on what the design cannot show, and what to do; empty if there is nothing.

    Parameters
    ----------
    design
        The planned assay.
    """
    warnings = []
    doses, peak = design.doses(), design.drug.expected_peak
    if peak is None:
        warnings.append(
            "No expected_peak is given for the drug, so the doses on either limb of the zone "
            "cannot be counted."
        )
    else:
        below = sum(dose < peak for dose in doses)
        above = sum(dose > peak for dose in doses)
        for side, count in (("below", below), ("above", above)):
            if count < FEWEST_PER_LIMB:
                warnings.append(
                    f"{count} doses lie {side} the expected peak of {dose_text(peak, 'M')}; plan "
                    f"{FEWEST_PER_LIMB} or more."
                )
    if design.drug.dilution_factor > HALF_LOG * 1.001:
        warnings.append(
            f"Neighbouring doses differ by a factor of {design.drug.dilution_factor:g}; steps "
            "above half a log (3.16) can step over the zone."
        )
    if not design.medium.charcoal_stripped or not design.medium.phenol_red_free:
        warnings.append(
            "The medium is not both charcoal-stripped and free of phenol red: its estrogens "
            "stimulate the vehicle and hide the zone."
        )
    if design.medium.insulin:
        warnings.append(
            "Insulin in the medium keeps cells growing without estradiol; in simulations little of "
            "the zone is left."
        )
    low, high = DEPRIVATION_H
    if not low <= design.medium.deprivation_h <= high:
        warnings.append(
            f"Hormone deprivation of {design.medium.deprivation_h:g} h is outside {low:g} to "
            f"{high:g} h."
        )
    if not design.time_zero:
        warnings.append("Without a plate at time 0 no growth rates (GR) can be given.")
    if design.agonist is None:
        warnings.append("Without an agonist there is no positive control of stimulation.")
    if design.plates_per_time < FEWEST_PLATES:
        warnings.append(
            f"{design.plates_per_time} plate(s) at each time: the plate is the replicate, so plan "
            f"{FEWEST_PLATES} or more."
        )
    percent = vehicle_percent(design)
    if percent > design.vehicle_limit * 1.0001:
        warnings.append(
            f"Every well holds {percent:.3g} % {design.vehicle}, above the limit of "
            f"{design.vehicle_limit:g} %; use stronger stocks."
        )
    if design.edge_wells:
        warnings.append("Edge wells are used; they dry out first and add scatter.")
    if design.arrangement == "blocked":
        warnings.append(
            "Treatments stand side by side on every plate, so a gradient across the plate looks "
            "like an effect of dose."
        )
    return warnings
