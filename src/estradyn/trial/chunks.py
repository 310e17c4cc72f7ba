"""A trial in chunks of patients, each drawn, simulated and recorded by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from estradyn.engine.compiled import processor_name
from estradyn.population import Drawn, Population
from estradyn.trial.chunk_file import encode_chunk
from estradyn.trial.recording import RECORDERS
from estradyn.trial.schedule import output_days, trajectory_days
from estradyn.trial.simulation import Simulation
from estradyn.trial.study import Study

CHUNK_SIZE = 250
"""Most patients in memory at a time, in one process."""


@dataclass(frozen=True, order=True)
class ChunkPlace:
    """Which patients of a trial a chunk holds.

    Attributes
    ----------
    arm_index
        Position of their arm in the study.
    number
        Position of the chunk in the arm.
    """

    arm_index: int
    number: int


@dataclass(frozen=True)
class Chunk:
    """Patients to simulate; all that a process elsewhere needs beside the study."""

    place: ChunkPlace
    population: Population


@dataclass(frozen=True)
class ChunkPlan:
    """How the arms of a study are cut into chunks.

    Attributes
    ----------
    study
        The study.
    largest
        Most patients in a chunk.
    """

    study: Study
    largest: int = CHUNK_SIZE

    @property
    def chunk_size(self) -> int:
        """Patients of every chunk of an arm but the last: about as many in each."""
        patients = self.study.patients_per_arm
        return math.ceil(patients / math.ceil(patients / self.largest))

    @property
    def chunks_per_arm(self) -> int:
        """Chunks of one arm."""
        return math.ceil(self.study.patients_per_arm / self.chunk_size)

    @property
    def places(self) -> list[ChunkPlace]:
        """All chunks, in the order in which their patients are drawn and stored."""
        return [
            ChunkPlace(arm_index, number)
            for arm_index in range(len(self.study.arms))
            for number in range(self.chunks_per_arm)
        ]

    def patients(self, place: ChunkPlace) -> int:
        """Patients of one chunk."""
        return min(self.chunk_size, self.study.patients_per_arm - place.number * self.chunk_size)

    def missing(
        self, simulation: Simulation, stored: Mapping[ChunkPlace, Drawn]
    ) -> Iterator[Chunk]:
        """Draw the patients of every chunk that is not stored, in order.

        Arms of different patients are cut from one population in the order of the arms: the first
        `patients_per_arm` accepted candidates are the first arm, the next are the second, so values
        that differ between trials are the same in every arm. With the same patients in every arm,
        each arm draws that first cut again. Where the patients of a stored chunk end, those of the
        next begin, so nobody in it is drawn again.

        Parameters
        ----------
        simulation
            Draws the patients.
        stored
            Candidates that each chunk took which need not be simulated.
        """
        after = Drawn()
        for arm_index in range(len(self.study.arms)):
            if self.study.population.same_patients_in_every_arm:
                after = Drawn()
            number = 0
            while number < self.chunks_per_arm:
                start = number
                while number < self.chunks_per_arm and ChunkPlace(arm_index, number) not in stored:
                    number += 1
                run = [ChunkPlace(arm_index, position) for position in range(start, number)]
                patients = sum(self.patients(place) for place in run)
                drawn = simulation.draw(patients, self.chunk_size, after) if run else iter(())
                for place, population in zip(run, drawn, strict=True):
                    after += Drawn(population.drawn, population.rejected)
                    yield Chunk(place, population)
                if number < self.chunks_per_arm:
                    after += stored[ChunkPlace(arm_index, number)]
                    number += 1


def simulate_chunk(study: Study, simulation: Simulation, chunk: Chunk) -> bytes:
    """Simulate, measure and judge the patients of a chunk; return the content of its file."""
    days = output_days(study)
    patients = simulation.solve(chunk.place.arm_index, chunk.population, days)
    outcomes = RECORDERS[study.setting](study, chunk.place.arm_index, patients, days, simulation)
    kept = np.isin(days, trajectory_days(study))
    return encode_chunk(
        outcomes,
        patients.trajectories[:, kept],
        drawn=Drawn(chunk.population.drawn, chunk.population.rejected),
        processor=processor_name(),
        store=study.store,
    )
