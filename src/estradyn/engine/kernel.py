"""The solver's machine code, written as LLVM instructions.

One kernel advances `width` patients at once, one in each lane of a vector. Every lane has its own
time, step size and error control; a lane whose patient is done takes the next one. All arithmetic
is lane by lane, so what happens in one lane cannot change a bit in another.
"""

from __future__ import annotations

from dataclasses import dataclass

from estradyn.engine.integrate_code import IntegrateCode
from estradyn.engine.layout import Layout
from estradyn.engine.model_code import ModelCode
from estradyn.engine.program import Program
from estradyn.engine.tableau import RosenbrockMethod


@dataclass(frozen=True)
class Kernel:
    """Machine code of one model before compilation.

    Attributes
    ----------
    text
        LLVM assembly with the functions `prepare`, `rates`, `linearize`, `jacobian`, `solve`,
        `observe` and `integrate`.
    layout
        Positions in the working memory.
    """

    text: str
    layout: Layout


def write_kernel(program: Program, method: RosenbrockMethod, width: int) -> Kernel:
    """Write the machine code that solves a model.

    Parameters
    ----------
    program
        Values of the model.
    method
        Integration method.
    width
        Lanes in a vector.
    """
    code = ModelCode(program, method, width)
    code.write()
    IntegrateCode(code).write()
    return Kernel(str(code.module), code.layout)
