"""Errors a user can act on: each carries one sentence and leads to exit code 2."""

from __future__ import annotations

from pathlib import Path


class EstradynError(Exception):
    """Base of every error that names something the user can change."""


class InputError(EstradynError):
    """A file or value from outside is wrong; says where, what was found and what is allowed.

    Parameters
    ----------
    message
        What was found and what is allowed, as one sentence.
    source
        The file the fault is in, if it is in a file.
    line
        Line of the fault, counted from 1.
    """

    def __init__(self, message: str, *, source: str | Path | None = None, line: int | None = None):
        place = "" if source is None else f"{source}:{line}: " if line else f"{source}: "
        super().__init__(place + message)
        self.source = None if source is None else str(source)
        self.line = line


class ModelError(InputError):
    """A model file cannot be read, or uses what the solver does not support."""


class UnitError(InputError):
    """Two units that should agree do not, or a unit is not defined."""


class ParameterError(InputError):
    """A parameter table has a row that may not be used."""


class StudyError(InputError):
    """A study file asks for something that cannot be run."""


class SimulationError(EstradynError):
    """A population could not be simulated well enough to report on."""


class ClusterError(EstradynError):
    """A cluster cannot be reached, cannot run this version, or was lost."""
