"""The report of a trial: one HTML file that stands alone."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from estradyn import __version__
from estradyn.model.drug_review import review_warning
from estradyn.report.comparison import Comparison, tallies
from estradyn.report.counts import count_rows, flat_rows
from estradyn.report.design import arm_text, design_rows
from estradyn.report.drawing import draw_figure
from estradyn.report.endpoints import endpoint_groups
from estradyn.report.figures import (
    calcium,
    change_over_time,
    concentration,
    flare,
    lesions,
    survival,
)
from estradyn.report.figures.figure import Figure
from estradyn.report.headlines import headline_sentences
from estradyn.report.links import linked
from estradyn.report.off_study import rule_rows
from estradyn.report.palette import ArmPalette, palette_of
from estradyn.report.parameters import CLASS_MEANINGS, class_counts, printed_parameters
from estradyn.report.templates import DrawnFigure, house_style, page_environment
from estradyn.report.wording import number_text
from estradyn.trial.drugs import known_drugs
from estradyn.trial.patients import parameters_of
from estradyn.trial.result import TrialResult
from estradyn.trial.study import Arm, Setting, given_drugs

NOTICE = "For research use only. Not medical advice."
FILE_NAME = "report.html"

_SHOWN_ELSEWHERE = ("study", "population", "statuses")
"""Parts of the manifest that have a table of their own in the report."""


@dataclass(frozen=True)
class FigureSection:
    """Figures under one heading."""

    title: str
    figures: tuple[DrawnFigure, ...]


def write_report(
    result: TrialResult, directory: Path, *, today: datetime.date | None = None
) -> Path:
    """Write the report of a trial.

    Parameters
    ----------
    result
        The finished trial.
    directory
        Existing folder to write into.
    today
        Day by which the reviews of the drugs' records are judged; the day it is, if not given.

    Returns
    -------
    pathlib.Path
        The file, `report.html`: it needs no other file, no network and no script.
    """
    path = directory / FILE_NAME
    path.write_text(report_html(result, today=today), encoding="utf-8")
    return path


def report_html(result: TrialResult, *, today: datetime.date | None = None) -> str:
    """Compose the report of a trial as one HTML text; parameters as `write_report`."""
    palette = palette_of([arm.name for arm in result.study.arms])
    study = result.study
    metastatic = study.setting is Setting.METASTATIC
    rules = rule_rows(result.patients, study) if metastatic else []
    groups = endpoint_groups(result.endpoints, result.study)
    parameters = parameters_of(study).rows
    main = [group for group in groups if group.main]
    shown = [item for group in groups for row in group.rows for item in row.published]
    template = _environment().get_template("report.html.jinja")
    return template.render(
        arm_text=arm_text,
        class_meanings=CLASS_MEANINGS,
        design=design_rows(result.study),
        figure_sections=_numbered(_figures(result, palette)),
        headlines=headline_sentences(result.endpoints, rules, palette.arms),
        main_endpoints=main,
        manifest=list(
            flat_rows({k: v for k, v in result.manifest.items() if k not in _SHOWN_ELSEWHERE})
        ),
        notice=NOTICE,
        other_endpoints=[group for group in groups if not group.main],
        palette=palette,
        parameter_classes=class_counts(parameters),
        parameters=printed_parameters(parameters),
        population=count_rows(result.population, palette.arms),
        references=_references(shown),
        review_warnings=_review_warnings(result, today or datetime.date.today()),
        rules=rules,
        statuses=count_rows(result.statuses, palette.arms),
        study=result.study,
        tallies=tallies([item for group in main for row in group.rows for item in row.published]),
        style=house_style(),
        version=__version__,
    )


def _environment() -> Environment:
    environment = page_environment("estradyn.report")
    environment.filters["linked"] = linked
    environment.filters["number"] = number_text
    return environment


def _review_warnings(result: TrialResult, today: datetime.date) -> list[str]:
    records = known_drugs()
    warnings = (review_warning(records[name], today) for name in given_drugs(result.study))
    return [warning for warning in warnings if warning is not None]


def _references(shown: Sequence[Comparison]) -> dict[str, int]:
    """Number the sources in the order in which the table first names them."""
    return {source: place for place, source in enumerate(dict.fromkeys(c.source for c in shown), 1)}


def _begun(arm: Arm) -> dict[str, float]:
    """Day on which an arm begins each of its drugs."""
    days: dict[str, float] = {}
    for regimen in arm.regimens:
        days[regimen.drug] = min(regimen.start, days.get(regimen.drug, regimen.start))
    return days


def _figures(
    result: TrialResult, palette: ArmPalette
) -> Iterable[tuple[str, tuple[Figure | None, ...]]]:
    """Headings with their figures, None where the trial has no data for one."""
    setting, patients = result.study.setting, result.patients
    outputs = {name: record.concentration_output for name, record in known_drugs().items()}
    taken = {
        arm.name: {regimen.drug: outputs[regimen.drug] for regimen in arm.regimens}
        for arm in result.study.arms
    }
    trajectories = result.trajectories_path
    if trajectories is not None:
        begun = {arm.name: _begun(arm) for arm in result.study.arms}
        yield "Exposure", (concentration.drug_concentration(trajectories, palette, taken, begun),)
    if setting is Setting.METASTATIC:
        yield from _metastatic_figures(result, palette)
    elif setting is Setting.NEOADJUVANT:
        if trajectories is not None:
            yield "Tumor", (change_over_time.tumor(trajectories, palette),)
    else:
        curves = result.progression_free_survival
        yield (
            "Recurrence" if setting is Setting.ADJUVANT else "Breast cancer",
            (survival.event_free_survival(curves, patients, palette, setting),),
        )
    if trajectories is not None:
        yield "Bone", (change_over_time.bone(trajectories, palette),)
        yield "Lipids", (change_over_time.lipids(trajectories, palette),)


def _metastatic_figures(
    result: TrialResult, palette: ArmPalette
) -> Iterable[tuple[str, tuple[Figure | None, ...]]]:
    """Flare, calcium, response and progression."""
    patients, assessments = result.patients, result.assessments_path
    yield "Flare and calcium", tuple(_flare_figures(result, palette))
    yield (
        "Tumor",
        (
            lesions.waterfall(patients, palette),
            None if assessments is None else lesions.spider(assessments, patients, palette),
            survival.event_free_survival(
                result.progression_free_survival, patients, palette, Setting.METASTATIC
            ),
        ),
    )


def _flare_figures(result: TrialResult, palette: ArmPalette) -> Iterable[Figure | None]:
    trajectories, patients = result.trajectories_path, result.patients
    if trajectories is not None:
        yield flare.flare_signal(trajectories, patients, palette)
    yield flare.flare_onset(patients, palette)
    if trajectories is not None:
        threshold = result.study.hypercalcemia.threshold
        yield calcium.plasma_calcium(trajectories, patients, palette, threshold)


def _numbered(
    sections: Iterable[tuple[str, tuple[Figure | None, ...]]],
) -> list[FigureSection]:
    """Draw the figures and number them in the order of the page; empty sections fall away."""
    numbered: list[FigureSection] = []
    number = 0
    for title, figures in sections:
        drawn = []
        for figure in figures:
            if figure is None:
                continue
            number += 1
            spoken_title = f"Figure {number}. {figure.title}"
            drawn.append(draw_figure(figure, number, spoken_title=spoken_title))
        if drawn:
            numbered.append(FigureSection(title, tuple(drawn)))
    return numbered
