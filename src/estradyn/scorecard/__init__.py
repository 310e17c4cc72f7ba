"""The scorecard: every prediction held against the published numbers it speaks to."""

from estradyn.scorecard.contexts import CONTEXTS, score_context
from estradyn.scorecard.prediction import Prediction, Predictor
from estradyn.scorecard.scoring import Score, judge
from estradyn.scorecard.summary import GroupSummary, summarise
from estradyn.scorecard.targets import Target, targets_of

__all__ = [
    "CONTEXTS",
    "GroupSummary",
    "Prediction",
    "Predictor",
    "Score",
    "Target",
    "judge",
    "score_context",
    "summarise",
    "targets_of",
]
