"""The page that shows the scorecard."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from estradyn import __version__
from estradyn.evidence import Status, Use, miss_reasons, tolerances
from estradyn.report.drawing import draw_figure
from estradyn.report.templates import DrawnFigure, house_style, page_environment
from estradyn.report.wording import NOTHING, number_text, unit_text, words_of
from estradyn.scorecard.report.forest import forest_figures
from estradyn.scorecard.scoring import Score
from estradyn.scorecard.summary import GroupSummary, summarise
from estradyn.scorecard.targets import chosen_rows

NOTICE = "For research use only. Not medical advice."

CONTEXT_TITLES: Mapping[str, str] = {
    "clinical": "Patients and volunteers",
    "in_vitro": "Cells in culture",
    "mouse": "Mice",
}


def score_html(
    scores: Mapping[str, Sequence[Score]],
    manifest: Mapping[str, str],
    only: Collection[str] = (),
) -> str:
    """Compose the report as one HTML text that asks for nothing outside itself.

    Parameters
    ----------
    scores
        Scores by context.
    manifest
        Provenance to print at the end: name to text.
    only
        Groups and ids of rows that were scored; all of them where it is empty.
    """
    environment = page_environment("estradyn.scorecard.report")
    environment.filters["error"] = error_text
    sections, number = [], 0
    for context, own in scores.items():
        figures = []
        for figure in forest_figures(context, own):
            number += 1
            figures.append(draw_figure(figure, number))
        sections.append(_section(context, own, figures, only))
    return environment.get_template("scorecard.html.jinja").render(
        manifest=list(manifest.items()),
        notice=NOTICE,
        sections=sections,
        style=house_style(),
        tolerances=[
            {"group": one.group, "kind": str(one.kind), "limit": one.limit, "reason": one.reason}
            for one in tolerances().values()
        ],
        version=__version__,
    )


def error_text(value: float) -> str:
    """An error as it is printed; a dash where there is none."""
    if math.isinf(value):
        return "∞"
    return NOTHING if math.isnan(value) else f"{value:.2f}"


def _section(
    context: str,
    scores: Sequence[Score],
    figures: Sequence[DrawnFigure],
    only: Collection[str],
) -> dict[str, Any]:
    groups = summarise(context, scores, only)
    not_modelled = Counter(
        item.reason for item in chosen_rows(context, only) if item.status is Status.NOT_MODELLED
    )
    return {
        "name": context,
        "title": CONTEXT_TITLES[context],
        "groups": groups,
        "sentences": _sentences(groups),
        "misses": [_miss(score) for score in _by_size(scores) if not score.met],
        "not_modelled": not_modelled.most_common(),
        "figures": figures,
    }


def _sentences(groups: Sequence[GroupSummary]) -> list[str]:
    rows, modelled, met = (
        sum(getattr(group, name) for group in groups) for name in ("rows", "modelled", "met")
    )
    fitted, fitted_met = (
        sum(getattr(group, name) for group in groups) for name in ("calibration", "calibration_met")
    )
    checked, checked_met = (
        sum(getattr(group, name) for group in groups) for name in ("check", "check_met")
    )
    sentences = [
        f"{modelled} of {rows} published rows are modelled; {met} of them are met "
        f"({_share(met, modelled)})."
    ]
    if modelled:
        sentences.append(
            f"Of rows the model was fitted to, {fitted_met} of {fitted} are met "
            f"({_share(fitted_met, fitted)}); of rows it is only held against, {checked_met} of "
            f"{checked} ({_share(checked_met, checked)})."
        )
    return sentences


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else NOTHING


def _by_size(scores: Sequence[Score]) -> list[Score]:
    return sorted(scores, key=lambda score: score.size_of_miss, reverse=True)


def _miss(score: Score) -> dict[str, str]:
    target, row = score.target, score.target.item.row
    unit = unit_text(target.unit)
    time = f", {target.time}" if target.time else ""
    left = " left" if target.comparison == "remaining" else ""
    allowed = " to ".join(
        number_text(end, unit) if math.isfinite(end) else "any"
        for end in (score.allowed_lower, score.allowed_upper)
    )
    return {
        "id": target.id,
        "about": f"{row.drug} {row.dose}, {row.population}".strip(", "),
        "endpoint": f"{words_of(target.endpoint)}{time}",
        "published": f"{number_text(score.published, unit)} {unit}{left}",
        "allowed": allowed,
        "rule": score.rule,
        "predicted": f"{number_text(score.predicted, unit)} {unit}",
        "size": error_text(score.size_of_miss),
        "use": "fitted" if target.item.use is Use.CALIBRATION else "checked",
        "reason": miss_reasons().get((score.context, row.id), ""),
        "note": target.item.reason,
        "source": row.source,
    }
