"""What the page of one module says, read from its text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import libsbml
from markupsafe import Markup

from estradyn.model.sources import ModelSource, sbml_text
from estradyn.report.model_pages.equations import equation_markup, name_markup, rate_markup

_COMMENT = "//"
_FOR_WRITERS = "Numbers are placeholders"
"""Remark on the numbers in a text; a page prints those of the tables."""
_FORMULA_LINE = re.compile(r"^\s{2,}\S")


@dataclass(frozen=True)
class Equation:
    """A typeset equation and the quantity that it is about."""

    name: str
    unit: str
    markup: Markup


@dataclass(frozen=True)
class Paragraph:
    """A piece of a module's own words; formulas in it keep their lines."""

    text: str
    is_formula: bool


@dataclass(frozen=True)
class Module:
    """A module's text, taken apart.

    Attributes
    ----------
    name
        Stem of its file.
    title
        First sentence of what it says.
    about
        All of what it says.
    rules, rates, starts
        Variables given by a formula, states with their rate of change, and initial values that
        are not numbers.
    constants
        Names of all other quantities: its parameters and what the model around it gives.
    """

    name: str
    title: str
    about: tuple[Paragraph, ...]
    rules: tuple[Equation, ...]
    rates: tuple[Equation, ...]
    starts: tuple[Equation, ...]
    constants: tuple[str, ...]


def read_module(source: ModelSource) -> Module:
    """Read one module on its own.

    Raises
    ------
    ModelError
        If its text has a fault.
    """
    document = libsbml.readSBMLFromString(sbml_text(source, drugs=()))
    model = document.getModel()
    units = _unit_words(model)
    rules: list[Equation] = []
    rates: list[Equation] = []
    for rule in model.getListOfRules():
        name = rule.getVariable()
        left = rate_markup(name) if rule.isRate() else name_markup(name)
        equation = Equation(name, units.get(name, ""), equation_markup(left, rule.getMath()))
        (rates if rule.isRate() else rules).append(equation)
    starts = [
        Equation(
            item.getSymbol(),
            units.get(item.getSymbol(), ""),
            equation_markup(_at_start(item.getSymbol()), item.getMath()),
        )
        for item in model.getListOfInitialAssignments()
    ]
    about = _about(source.path)
    varying = {rule.getVariable() for rule in model.getListOfRules()}
    return Module(
        name=source.name,
        title=_first_sentence(about[0].text) if about else source.name,
        about=about,
        rules=tuple(rules),
        rates=tuple(rates),
        starts=tuple(starts),
        constants=tuple(
            item.getId() for item in model.getListOfParameters() if item.getId() not in varying
        ),
    )


def _first_sentence(text: str) -> str:
    """First sentence without its period; one that a formula interrupts ends at its last comma."""
    sentence, end, _ = text.partition(". ")
    if end or sentence.endswith("."):
        return sentence.removesuffix(".")
    return sentence.rpartition(", ")[0] or sentence


def _at_start(name: str) -> Markup:
    return Markup("{}<mo>(</mo><mn>0</mn><mo>)</mo>").format(name_markup(name))


def _unit_words(model: libsbml.Model) -> dict[str, str]:
    """Unit of every quantity, in the words of the text."""
    return {
        item.getId(): item.getUnits().replace("_", " ").replace("ratio", "dimensionless")
        for item in model.getListOfParameters()
    }


def _about(path: Path) -> tuple[Paragraph, ...]:
    """Comment at the head of the text: paragraphs, lists and indented formulas."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith(_COMMENT):
            break
        lines.append(line.removeprefix(_COMMENT).removeprefix(" ").rstrip())
    return tuple(
        paragraph for paragraph in _paragraphs(lines) if not paragraph.text.startswith(_FOR_WRITERS)
    )


def _paragraphs(lines: Iterable[str]) -> Iterable[Paragraph]:
    kept: list[str] = []
    formula = False
    for line in [*lines, ""]:
        in_list = bool(kept) and kept[0].startswith("- ")
        is_formula = not in_list and _FORMULA_LINE.match(line) is not None
        opens = line.startswith(("- ", "Limit", "Input", "Output", "Numbers are"))
        if kept and (not line.strip() or is_formula != formula or opens):
            yield Paragraph("\n".join(kept) if formula else " ".join(kept), formula)
            kept = []
        formula = is_formula
        if line.strip():
            kept.append(line.strip())
