"""Predictions for published numbers of people: virtual trials, levels on regimens, cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from estradyn.scorecard import cycles, regimens
from estradyn.scorecard.prediction import Change, Prediction, Progress, unchanged
from estradyn.scorecard.targets import Target
from estradyn.scorecard.virtual_trials import VirtualTrials


def predict(
    targets: Sequence[Target],
    *,
    workers: int,
    progress: Progress | None,
    patients: int | None = None,
    change: Change = unchanged,
) -> Mapping[str, Prediction]:
    """Simulate what the targets ask for; see `estradyn.scorecard.prediction.Predictor`.

    With `change` every model is changed after it is loaded.

    A scenario that begins with one of `regimens.PEOPLE` is a regimen
    (`estradyn.scorecard.regimens`), one that begins with one of `cycles.PEOPLE` is about women
    whose ovary is at work (`estradyn.scorecard.cycles`), any other an arm of a study file in
    `scenarios/` (`estradyn.scorecard.virtual_trials`).
    """
    levels = [one for one in targets if one.scenario.partition(": ")[0] in regimens.PEOPLE]
    cycling = [one for one in targets if one.scenario.partition(": ")[0] in cycles.PEOPLE]
    trials = [one for one in targets if one not in levels and one not in cycling]
    found = regimens.predict_levels(
        levels, workers=workers, progress=progress, patients=patients, change=change
    )
    found = {
        **found,
        **cycles.predict_cycles(
            cycling, workers=workers, progress=progress, patients=patients, change=change
        ),
    }
    return {**found, **VirtualTrials(workers, progress, patients, change).predictions(trials)}
