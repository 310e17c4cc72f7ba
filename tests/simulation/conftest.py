"""Small models and a way to run event tables written as text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from estradyn.model import OdeModel, load_model
from estradyn.simulation import read_event_records, simulate_events

HERE = Path(__file__).parent
# Test folders are no packages: this makes `event_lines` known to the tests beside it.
sys.path.append(str(HERE))
Run = Callable[..., dict[int, np.ndarray]]


@pytest.fixture(scope="session")
def oral_drug() -> OdeModel:
    """Linear kinetics with an exact solution."""
    return load_model(HERE / "oral_drug.ant")


@pytest.fixture(scope="session")
def saturable() -> OdeModel:
    """Nonlinear kinetics with a conserved total and a state that only adds up."""
    return load_model(HERE / "saturable.ant")


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Run:
    """Simulate lines of an event table; gives each patient's outputs, shape (rows, outputs)."""
    import event_lines

    path = tmp_path_factory.mktemp("events") / "events.csv"

    def simulate(
        model: OdeModel,
        lines: Sequence[str],
        outputs: Sequence[str],
        *,
        parameters: Mapping[str, np.ndarray] | None = None,
        times: np.ndarray | None = None,
        workers: int = 1,
    ) -> dict[int, np.ndarray]:
        path.write_text(event_lines.table(lines))
        records = read_event_records(path, model.state_names)
        found: dict[int, np.ndarray] = {}
        for group in simulate_events(
            model, records, outputs, parameters=parameters, times=times, workers=workers
        ):
            assert not group.faults
            for patient in np.unique(group.ids):
                found[int(patient)] = group.values[group.ids == patient]
        return found

    return simulate
