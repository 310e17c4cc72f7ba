"""Finds a model's text and turns it into one flattened SBML text."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import antimony
import libsbml

from estradyn.errors import ModelError
from estradyn.model.composition import Composition, compose
from estradyn.model.text_file import read_text

ANTIMONY_SUFFIX = ".ant"
SBML_SUFFIXES = (".xml", ".sbml")

_antimony_lock = threading.Lock()
_IMPORT = re.compile(r'^\s*import\s+"([^"]+)"', re.MULTILINE)
_HEADER = re.compile(r"^\s*(?:model|module)\s+\*?\w+\s*\(([^)]*)\)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_CRASHES = ("extent", "length", "substance", "volume")
"""Names of units that libAntimony 3.3 does not survive among the arguments of a model."""
_LINE = re.compile(r"^Error in (?:file '(?P<file>[^']*)'|model string), line (?P<line>\d+):\s*")


@dataclass(frozen=True)
class ModelSource:
    """Where a model's text stands.

    Attributes
    ----------
    name
        Stem of the file: the model's name in tables and messages.
    path
        The `.ant`, `.xml` or `.sbml` file.
    shipped
        Whether it is one of the package's own models.
    """

    name: str
    path: Path
    shipped: bool


def models_directory() -> Path:
    """Folder of the shipped models, their tables and drug records."""
    return Path(str(resources.files("estradyn") / "models"))


def shipped_models() -> tuple[str, ...]:
    """Names of the shipped models, sorted."""
    return tuple(sorted(path.stem for path in models_directory().glob("*" + ANTIMONY_SUFFIX)))


def find_model(source: str | Path) -> ModelSource:
    """Find a model by shipped name or by path.

    Parameters
    ----------
    source
        A shipped model's name (see `shipped_models`), or a path to a `.ant`, `.xml` or `.sbml`
        file.

    Raises
    ------
    ModelError
        If there is no such model or the file type is not one of these.
    """
    path = Path(source)
    if isinstance(source, str) and source in shipped_models():
        return ModelSource(source, models_directory() / (source + ANTIMONY_SUFFIX), shipped=True)
    if path.suffix.lower() not in (ANTIMONY_SUFFIX, *SBML_SUFFIXES):
        raise ModelError(
            f"no model '{source}'; give a path to a .ant or .xml file or one of: "
            + ", ".join(shipped_models())
        )
    if not path.is_file():
        raise ModelError("there is no such model file", source=path)
    shipped = path.resolve().parent == models_directory().resolve()
    return ModelSource(path.stem, path, shipped=shipped)


def sbml_text(
    source: ModelSource,
    drugs: Sequence[str] | None = None,
    modules: Sequence[str] | None = None,
    population: str | None = None,
) -> str:
    """Read a model's text as SBML, submodels flattened into one model.

    Parameters
    ----------
    source
        See `find_model`.
    drugs, modules, population
        Drugs, optional modules and people to put into a patient's model; see
        `estradyn.model.composition.compose`.

    Raises
    ------
    ModelError
        If the file cannot be read, is too large, or its Antimony text has a fault; names file
        and line.
    """
    if source.path.suffix.lower() == ANTIMONY_SUFFIX:
        return _sbml_from_antimony(source.path, compose(source.path, drugs, modules, population))
    return read_text(source.path, ModelError)


def _sbml_from_antimony(path: Path, composition: Composition) -> str:
    _check_text(path, composition.text, path.parent, set())
    with _loaded_antimony(path, composition) as module:
        text = antimony.getSBMLString(module)
        if not text:
            raise _antimony_error(path, composition, antimony.getLastError())
    return _literals_without_dimension(_restore_base_units(text))


def _check_text(path: Path, text: str, folder: Path, seen: set[Path]) -> None:
    """Refuse what libAntimony would not survive, in a text and in what it imports.

    These are arguments of a model with the name of a unit, and imported files that are no text of
    sensible size.
    """
    for arguments in _HEADER.findall(_COMMENT.sub("", text)):
        for name in re.findall(r"\w+", arguments):
            if name in _CRASHES:
                raise ModelError(
                    f"an argument of a model is called '{name}', which is the name of a unit; "
                    "call it otherwise",
                    source=path,
                )
    for name in _IMPORT.findall(text):
        imported = folder / name
        if imported.is_file() and imported not in seen:
            seen.add(imported)
            _check_text(imported, read_text(imported, ModelError), folder, seen)


@contextmanager
def _loaded_antimony(path: Path, composition: Composition) -> Iterator[str]:
    """Load a text and give its main model's name; libAntimony is global, so one at a time."""
    with _antimony_lock:
        antimony.clearPreviousLoads()
        antimony.clearDirectories()
        antimony.addDirectory(str(path.parent.resolve()))
        try:
            if antimony.loadAntimonyString(composition.text) < 0:
                raise _antimony_error(path, composition, antimony.getLastError())
            yield antimony.getMainModuleName()
        except UnicodeDecodeError as error:
            # libAntimony cuts characters outside ASCII in two when it quotes a line.
            message = "has an error near a character outside ASCII; write the model in ASCII"
            raise ModelError(message, source=path) from error
        finally:
            antimony.clearPreviousLoads()
            antimony.clearDirectories()


def _antimony_error(path: Path, composition: Composition, message: str) -> ModelError:
    found = _LINE.match(message)
    if found is None:
        return ModelError(" ".join(message.split()), source=path)
    text = " ".join(message[found.end() :].split())
    number = int(found["line"])
    if found["file"]:
        return ModelError(text, source=Path(found["file"]), line=number)
    line = composition.lines[min(number, len(composition.lines)) - 1]
    return ModelError(text, source=line.path, line=line.number)


def _restore_base_units(text: str) -> str:
    """Undo libAntimony's renaming of SBML's base units inside submodels.

    libAntimony 3.3 flattens ``x has dimensionless`` of an instance ``drug`` to the unit
    ``drug_dimensionles`` (and ``drug_metre``, ``drug_gram`` ...), which nothing defines.
    """
    defined = set(re.findall(r'<unitDefinition [^>]*?\bid="(\w+)"', text))
    kinds = [
        libsbml.UnitKind_toString(kind)
        for kind in range(libsbml.UNIT_KIND_AMPERE, libsbml.UNIT_KIND_INVALID)
    ]
    # The longest ending wins: `drug_kilogram` is a kilogram and not a gram.
    endings = {"dimensionles": "dimensionless", **{kind: kind for kind in kinds}}
    ordered = sorted(endings, key=len, reverse=True)

    def repair(match: re.Match[str]) -> str:
        unit = match["unit"]
        if unit in defined or unit in endings:
            return match[0]
        for ending in ordered:
            if unit.endswith("_" + ending):
                return f'{match["attribute"]}="{endings[ending]}"'
        return match[0]

    return re.sub(r'(?P<attribute>\b\w*[uU]nits)="(?P<unit>\w+)"', repair, text)


def _literals_without_dimension(text: str) -> str:
    """Declare every literal number in an expression dimensionless.

    Without a unit libSBML gives up on the expression around it. (libAntimony's own option for this
    also makes ``amount = 0`` declare the amount dimensionless.)
    """
    document = libsbml.readSBMLFromString(text)
    model = document.getModel()
    laws = [reaction.getKineticLaw() for reaction in model.getListOfReactions()]
    owners = [*model.getListOfInitialAssignments(), *model.getListOfRules(), *laws]
    for owner in owners:
        if owner is None or not owner.isSetMath():
            continue
        tree = owner.getMath().deepCopy()
        pending = [tree]
        while pending:
            node = pending.pop()
            if node.isNumber() and not node.isSetUnits():
                node.setUnits("dimensionless")
            pending.extend(node.getChild(index) for index in range(node.getNumChildren()))
        owner.setMath(tree)
    return str(libsbml.writeSBMLToString(document))
