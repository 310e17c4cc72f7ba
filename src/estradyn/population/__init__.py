"""Draws virtual patients and starts each at her own drug-free steady state."""

from estradyn.population.baseline import Baselines, BaselineSolver, EngineBaseline
from estradyn.population.cycle import CyclingBaseline
from estradyn.population.draws import Candidates, TrialEffects, draw_candidates
from estradyn.population.stream import (
    Drawn,
    Population,
    draw_patients,
    engine_baseline,
    stream_population,
)

__all__ = [
    "BaselineSolver",
    "Baselines",
    "Candidates",
    "CyclingBaseline",
    "Drawn",
    "EngineBaseline",
    "Population",
    "TrialEffects",
    "draw_candidates",
    "draw_patients",
    "engine_baseline",
    "stream_population",
]
