"""In what a model's drugs act: a patient, a culture well, a mouse.

The context of a root model is called like its file. The tables and drug records of the models
folder are those of the patient; another context has a folder of its own name beside them, whose
tables hold what differs there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PATIENT = "patient"
"""Name of the context, and of its root model, that the tables of the models folder describe."""

DRUGS_FOLDER = "drugs"


@dataclass(frozen=True)
class Context:
    """Where a root model finds its tables and drugs.

    Attributes
    ----------
    name
        `patient`, or the stem of a root model with a folder of its own.
    folder
        Folder of the models.
    """

    name: str
    folder: Path

    @property
    def is_patient(self) -> bool:
        """Whether the tables of the models folder are this context's own."""
        return self.name == PATIENT

    @property
    def own_folder(self) -> Path:
        """Folder of the tables that belong to this context alone."""
        return self.folder if self.is_patient else self.folder / self.name

    @property
    def drug_folders(self) -> tuple[Path, ...]:
        """Folders of the records of drugs that may act here."""
        own = self.own_folder / DRUGS_FOLDER
        return (own,) if self.is_patient else (self.folder / DRUGS_FOLDER, own)


def context_of(path: Path) -> Context:
    """Context of a root model.

    Parameters
    ----------
    path
        Antimony file of the root model. Without a folder of its name beside it, it is another
        text of a patient.
    """
    own = path.stem != PATIENT and (path.parent / path.stem).is_dir()
    return Context(path.stem if own else PATIENT, path.parent)
