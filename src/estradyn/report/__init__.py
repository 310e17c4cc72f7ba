"""Figures and the self-contained HTML report of a trial.

`write_report` is loaded when first asked for, since drawing needs libraries that take a second to
import and printing a parameter does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from estradyn.report.page import write_report

__all__ = ["write_report"]


def __getattr__(name: str) -> Any:
    if name == "write_report":
        from estradyn.report import page

        return page.write_report
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
