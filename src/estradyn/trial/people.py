"""The people that a study file may name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from estradyn.model import models_directory, outputs_of_people
from estradyn.model.people import People, people_records


@lru_cache(maxsize=1)
def known_people() -> Mapping[str, People]:
    """Read the shipped kinds of people, by name."""
    return MappingProxyType(people_records(models_directory()))


@lru_cache
def reported_outputs(people: str) -> frozenset[str]:
    """Names of the outputs that a patient of these people has, those of drugs left out."""
    return outputs_of_people(people)
