"""Which published numbers speak to an arm of a trial."""

from __future__ import annotations

from estradyn.evidence import PublishedValue, published_values
from estradyn.model.people import POSTMENOPAUSAL_WOMEN
from estradyn.trial.study import Arm, Study, co_medication_of


def published_for(study: Study, arm: Arm, endpoint: str, day: float | None) -> list[PublishedValue]:
    """Return the published numbers that an endpoint of an arm may be held against.

    They are of women after menopause who took one drug by one pattern and nothing that changes its
    kinetics, so other people and other arms have none.

    Parameters
    ----------
    study, arm
        The study and one of its arms.
    endpoint
        Name of the endpoint.
    day
        Planned day of a visit; None for an endpoint without a time.

    Returns
    -------
    list of PublishedValue
        In the order of `estradyn.evidence.published_values`.
    """
    if study.population.people != POSTMENOPAUSAL_WOMEN or len(arm.regimens) != 1:
        return []
    if co_medication_of(study, arm):
        return []
    regimen = arm.regimens[0]
    return published_values(endpoint, regimen.drug, regimen.daily_dose, day)
