"""Cases of the SBML Test Suite: the equations read from SBML must reproduce its results."""

import os
from pathlib import Path

import libsbml
import numpy as np
import pandas as pd
import pytest
import symengine as se
from scipy.integrate import solve_ivp

from estradyn.errors import ModelError
from estradyn.model import OdeModel, load_model

SHARED = Path(os.environ.get("ESTRADYN_SHARED", Path(__file__).parents[3] / "shared"))
CASES = SHARED / "conformance" / "sbml"

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="the SBML Test Suite of the shared folder is not here"
)

REFUSED = {
    "01820": "is called 'time'",
    "00028": "of a variable",
}


def read_settings(case: Path) -> dict[str, str]:
    pairs = [line.split(":", 1) for line in (case / "settings.txt").read_text().splitlines()]
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def evaluator(model: OdeModel):
    """Functions for the start values, the rates and every variable of a model."""
    time = se.Symbol("time")
    constants = {se.Symbol(p.name): se.RealDouble(p.value) for p in model.parameters}
    for item in model.derived:
        constants[se.Symbol(item.name)] = item.expression.subs(constants)
    assigned: dict[se.Symbol, se.Basic] = {}
    for item in model.assignments:
        assigned[se.Symbol(item.name)] = item.expression.subs({**constants, **assigned})
    states = [se.Symbol(name) for name in model.state_names]
    everything = {**constants, **assigned}
    rates = [state.rate.subs(everything) for state in model.states]
    start = [float(state.initial.subs(constants).n(53, real=True)) for state in model.states]
    names = [*model.state_names, *(symbol.name for symbol in everything)]
    arguments = [*states, time]
    return (
        np.array(start),
        se.Lambdify(arguments, rates) if rates else None,
        se.Lambdify(arguments, [*states, *everything.values()]),
        names,
    )


def simulate(model: OdeModel, times: np.ndarray) -> pd.DataFrame:
    start, rates, values, names = evaluator(model)
    if rates is None:
        path = np.zeros((0, len(times)))
    else:
        solution = solve_ivp(
            lambda t, y: rates(np.append(y, t)),
            (times[0], times[-1]),
            start,
            method="LSODA",
            t_eval=times,
            rtol=1e-8,
            atol=1e-12,
            max_step=(times[-1] - times[0]) / 50,
        )
        assert solution.success, solution.message
        path = solution.y
    rows = [values(np.append(path[:, i], t)) for i, t in enumerate(times)]
    return pd.DataFrame(rows, columns=names, index=times)


def compare_with_suite(case: Path) -> None:
    """Simulate a case and compare every requested variable within the suite's tolerances."""
    settings = read_settings(case)
    expected = pd.read_csv(case / "results.csv").rename(columns=str.strip)
    expected.columns = ["time", *expected.columns[1:]]
    model = load_model(case / "model.xml")
    found = simulate(model, expected["time"].to_numpy(dtype=float))
    in_amounts = {name.strip() for name in settings.get("amount", "").split(",")}
    in_concentrations = {name.strip() for name in settings.get("concentration", "").split(",")}
    for name in expected.columns[1:]:
        values = as_requested(case, found, name, name in in_amounts, name in in_concentrations)
        np.testing.assert_allclose(
            values,
            expected[name].to_numpy(dtype=float),
            rtol=float(settings["relative"]),
            atol=float(settings["absolute"]),
            err_msg=f"case {case.name}, variable {name}",
        )


def as_requested(case, found, name, in_amount, in_concentration):
    """Convert a species between amount and concentration, as the case asks for it."""
    values = found[name].to_numpy()
    sbml = libsbml.readSBMLFromFile(str(case / "model.xml")).getModel()
    species = sbml.getSpecies(name)
    if species is None:
        return values
    compartment = sbml.getCompartment(species.getCompartment())
    is_amount = species.getHasOnlySubstanceUnits() or compartment.getSpatialDimensions() == 0
    if is_amount and in_concentration:
        return values / found[compartment.getId()].to_numpy()
    if not is_amount and in_amount:
        return values * found[compartment.getId()].to_numpy()
    return values


def tags_of_cases() -> dict[str, set[str]]:
    if not CASES.is_dir():
        return {}
    index = pd.read_csv(CASES / "index.tsv", sep="\t", dtype=str)
    return {
        case: {tag.strip() for tag in tags.replace(" ", ",").split(",") if tag.strip()}
        for case, tags in zip(index["case"], index["tags"], strict=True)
    }


def cases_of_each_kind(wanted: int = 3) -> list[str]:
    """Pick the last cases of every tag, none with events."""
    tags = tags_of_cases()
    solved = [case for case in sorted(tags) if not any(t.startswith("Event") for t in tags[case])]
    chosen: set[str] = set()
    for tag in sorted(set().union(*tags.values()) if tags else ()):
        chosen.update([case for case in solved if tag in tags[case]][-wanted:])
    return [case for case in sorted(chosen) if case not in REFUSED]


@pytest.mark.parametrize("case", cases_of_each_kind())
def test_the_equations_reproduce_the_suite(case):
    compare_with_suite(CASES / case)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_solved_is_refused_by_name(case):
    with pytest.raises(ModelError, match=REFUSED[case]):
        load_model(CASES / case / "model.xml")
