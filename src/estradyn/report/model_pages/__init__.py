"""Pages that document a model: equations, values, assumptions and how its modules are joined."""

from estradyn.report.model_pages.pages import write_model_pages

__all__ = ["write_model_pages"]
