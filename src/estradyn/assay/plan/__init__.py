"""Planning an assay: doses, plate maps, dilutions, bench sheet and design warnings."""

from estradyn.assay.plan.design import AssayDesign, load_design
from estradyn.assay.plan.folder import write_plan
from estradyn.assay.plan.warnings import design_warnings

__all__ = ["AssayDesign", "design_warnings", "load_design", "write_plan"]
