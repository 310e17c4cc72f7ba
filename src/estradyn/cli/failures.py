"""Errors as a user meets them: one sentence, exit code 2, no traceback."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from estradyn.errors import EstradynError

BAD_INPUT = 2
"""Exit code when what the user gave cannot be used."""


class PlainFailures(TyperGroup):
    """Command group that prints an `EstradynError` as one line on standard error."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except EstradynError as error:
            typer.echo(f"estradyn: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(BAD_INPUT) from None
