"""Virtual patients: drawn, brought to their own baseline, and kept where plausible."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from estradyn.errors import InputError, SimulationError
from estradyn.model.patient_model import PatientModel, PlausibilityRule
from estradyn.population.baseline import Baselines, BaselineSolver, EngineBaseline
from estradyn.population.cycle import CyclingBaseline
from estradyn.population.draws import Candidates, TrialEffects, draw_candidates

DEFAULT_CHUNK_SIZE = 1000
LARGEST_BLOCK = 1024
"""Most candidates whose baselines are found at one time."""
LARGEST_REJECTED_SHARE = 0.9
CANDIDATES_BEFORE_GIVING_UP = 1000


@dataclass(frozen=True)
class Population:
    """Patients ready for a trial.

    Attributes
    ----------
    patient_ids
        Number of each patient among all candidates of the seed, shape (patients,).
    parameters
        Model parameters that vary: name to array (patients,). The rest keep the model's values.
    traits
        Rows that are not model parameters: one column each, indexed by patient id.
    initial_states
        Drug-free steady states, shape (patients, states).
    drawn
        Candidates it took; those of all chunks add up to the whole population's.
    rejected
        Candidates of these who were not accepted, reason to count.
    followed
        Candidates of these whose baseline Newton's method did not find, so that the model was
        followed in time instead.
    """

    patient_ids: NDArray[np.int64]
    parameters: Mapping[str, NDArray[np.float64]]
    traits: pd.DataFrame
    initial_states: NDArray[np.float64]
    drawn: int
    rejected: Mapping[str, int]
    followed: int

    def __len__(self) -> int:
        return len(self.patient_ids)


@dataclass(frozen=True)
class Drawn:
    """How far the candidates of a seed have been drawn, and what became of them.

    Attributes
    ----------
    candidates
        Candidates drawn: the next one has this number.
    rejected
        Those of them who were not accepted, reason to count.
    """

    candidates: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """Candidates who became patients."""
        return self.candidates - sum(self.rejected.values())

    def __add__(self, further: Drawn) -> Drawn:
        """Count the candidates that come after these in."""
        return Drawn(
            self.candidates + further.candidates,
            dict(Counter(self.rejected) + Counter(further.rejected)),
        )


def stream_population(
    patient_model: PatientModel,
    size: int,
    seed: int,
    chunk_size: int = DEFAULT_CHUNK_SIZE,
    *,
    after: Drawn | None = None,
    trial_effects: TrialEffects = "drawn",
    workers: int = 1,
    baseline_solver: BaselineSolver | None = None,
) -> Iterator[Population]:
    """Draw patients until enough are plausible, a chunk at a time.

    Candidates are numbered from 0 and taken in order, so the patients are the same for any chunk
    size and any number of workers.

    Parameters
    ----------
    patient_model
        Equations, tables and rules.
    size
        Patients to accept.
    seed
        Seed of the population.
    chunk_size
        Most patients in a chunk.
    after
        Candidates that were drawn before; these patients are the ones that follow. By default the
        first candidate is number 0.
    trial_effects
        Whether values that vary between trials are `drawn` once per seed or `typical`.
    workers
        Threads of the solver.
    baseline_solver
        Finds steady states; by default the engine.

    Yields
    ------
    Population
        Chunks of `chunk_size` patients; the last may be smaller.

    Raises
    ------
    InputError
        If size, chunk size or seed is out of range.
    SimulationError
        If more than nine of ten candidates are rejected, after the first thousand; names the most
        frequent reason.
    """
    if size < 1 or chunk_size < 1:
        raise InputError(f"{size} patients in chunks of {chunk_size}; both must be at least 1")
    solver = baseline_solver or engine_baseline(patient_model, workers)
    assessed: list[_Assessed] = []
    before = after or Drawn()
    drawn, accepted, handed_out = before.candidates, 0, 0
    reasons: Counter[str] = Counter(before.rejected)
    while handed_out < size:
        block = min(LARGEST_BLOCK, max(64, math.ceil(1.25 * (size - accepted))))
        part = _assess(patient_model, solver, seed, np.arange(drawn, drawn + block), trial_effects)
        part = part.until_accepted(size - accepted)
        _give_up_if_hopeless(part.reasons, drawn, before.accepted + accepted, reasons)
        drawn += len(part)
        accepted += part.accepted
        assessed.append(part)
        wanted = min(chunk_size, size - handed_out)
        while accepted - handed_out >= wanted > 0:
            whole = _joined(assessed)
            chunk = whole.until_accepted(wanted)
            assessed = [whole.slice(len(chunk), len(whole))]
            handed_out += wanted
            wanted = min(chunk_size, size - handed_out)
            yield chunk.population()


def engine_baseline(patient_model: PatientModel, workers: int = 1) -> BaselineSolver:
    """Return what finds the drug-free state of these people: a steady one, or a day of a cycle."""
    if patient_model.cycle is None:
        return EngineBaseline(patient_model, workers)
    return CyclingBaseline(patient_model, workers)


def draw_patients(
    patient_model: PatientModel,
    seed: int,
    patient_ids: ArrayLike,
    *,
    trial_effects: TrialEffects = "drawn",
    workers: int = 1,
    baseline_solver: BaselineSolver | None = None,
) -> Population:
    """Draw given patients again, bit for bit as `stream_population` does.

    Parameters
    ----------
    patient_model, seed, trial_effects, workers, baseline_solver
        As in `stream_population`.
    patient_ids
        Numbers of the patients among all candidates of the seed, shape (patients,).

    Returns
    -------
    Population
        Those of them who are plausible; the others are counted in `rejected`.

    Raises
    ------
    InputError
        If the seed or a number is out of range.
    """
    solver = baseline_solver or engine_baseline(patient_model, workers)
    numbers = np.asarray(patient_ids, dtype=np.int64)
    return _assess(patient_model, solver, seed, numbers, trial_effects).population()


@dataclass(frozen=True)
class _Assessed:
    """Candidates with their baselines; the reason is empty for one who is accepted."""

    candidates: Candidates
    states: NDArray[np.float64]
    reasons: list[str]
    followed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def accepted(self) -> int:
        return self.reasons.count("")

    def slice(self, start: int, stop: int) -> _Assessed:
        """Candidates from one place to another."""
        taken = self.candidates
        return _Assessed(
            Candidates(
                taken.numbers[start:stop],
                {name: array[start:stop] for name, array in taken.parameters.items()},
                {name: array[start:stop] for name, array in taken.traits.items()},
            ),
            self.states[start:stop],
            self.reasons[start:stop],
            self.followed[start:stop],
        )

    def until_accepted(self, wanted: int) -> _Assessed:
        """Candidates up to the one who makes the wanted number complete, or all."""
        count = np.cumsum([not reason for reason in self.reasons])
        return self.slice(0, min(len(self), int(np.searchsorted(count, wanted)) + 1))

    def population(self) -> Population:
        kept = np.array([not reason for reason in self.reasons], dtype=bool)
        ids = self.candidates.numbers[kept]
        return Population(
            patient_ids=ids,
            parameters={name: array[kept] for name, array in self.candidates.parameters.items()},
            traits=pd.DataFrame(
                {name: array[kept] for name, array in self.candidates.traits.items()},
                index=pd.Index(ids, name="patient_id"),
            ),
            initial_states=self.states[kept],
            drawn=len(self),
            rejected=dict(sorted(Counter(reason for reason in self.reasons if reason).items())),
            followed=int(self.followed.sum()),
        )


def _joined(parts: list[_Assessed]) -> _Assessed:
    first = parts[0].candidates
    return _Assessed(
        Candidates(
            np.concatenate([part.candidates.numbers for part in parts]),
            {
                name: np.concatenate([part.candidates.parameters[name] for part in parts])
                for name in first.parameters
            },
            {
                name: np.concatenate([part.candidates.traits[name] for part in parts])
                for name in first.traits
            },
        ),
        np.concatenate([part.states for part in parts]),
        [reason for part in parts for reason in part.reasons],
        np.concatenate([part.followed for part in parts]),
    )


def _assess(
    patient_model: PatientModel,
    solver: BaselineSolver,
    seed: int,
    numbers: NDArray[np.int64],
    trial_effects: TrialEffects,
) -> _Assessed:
    """Draw candidates, find their baselines and judge them."""
    candidates = draw_candidates(patient_model.parameters, seed, numbers, trial_effects)
    baselines = solver({**candidates.traits, **candidates.parameters}, len(numbers))
    candidates.parameters.update(baselines.parameters)
    reasons = _reasons(baselines, patient_model.plausibility)
    return _Assessed(candidates, baselines.states, reasons, baselines.followed)


def _reasons(baselines: Baselines, rules: tuple[PlausibilityRule, ...]) -> list[str]:
    """First reason against each candidate, in the order of the rules."""
    reasons = list(baselines.failures)
    for rule in rules:
        values = baselines.outputs[rule.output]
        plausible = (values >= rule.lower) & (values <= rule.upper)
        for index in np.flatnonzero(~plausible):
            reasons[index] = reasons[index] or rule.reason
    return reasons


def _give_up_if_hopeless(
    reasons: list[str], drawn: int, accepted: int, counts: Counter[str]
) -> None:
    """Stop where too few are accepted; looks at every candidate, so blocks make no difference."""
    for reason in reasons:
        drawn += 1
        accepted += not reason
        counts[reason] += bool(reason)
        rejected = drawn - accepted
        if drawn >= CANDIDATES_BEFORE_GIVING_UP and rejected > LARGEST_REJECTED_SHARE * drawn:
            leading, count = counts.most_common(1)[0]
            raise SimulationError(
                f"{rejected} of {drawn} candidates are not plausible, most often ({count}) "
                f"because: {leading}"
            )
