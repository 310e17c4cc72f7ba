"""Writes a folder of pages about a model: how it is composed, and one page for each module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from estradyn import __version__
from estradyn.errors import ModelError
from estradyn.model.composition import compose
from estradyn.model.context import PATIENT
from estradyn.model.parameter_table import ParameterRow
from estradyn.model.patient_model import PatientModel, load_patient_model
from estradyn.model.sources import find_model
from estradyn.output_folder import output_folder
from estradyn.report.links import linked
from estradyn.report.model_pages.module import Module, read_module
from estradyn.report.model_pages.schematic import schematic_svg
from estradyn.report.model_pages.variants import variant_pages
from estradyn.report.model_pages.wiring import Instance, Wiring, wiring
from estradyn.report.parameters import (
    CLASS_MEANINGS,
    PrintedParameter,
    class_counts,
    printed_parameters,
)
from estradyn.report.templates import house_style, page_environment

INDEX = "index.html"


@dataclass(frozen=True)
class _Values:
    """The values of one instance of a module."""

    instance: str
    parameters: list[PrintedParameter]


def write_model_pages(
    out: Path,
    model_name: str = "patient",
    *,
    drugs: Sequence[str] | None = None,
    population: str | None = None,
) -> list[Path]:
    """Write the documentation of a composed model as HTML pages that stand alone.

    Parameters
    ----------
    out
        Folder to write; appears whole or not at all.
    model_name
        A shipped model that composes modules.
    drugs
        Drugs that the model holds; all with a record by default.
    population
        People whom a patient's model describes; those of its own text by default.

    Returns
    -------
    list of Path
        The pages, the index first.

    Raises
    ------
    ModelError, ParameterError, UnitError
        If the model's texts or tables have a fault.
    InputError
        If the folder holds something else.
    """
    source = find_model(model_name)
    joined = wiring(compose(source.path, drugs, population=population))
    if not joined.instances:
        raise ModelError(
            f"'{model_name}' composes no modules, allowed is a model that does, such as patient, "
            "well or mouse, whose pages show each of its modules",
        )
    patient_model = load_patient_model(model_name=model_name, drugs=drugs, population=population)
    names = list(dict.fromkeys(instance.module for instance in joined.instances))
    modules = [read_module(find_model(_file_of(name, source.path.parent))) for name in names]
    by_module = dict(zip(names, modules, strict=True))
    page_of = {item.name: f"{by_module[item.module].name}.html" for item in joined.instances}
    pages = {INDEX: _index(patient_model, joined, by_module, page_of)}
    for name, module in by_module.items():
        instances = [item for item in joined.instances if item.module == name]
        pages[f"{module.name}.html"] = _module_page(
            patient_model, module, instances, joined, page_of
        )
    if model_name == PATIENT:
        for file_name, (title, about, variants) in variant_pages(source.path.parent).items():
            pages[file_name] = _rendered(
                "model_variants.html.jinja", title=title, about=about, variants=variants
            )
    with output_folder(out, list(pages)) as folder:
        for file_name, text in pages.items():
            (folder / file_name).write_text(text, encoding="utf-8")
    return [out / file_name for file_name in pages]


def _file_of(module: str, folder: Path) -> Path:
    """File that defines a module: its name need not be that of the file."""
    for path in sorted(folder.glob("*.ant")):
        if f"model {module}(" in path.read_text(encoding="utf-8"):
            return path
    raise ModelError(f"no file of the folder defines the module '{module}'", source=folder)


def _index(
    patient_model: PatientModel, joined: Wiring, modules: dict[str, Module], page_of: dict[str, str]
) -> str:
    rows = patient_model.parameters.rows
    return _rendered(
        "model_index.html.jinja",
        title=f"Model of the {patient_model.model.name}",
        schematic=schematic_svg(joined, page_of, title="Modules of the model and what joins them"),
        modules=[(modules[item.module], item, page_of[item.name]) for item in joined.instances],
        connections=joined.connections,
        page_of=page_of,
        class_counts=class_counts(rows),
        class_meanings={kind.value: meaning for kind, meaning in CLASS_MEANINGS.items()},
        outputs=patient_model.outputs,
        baseline=patient_model.baseline,
        plausibility=patient_model.plausibility,
        correlations=patient_model.parameters.correlations,
        traits=printed_parameters([row for row in rows if row.is_trait]),
        own_values=printed_parameters([row for row in rows if _stands_at_the_top(row, joined)]),
        states=len(patient_model.model.states),
        parameters=len(rows),
        time_unit=patient_model.model.time_unit,
        drugs=patient_model.drugs,
        has_variants=patient_model.model.name == PATIENT,
    )


def _module_page(
    patient_model: PatientModel,
    module: Module,
    instances: Sequence[Instance],
    joined: Wiring,
    page_of: dict[str, str],
) -> str:
    names = [item.name for item in instances]
    rows = patient_model.parameters.rows
    values = [
        _Values(name, printed_parameters([row for row in rows if _belongs(row, name, joined)]))
        for name in names
    ]
    tabled = {
        parameter.name.removeprefix(f"{value.instance}_")
        for value in values
        for parameter in value.parameters
    }
    return _rendered(
        "model_module.html.jinja",
        title=module.name.replace("_", " ").capitalize(),
        module=module,
        instances=instances,
        values=values,
        inputs=[name for name in module.constants if name not in tabled],
        takes=[item for item in joined.connections if item.target in names],
        gives=[item for item in joined.connections if item.source in names],
        page_of=page_of,
    )


def _stands_at_the_top(row: ParameterRow, joined: Wiring) -> bool:
    """Whether a row is a value of the composed model itself, of none of its modules."""
    return not row.is_trait and not any(
        _belongs(row, item.name, joined) for item in joined.instances
    )


def _belongs(row: ParameterRow, instance: str, joined: Wiring) -> bool:
    """Whether a row, be it of a table of its own or of a population, is a value of an instance."""
    begins = [item.name for item in joined.instances if row.name.startswith(f"{item.name}_")]
    return row.path.stem == instance or instance == max(begins, key=len, default="")


def _rendered(template: str, **values: Any) -> str:
    environment = page_environment("estradyn.report")
    environment.filters["linked"] = linked
    environment.filters["words"] = lambda text: text.replace("_", " ")
    return environment.get_template(template).render(
        style=house_style(), version=__version__, index=INDEX, **values
    )
