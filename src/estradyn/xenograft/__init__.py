"""Plan and analyse xenograft flare studies on pandas frames.

`read_study` or `study_from_frame` give a study, `analyze_study` everything that follows from it
and `write_analysis` a folder with report and tables. Single steps: `fit_growth`, `mrecist`,
`flare_aware`, `score_flares`, `find_alerts`, `check_study`. `load_plan`, `make_plan` and
`write_plan` plan a study; `randomise` and `rerandomisation_test` stand alone.

What draws pages is loaded when first asked for, since it takes a second to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from estradyn.xenograft.analysis import Analysis, AnalysisSettings, analyze_study
from estradyn.xenograft.checks import Finding, Severity, check_study
from estradyn.xenograft.flare_score import FlareScoreRule, Verdict, score_flares
from estradyn.xenograft.growth import AFTER, WINDOW, GrowthModel, fit_growth
from estradyn.xenograft.humane_endpoints import (
    NUDE_MOUSE_ENDPOINTS,
    HumaneEndpoint,
    find_alerts,
)
from estradyn.xenograft.measurement import Measurement
from estradyn.xenograft.mice import Colony, Host, Route, Treatment
from estradyn.xenograft.mixed_model import MixedModel, fit_mixed_model
from estradyn.xenograft.plan import StudyPlan, make_plan
from estradyn.xenograft.plan_file import Plan, load_plan
from estradyn.xenograft.planned_study import simulate_plan
from estradyn.xenograft.randomisation import Allocation, randomise, rerandomisation_test
from estradyn.xenograft.response import FlareRule, ResponseClass, flare_aware, mrecist
from estradyn.xenograft.send_tables import send_tables
from estradyn.xenograft.simulated_study import (
    Course,
    SimulatedArm,
    SimulatedStudy,
    Visits,
    simulate_study,
)
from estradyn.xenograft.study_table import StudyData, read_study, study_from_frame
from estradyn.xenograft.volume import VolumeFormula, tumor_volume

if TYPE_CHECKING:
    from estradyn.xenograft.analysis_files import write_analysis
    from estradyn.xenograft.plan_files import write_plan

__all__ = [
    "AFTER",
    "NUDE_MOUSE_ENDPOINTS",
    "WINDOW",
    "Allocation",
    "Analysis",
    "AnalysisSettings",
    "Colony",
    "Course",
    "Finding",
    "FlareRule",
    "FlareScoreRule",
    "GrowthModel",
    "Host",
    "HumaneEndpoint",
    "Measurement",
    "MixedModel",
    "Plan",
    "ResponseClass",
    "Route",
    "Severity",
    "SimulatedArm",
    "SimulatedStudy",
    "StudyData",
    "StudyPlan",
    "Treatment",
    "Verdict",
    "Visits",
    "VolumeFormula",
    "analyze_study",
    "check_study",
    "find_alerts",
    "fit_growth",
    "fit_mixed_model",
    "flare_aware",
    "load_plan",
    "make_plan",
    "mrecist",
    "randomise",
    "read_study",
    "rerandomisation_test",
    "score_flares",
    "send_tables",
    "simulate_plan",
    "simulate_study",
    "study_from_frame",
    "tumor_volume",
    "write_analysis",
    "write_plan",
]


def __getattr__(name: str) -> Any:
    if name == "write_analysis":
        from estradyn.xenograft import analysis_files

        return analysis_files.write_analysis
    if name == "write_plan":
        from estradyn.xenograft import plan_files

        return plan_files.write_plan
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
