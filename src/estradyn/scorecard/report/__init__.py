"""The HTML report of the scorecard."""

from estradyn.scorecard.report.page import score_html

__all__ = ["score_html"]
