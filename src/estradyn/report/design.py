"""The design of a trial, in the words of its study file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from estradyn.report.off_study import rule_text
from estradyn.report.wording import listed, time_text, times_text, words_of
from estradyn.trial.people import known_people
from estradyn.trial.study import (
    Arm,
    BelowQuantification,
    PopulationPlan,
    Regimen,
    Setting,
    Study,
    Visits,
)


@dataclass(frozen=True)
class DesignRow:
    """One line of the design table: a label and one or more statements."""

    label: str
    statements: tuple[str, ...]


def regimen_text(regimen: Regimen) -> str:
    """One drug as it is given, say "toremifene 60 mg every day"."""
    parts = [f"{regimen.drug} {regimen.dose:g} mg {_pattern_text(regimen)}"]
    if regimen.start > 0:
        parts.append(f"from {time_text(regimen.start)}")
    if regimen.stop is not None:
        parts.append(f"until {time_text(regimen.stop)}")
    text = " ".join(parts)
    if regimen.missed_doses > 0:
        text += f", {regimen.missed_doses:g} % of doses missed"
    return text


def _pattern_text(regimen: Regimen) -> str:
    """When doses are given, say "every day for 5 days of every 28 days"."""
    if regimen.interval is not None:
        pattern = _every(regimen.interval)
        if regimen.course is not None:
            pattern += f" for {time_text(regimen.course)}"
    else:
        days = [f"{day:g}" for day in regimen.at or ()]
        pattern = f"on {'days' if len(days) > 1 else 'day'} {listed(days)}"
    if regimen.cycle is not None:
        pattern += f" of {_every(regimen.cycle)}"
    return pattern


def _every(interval: float) -> str:
    text = time_text(interval)
    return "every " + (text.removeprefix("1 ") if text.startswith("1 ") else text)


def arm_text(arm: Arm) -> str:
    """What an arm is given."""
    text = "; ".join(regimen_text(regimen) for regimen in arm.regimens) or "no treatment"
    return text + _co_medication_text(arm.co_medication)


def _co_medication_text(co_medication: Mapping[str, str]) -> str:
    named = [f"{enzyme.upper()} {state}" for enzyme, state in co_medication.items()]
    return f"; beside it: {', '.join(named)}" if named else ""


def _intake_text(plan: PopulationPlan) -> tuple[str, ...]:
    """How well patients take their doses, and what else all of them take."""
    statements = []
    if plan.adherence < 100.0:
        spread = (
            f", between patients with a spread of {plan.adherence_spread:g} on the logit scale"
            if plan.adherence_spread
            else ""
        )
        statements.append(f"{plan.adherence:g} % of the doses at home are taken{spread}")
    if plan.co_medication:
        statements.append(_co_medication_text(plan.co_medication).removeprefix("; beside it: "))
    return tuple(statements)


def _people_text(plan: PopulationPlan) -> str:
    return f"physiology: {known_people()[plan.people].title}"


def design_rows(study: Study) -> list[DesignRow]:
    """Everything the study file fixes except its arms, in a reader's order."""
    same = study.population.same_patients_in_every_arm
    rows = [
        DesignRow("Patients", (study.population.setting, _people_text(study.population))),
        DesignRow(
            "Size",
            (
                f"{study.patients_per_arm:,} patients per arm, "
                + ("the same patients in every arm" if same else "different patients in every arm"),
                "values that differ between trials: "
                + (
                    "one drawn for this trial"
                    if study.population.trial_effects == "drawn"
                    else "held at their typical values"
                ),
            ),
        ),
        DesignRow("Intake", _intake_text(study.population)),
        DesignRow("Duration", (time_text(study.duration),)),
        *_scan_rows(study),
        DesignRow("Visits", tuple(_visits_text(visits) for visits in study.visits)),
        *_RULES[study.setting](study),
        *_management_rows(study),
    ]
    return [row for row in rows if row.statements]


def _scan_rows(study: Study) -> list[DesignRow]:
    scans = study.scans
    if scans is None:
        return []
    window = f" (± {time_text(scans.window)})" if scans.window else ""
    lesions = (
        f"up to {scans.target_lesions} target lesions, "
        if study.setting is Setting.METASTATIC
        else ""
    )
    return [
        DesignRow(
            "Scans",
            (
                f"every {time_text(scans.every)}{window}, {lesions}"
                f"measurement error {scans.diameter_error:g} % of a diameter",
            ),
        )
    ]


def _examined(study: Study) -> list[DesignRow]:
    """How a primary tumor is judged."""
    criteria = study.criteria
    rule = (
        "WHO: the product of two diameters falls by half"
        if criteria.bidimensional
        else f"the longest diameter falls by {criteria.partial_response:g} %"
    )
    return [DesignRow("Response", (rule,))]


def _followed(study: Study) -> list[DesignRow]:
    """How disease that can't be seen at first is found."""
    periods = [day for day in study.follow_up.periods if day <= study.duration]
    ends = ", ".join(time_text(day) for day in periods)
    return [
        DesignRow(
            "Event",
            (
                "first scan on which a lesion measures "
                f"{study.follow_up.detection_diameter:g} mm or more",
            ),
        ),
        DesignRow(
            "Periods",
            (f"rates for the time up to each of {ends} from the one before",) if periods else (),
        ),
    ]


def _judged_by_recist(study: Study) -> list[DesignRow]:
    """How metastatic disease is judged."""
    criteria, rule = study.criteria, study.off_study
    confirmation = (
        f"confirmed after {time_text(criteria.confirmation_interval)} or more"
        if criteria.confirm_response
        else "unconfirmed"
    )
    return [
        DesignRow(
            "Response",
            (
                f"RECIST 1.1: sum of diameters {criteria.partial_response:g} % below baseline, "
                f"{confirmation}",
            ),
        ),
        DesignRow(
            "Progression",
            (
                f"{criteria.progression:g} % and {criteria.progression_absolute:g} mm above the "
                "smallest sum so far, or non-target disease "
                f"{criteria.non_target_volume_progression:g} % above its smallest volume",
            ),
        ),
        DesignRow(
            "Clinical benefit",
            (f"response, or no progression for {time_text(criteria.clinical_benefit)}",),
        ),
        DesignRow(
            "Symptomatic flare",
            (
                "signs pass the patient's own threshold within "
                f"{time_text(study.flare.onset_window)} and fall below it again within "
                f"{time_text(study.flare.resolution_window)}, on treatment",
            ),
        ),
        DesignRow(
            "Hypercalcemia",
            (
                f"plasma calcium above {study.hypercalcemia.threshold:g} mmol/L within "
                f"{time_text(study.hypercalcemia.onset_window)}",
            ),
        ),
        DesignRow("Off study", (rule_text(rule.rule),)),
    ]


_RULES: Mapping[Setting, Callable[[Study], list[DesignRow]]] = {
    Setting.METASTATIC: _judged_by_recist,
    Setting.NEOADJUVANT: _examined,
    Setting.ADJUVANT: _followed,
    Setting.PREVENTION: _followed,
}


def _visits_text(visits: Visits) -> str:
    if visits.at is not None:
        times = "at " + times_text(visits.at)
    else:
        assert visits.every is not None
        times = f"every {time_text(visits.every)}"
        if visits.until is not None:
            times += f" until {time_text(visits.until)}"
    window = f" (± {time_text(visits.window)})" if visits.window else ""
    measured = ", ".join(
        f"{words_of(name.value)} {error:g} %" for name, error in visits.measure.items()
    )
    if visits.assay is not None:
        measured += f"; hormones by {words_of(visits.assay)}"
    if visits.below_quantification is BelowQuantification.REPORTED:
        measured += "; by an assay without limit"
    return f"{visits.name}, {times}{window}; error of measurement: {measured}"


def _management_rows(study: Study) -> list[DesignRow]:
    """What is done about a flare while the trial runs."""
    rules = study.management.hypercalcemia
    if rules is None:
        return []
    given = "; ".join(regimen_text(regimen) for regimen in rules.give)
    statements = [
        f"from the first visit that measures calcium above {rules.treat_above:g} mmol/L: {given}"
    ]
    if rules.stop_above is not None:
        statements.append(
            f"above {rules.stop_above:g} mmol/L the drugs of the arm are stopped for good"
        )
    return [DesignRow("Management", tuple(statements))]
