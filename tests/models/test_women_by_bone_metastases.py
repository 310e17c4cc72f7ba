"""Women with or without bone metastases differ from the others in that alone."""

import numpy as np
import pytest

from estradyn.model import load_parameters
from estradyn.population.draws import draw_candidates


@pytest.mark.parametrize(("people", "share"), [("with", 1.0), ("without", 0.0)])
def test_a_trial_takes_women_by_their_bone_metastases(people: str, share: float) -> None:
    usual = load_parameters(drugs=(), modules=())
    table = load_parameters(drugs=(), modules=(), population=f"women_{people}_bone_metastases")
    ids = np.arange(200)
    before, drawn = (draw_candidates(one, 5, ids, "typical").parameters for one in (usual, table))
    assert 0.5 < before["has_bone_metastases"].mean() < 0.8
    assert (drawn["has_bone_metastases"] == share).all()
    others = sorted(before.keys() - {"has_bone_metastases"})
    assert all(np.array_equal(before[name], drawn[name]) for name in others)
