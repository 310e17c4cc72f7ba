"""What a study file may say of medication beside the study drugs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from estradyn.model import models_directory
from estradyn.model.co_medication import read_co_medication, states_by_enzyme


@lru_cache(maxsize=1)
def known_co_medication() -> Mapping[str, tuple[str, ...]]:
    """Read the states of enzymes that the shipped table knows, by enzyme."""
    effects = read_co_medication(models_directory() / "co_medication.tsv")
    return MappingProxyType(states_by_enzyme(effects))
