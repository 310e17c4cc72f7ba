"""Cases of the SBML Test Suite through reader and engine, at each case's own tolerance."""

from __future__ import annotations

import pytest

from sbml_suite import SUITE, case_names, run_case

pytestmark = pytest.mark.skipif(
    not SUITE.is_dir(), reason="the SBML Test Suite of the shared folder is not here"
)

REFUSED = {
    "00028": "factorial",
    "01820": "called 'time'",
}
"""Cases that are refused, and by which words; docs/sbml_suite.md says why."""


@pytest.mark.parametrize("case", case_names()[::40])
def test_a_sample_of_cases_passes(case: str) -> None:
    result = run_case(case)
    assert result.verdict == "passed", result


@pytest.mark.slow
def test_every_case_passes_or_is_refused_by_name() -> None:
    """Compiles every model anew, which takes a few minutes."""
    results = {case: run_case(case) for case in case_names()}
    not_passed = {c: r for c, r in results.items() if r.verdict != "passed"}
    assert not_passed.keys() == REFUSED.keys(), not_passed
    for case, words in REFUSED.items():
        assert not_passed[case].verdict == "refused"
        assert words in not_passed[case].reason
