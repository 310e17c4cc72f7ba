"""Drug records: Markdown with YAML front matter, one file per drug.

The front matter says where a patient's model takes the drug's doses. A drug that acts in another
context too (see `estradyn.model.context`) says the same of it under `contexts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from estradyn.errors import InputError, ModelError, UnitError
from estradyn.model.front_matter import check_front_matter, read_front_matter
from estradyn.model.ode_model import OdeModel
from estradyn.model.units import unit_ratio

_LINKS = ("dose_state", "dose_unit", "concentration_output")


@dataclass(frozen=True)
class DrugRecord:
    """What is known of one drug, and where the model takes its doses.

    Attributes
    ----------
    name
        Stem of the file: the drug's name in study files.
    dose_state
        State of the model that a dose is added to.
    dose_unit
        Unit of a dose as text that pint reads; measures the same as the state.
    concentration_output
        Model output that is the drug's concentration in plasma.
    fields
        The whole front matter.
    body
        The text below it, Markdown.
    path
        The file.
    part
        Antimony file beside the record with what the drug adds to a patient's model; None where
        the model holds the drug already.
    acts_on
        Names of the lines `// sum over drugs` of the patient that the part adds to.
    contexts
        The same five fields for each other context in which the drug acts, by its name.
    """

    name: str
    dose_state: str
    dose_unit: str
    concentration_output: str
    fields: Mapping[str, Any]
    body: str
    path: Path
    part: str | None = None
    acts_on: tuple[str, ...] = ()
    contexts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def within(self, context: str) -> DrugRecord | None:
        """Return the record with the fields of another context; None where it does not act.

        Raises
        ------
        InputError
            If fields of that context are missing or of the wrong kind.
        """
        if context not in self.contexts:
            return None
        fields, where = self.contexts[context], f"contexts.{context}."
        links = _links(fields, self.path, where)
        part, acts_on = _part(fields, self.path, where)
        if part is None:
            raise InputError(f"the front matter lacks '{where}part', a text", source=self.path)
        return replace(self, **links, part=part, acts_on=acts_on)


def read_drug_record(path: Path, *, medicine: bool = True) -> DrugRecord:
    """Read a drug record; YAML tags that build objects are refused.

    Parameters
    ----------
    path
        Markdown file with front matter.
    medicine
        Whether it is the record of a drug that people take, which says more of itself than that of
        a reagent; see `estradyn.model.front_matter`.

    Raises
    ------
    InputError
        Naming the file and the line or field, if the front matter is missing, is not plain YAML,
        or lacks a field or holds something else in it.
    """
    fields, body = read_front_matter(path)
    check_front_matter(fields, path, medicine=medicine)
    part, acts_on = _part(fields, path)
    return DrugRecord(
        name=path.stem,
        **_links(fields, path),
        fields=MappingProxyType(fields),
        body=body,
        path=path,
        part=part,
        acts_on=acts_on,
        contexts=_contexts(fields, path),
    )


def _links(fields: Mapping[str, Any], path: Path, where: str = "") -> dict[str, Any]:
    """What ties doses and concentrations to a model."""
    for link in _LINKS:
        if not isinstance(fields.get(link), str):
            raise InputError(f"the front matter lacks '{where}{link}', a text", source=path)
    return {link: fields[link] for link in _LINKS}


def _contexts(fields: Mapping[str, Any], path: Path) -> Mapping[str, Mapping[str, Any]]:
    contexts = fields.get("contexts", {})
    if not isinstance(contexts, dict) or not all(isinstance(x, dict) for x in contexts.values()):
        raise InputError(
            "'contexts' must hold, for each context, the fields part, acts_on, "
            + ", ".join(_LINKS),
            source=path,
        )
    return MappingProxyType(contexts)


def _part(
    fields: Mapping[str, Any], path: Path, where: str = ""
) -> tuple[str | None, tuple[str, ...]]:
    """File of the drug's part and what it acts on; both are stated or neither is."""
    part, acts_on = fields.get("part"), fields.get("acts_on")
    if part is None and acts_on is None:
        return None, ()
    if not isinstance(part, str) or Path(part).name != part:
        raise InputError(f"'{where}part' must name an Antimony file beside the record", source=path)
    if not isinstance(acts_on, list) or not acts_on or not all(isinstance(x, str) for x in acts_on):
        raise InputError(
            f"'{where}acts_on' must be a list of names, as in [breast_binding]", source=path
        )
    return part, tuple(acts_on)


def check_drug(record: DrugRecord, model: OdeModel) -> None:
    """Refuse a record that does not fit the model.

    Raises
    ------
    ModelError
        If the model lacks the dose state or the concentration output.
    UnitError
        If a dose cannot be converted into the unit of the dose state.
    """
    if record.dose_state not in model.state_names:
        raise ModelError(
            f"the dose_state '{record.dose_state}' is not a state of the model", source=record.path
        )
    if record.concentration_output not in model.unit_of:
        raise ModelError(
            f"the concentration_output '{record.concentration_output}' is not in the model",
            source=record.path,
        )
    try:
        unit_ratio(record.dose_unit, model.unit_of[record.dose_state])
    except UnitError as error:
        raise UnitError(f"dose_unit: {error}", source=record.path) from error
