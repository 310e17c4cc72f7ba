"""Every case of the SBML Test Suite, solved by the engine and held against its own results.

Prints how many pass, fail or are refused, and with --write makes the table in docs/sbml_suite.md.

Run with: python benchmarks/sbml_suite.py [--write] [CASE ...]
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import libsbml
import numpy as np

from estradyn.engine import SolverOptions, compile_model, solve
from estradyn.errors import EstradynError
from estradyn.model import OdeModel, load_model

ROOT = Path(__file__).parents[1]
SUITE = Path(os.environ.get("ESTRADYN_SHARED", ROOT.parent / "shared")) / "conformance" / "sbml"
OPTIONS = SolverOptions(relative_tolerance=1e-8, size_share=0.0, absolute_tolerance=1e-12)


@dataclass(frozen=True)
class CaseResult:
    """What became of one case: `passed`, `failed` or `refused`, and why."""

    case: str
    verdict: str
    reason: str = ""


def case_names() -> list[str]:
    """Numbers of all cases, in order; empty where the suite is not there."""
    return sorted(path.name for path in SUITE.glob("[0-9]*")) if SUITE.is_dir() else []


def run_case(case: str) -> CaseResult:
    """Solve a case and compare every variable it asks for within its own tolerances."""
    folder = SUITE / case
    settings = _settings(folder)
    with (folder / "results.csv").open(newline="") as file:
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    expected = np.array(rows, dtype=float)
    names = header[1:]
    try:
        model = load_model(folder / "model.xml")
        found = _solve(model, folder / "model.xml", names, expected[:, 0], settings)
    except EstradynError as error:
        return CaseResult(case, "refused", str(error).split(": ", 1)[-1])
    allowed = float(settings["absolute"]) + float(settings["relative"]) * np.abs(expected[:, 1:])
    both_missing = np.isnan(found) & np.isnan(expected[:, 1:])
    same_infinity = found == expected[:, 1:]
    with np.errstate(invalid="ignore"):
        close = np.abs(found - expected[:, 1:]) <= allowed
    wrong = ~(close | both_missing | same_infinity)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        return CaseResult(
            case,
            "failed",
            f"{names[column]} at {expected[row, 0]:g} is {found[row, column]:g}, "
            f"expected {expected[row, column + 1]:g}",
        )
    return CaseResult(case, "passed")


def _settings(folder: Path) -> dict[str, str]:
    lines = (folder / "settings.txt").read_text().splitlines()
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    return {key.strip(): value.strip() for key, value in pairs}


def _solve(
    model: OdeModel, path: Path, names: list[str], times: np.ndarray, settings: dict[str, str]
) -> np.ndarray:
    """Return the requested variables in the requested quantity, shape (times, variables)."""
    sbml = libsbml.readSBMLFromFile(str(path)).getModel()
    amounts = {name.strip() for name in settings["amount"].split(",")}
    concentrations = {name.strip() for name in settings["concentration"].split(",")}
    sizes = {}
    for name in names:
        species = sbml.getSpecies(name)
        if species is None:
            continue
        compartment = sbml.getCompartment(species.getCompartment())
        in_amount = species.getHasOnlySubstanceUnits() or compartment.getSpatialDimensions() == 0
        if in_amount and name in concentrations:
            sizes[name] = (compartment.getId(), -1)
        if not in_amount and name in amounts:
            sizes[name] = (compartment.getId(), 1)
    outputs = list(dict.fromkeys([*names, *(size for size, _ in sizes.values())]))
    compiled = compile_model(model, outputs)
    solution = solve(compiled, {}, times, start=float(settings["start"]), options=OPTIONS)
    found = np.empty((times.size, len(names)))
    for position, name in enumerate(names):
        found[:, position] = solution[name][0]
        if name in sizes:
            size, power = sizes[name]
            found[:, position] *= solution[size][0] ** power
    return found


def table(results: list[CaseResult]) -> str:
    """Return the results as a page of Markdown."""
    counts = Counter(result.verdict for result in results)
    lines = [
        "# SBML Test Suite",
        "",
        "Made by `python benchmarks/sbml_suite.py --write`. Each case is solved by the engine and",
        "held against the suite's results at the case's own tolerances.",
        "",
        f"{len(results)} cases: {counts['passed']} passed, {counts['failed']} failed, "
        f"{counts['refused']} refused by name.",
        "",
    ]
    if counts["failed"] or counts["refused"]:
        lines += ["| case | verdict | reason |", "|---|---|---|"]
        lines += [
            f"| {result.case} | {result.verdict} | {result.reason} |"
            for result in results
            if result.verdict != "passed"
        ]
        lines.append("")
    passed = [result.case for result in results if result.verdict == "passed"]
    lines += ["## Passed", "", ", ".join(passed), ""]
    return "\n".join(lines)


def main() -> None:
    """Run cases and print the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=case_names())
    parser.add_argument("--write", action="store_true", help="make docs/sbml_suite.md")
    arguments = parser.parse_args()
    results = [run_case(case) for case in arguments.cases]
    for result in results:
        if result.verdict != "passed":
            print(f"{result.case} {result.verdict}: {result.reason}")
    print(", ".join(f"{n} {verdict}" for verdict, n in Counter(r.verdict for r in results).items()))
    if arguments.write:
        (ROOT / "docs" / "sbml_suite.md").write_text(table(results), encoding="utf-8")


if __name__ == "__main__":
    main()
