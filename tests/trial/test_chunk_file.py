"""The file of a chunk holds whatever the equations give."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from estradyn.population import Drawn
from estradyn.trial.chunk_file import ChunkFile, encode_chunk
from estradyn.trial.outcomes import Outcomes
from estradyn.trial.study import Storage


def test_a_tumor_beyond_single_precision_is_kept_as_infinite(tmp_path: Path) -> None:
    """Years after an untreated tumor is found the equations let it grow beyond 1e38 mL."""
    patients = pd.DataFrame({"patient_id": [0, 1], "arm": ["none", "none"]})
    outcomes = Outcomes(patients, patients, (), ())
    trajectories = np.array([[[1.5]], [[1e300]]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = encode_chunk(
            outcomes, trajectories, drawn=Drawn(2), processor="any", store=Storage.ALL
        )
    path = tmp_path / "chunk.zip"
    path.write_bytes(content)
    np.testing.assert_array_equal(ChunkFile(path).trajectories(), [[[1.5]], [[np.inf]]])
