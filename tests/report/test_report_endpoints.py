"""The table that sets simulated endpoints beside published numbers."""

from __future__ import annotations

import pytest

from estradyn.report.comparison import Comparison, Verdict, comparisons, tallies
from estradyn.report.endpoints import day_of, endpoint_groups
from estradyn.trial.result import TrialResult


def test_arms_of_an_endpoint_stand_together_and_later_ones_after_their_neighbor(
    result: TrialResult,
) -> None:
    table = result.endpoints.sort_values("arm", kind="stable", ascending=False)
    groups = endpoint_groups(table, result.study)
    labels = [(group.label, group.time) for group in groups]
    assert len(labels) == len(set(labels))
    assert [row.arm for row in groups[0].rows] == [arm.name for arm in result.study.arms]
    # Only the second arm has a hazard ratio; it is the last row of that arm.
    assert labels[-1] == ("Progression-free survival, hazard ratio", "")
    assert len(groups[-1].rows) == 1


def test_the_short_table_has_visits_only_where_something_is_published(result: TrialResult) -> None:
    groups = endpoint_groups(result.endpoints, result.study)
    main = {(group.label, group.time) for group in groups if group.main}
    assert ("LDL change", "24 weeks") in main
    assert ("LDL change", "12 weeks") not in main


def test_rule_endpoints_are_left_to_their_own_table(result: TrialResult) -> None:
    renamed = result.endpoints.replace(
        "clinical_benefit_rate", "later_responders_taken_off_first_progression"
    )
    labels = [group.label for group in endpoint_groups(renamed, result.study)]
    assert not any("taken off" in label for label in labels)


@pytest.mark.parametrize(("text", "day"), [("", None), ("12 week", 84.0), ("10 day", 10.0)])
def test_times_become_days(text: str, day: float | None) -> None:
    assert day_of(text) == day


def beside(result: TrialResult, endpoint: str, value: float | None) -> tuple[Comparison, ...]:
    """What stands beside a percentage of the first arm."""
    return comparisons(result.study, result.study.arms[0], endpoint, None, value, "percent")


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(20.0, Verdict.WITHIN), (40.0, Verdict.OUTSIDE), (None, Verdict.NO_INTERVAL)],
)
def test_a_value_is_within_outside_or_cannot_be_judged(
    result: TrialResult, value: float | None, verdict: Verdict
) -> None:
    first = comparisons(
        result.study, result.study.arms[0], "objective_response_rate", None, value, "percent"
    )[0]
    assert not first.calibrated
    assert first.verdict is verdict
    assert "toremifene 60 mg" in first.about


def test_a_number_without_interval_gives_no_verdict_and_no_tally(result: TrialResult) -> None:
    flare = comparisons(
        result.study, result.study.arms[0], "symptomatic_flare_incidence", None, 16.0, "percent"
    )
    assert flare[0].verdict is Verdict.NO_INTERVAL
    assert tallies(flare[:1]) == []


def test_agreement_is_counted_apart_for_calibrated_and_checked(result: TrialResult) -> None:
    shown = beside(result, "objective_response_rate", 22.0)
    by_label = {tally.label: tally for tally in tallies(shown)}
    assert by_label["calibrated to"].within == by_label["calibrated to"].compared == 1
    checked = by_label["only checked against"]
    assert checked.compared == len(shown) - 1
    assert 0 < checked.within < checked.compared


def test_numbers_in_another_unit_are_not_compared(result: TrialResult) -> None:
    assert (
        comparisons(
            result.study, result.study.arms[0], "objective_response_rate", None, 21.0, "month"
        )
        == ()
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"people": "postmenopausal_women"}, {"people": "men"}),
        ({"co_medication": {}}, {"co_medication": {"cyp3a4": "inducer"}}),
    ],
)
def test_numbers_of_women_on_the_drug_alone_say_nothing_of_others(
    result: TrialResult, old: dict[str, object], new: dict[str, object]
) -> None:
    study = result.study

    def found(population: dict[str, object]) -> int:
        plan = study.population.model_copy(update=population)
        changed = study.model_copy(update={"population": plan})
        return len(
            comparisons(changed, study.arms[0], "objective_response_rate", None, 22.0, "percent")
        )

    assert found(old) > 0
    assert found(new) == 0
