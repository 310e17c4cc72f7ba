"""The contexts that can be scored, each with its predictor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module

from estradyn.scorecard.prediction import Predictor, Progress
from estradyn.scorecard.scoring import Score, judge
from estradyn.scorecard.targets import targets_of

CONTEXTS: Mapping[str, str] = {
    "clinical": "estradyn.scorecard.clinical",
    "in_vitro": "estradyn.scorecard.in_vitro",
    "mouse": "estradyn.scorecard.mouse",
}
"""Name of a context to the module whose `predict` is its predictor.

A module is imported when its context is scored. A context stands here once its mapping table and
its predictor do.
"""


def score_context(
    context: str,
    *,
    workers: int,
    progress: Progress | None = None,
    patients: int | None = None,
    only: Collection[str] = (),
) -> list[Score]:
    """Simulate a context and hold every modelled number against the published one.

    Parameters
    ----------
    context
        A name in `CONTEXTS`.
    workers
        Threads to use; the numbers do not depend on it.
    progress
        Told as the simulation goes on.
    patients
        Size of each simulated group, in place of the context's own.
    only
        Groups and ids of rows to score; all of them where it is empty.

    Returns
    -------
    list of Score
        One for each number that is modelled, in the order of the mapping.
    """
    predict: Predictor = import_module(CONTEXTS[context]).predict
    targets = targets_of(context, only)
    predictions = predict(targets, workers=workers, progress=progress, patients=patients)
    return [judge(context, target, predictions.get(target.id)) for target in targets]
