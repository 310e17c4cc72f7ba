"""Compilation of a model to machine code, once per model and machine."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import platformdirs

from estradyn.engine.kernel import write_kernel
from estradyn.engine.lane_code import INTEGRATE_ARGUMENTS
from estradyn.engine.layout import Layout
from estradyn.engine.program import build_program
from estradyn.engine.tableau import METHODS
from estradyn.engine.vector_math import INTEGER
from estradyn.errors import SimulationError
from estradyn.model.ode_model import OdeModel

DEFAULT_METHOD = "Rodas5P"
CACHE_VARIABLE = "ESTRADYN_CACHE"
"""Environment variable that names the folder for compiled models; `off` keeps none."""


@dataclass(frozen=True)
class CompiledModel:
    """A model as machine code.

    Attributes
    ----------
    model
        The model that was compiled.
    outputs
        Names of the outputs, in the order of every result.
    inflow_states
        States that can receive an infusion, in the order of their inflows.
    method
        Name of the integration method.
    layout
        Positions in the working memory; `layout.width` patients are solved side by side.
    jacobian_entries
        Rows and columns at which the Jacobian of the rates is not zero.
    depends_on_time
        Whether any rate depends on time itself.
    content_hash
        Hash of all that determines the machine code.
    from_cache
        Whether the machine code was found ready.
    """

    model: OdeModel
    outputs: tuple[str, ...]
    inflow_states: tuple[str, ...]
    method: str
    layout: Layout
    jacobian_entries: tuple[tuple[int, int], ...]
    depends_on_time: bool
    content_hash: str
    from_cache: bool
    _library: Any = field(repr=False, compare=False)

    def function(self, name: str) -> Any:
        """Return one of the compiled functions for calling through ctypes."""
        address = self._library[name]
        if name == "integrate":
            types = [_ctype(kind) for _, kind in INTEGRATE_ARGUMENTS]
        else:
            types = [ctypes.c_void_p] * POINTER_COUNTS[name]
        function = ctypes.CFUNCTYPE(None, *types)(address)
        # A thread may still run the code when everything else that knows the model is gone, after
        # an interruption: the code stays as long as anybody can call it.
        function.library = self._library  # type: ignore[attr-defined]
        return function


POINTER_COUNTS = {
    "prepare": 3,
    "rates": 4,
    "observe": 4,
    "linearize": 7,
    "jacobian": 4,
    "solve": 3,
}
FUNCTIONS = (*POINTER_COUNTS, "integrate")


def _ctype(kind: Any) -> Any:
    if kind == INTEGER:
        return ctypes.c_int64
    return ctypes.c_double if str(kind) == "double" else ctypes.c_void_p


def compile_model(
    model: OdeModel,
    outputs: Sequence[str],
    *,
    inflow_states: Sequence[str] = (),
    method: str = DEFAULT_METHOD,
    width: int | None = None,
) -> CompiledModel:
    """Compile a model for solving populations.

    Parameters
    ----------
    model
        Model to compile.
    outputs
        Names of states, assigned variables or constants to compute at the output times.
    inflow_states
        States that can receive an infusion.
    method
        Name of a method in `estradyn.engine.tableau.METHODS`.
    width
        Patients solved side by side; by default what the processor's vectors hold.

    Raises
    ------
    ModelError
        If the model uses what the solver does not know, or an output does not exist.
    """
    if method not in METHODS:
        allowed = ", ".join(METHODS)
        raise SimulationError(f"unknown integration method '{method}'; known are {allowed}")
    width = width or natural_width()
    digest = _content_hash(model, outputs, inflow_states, method, width)
    cached = _read_cache(digest)
    if cached is None:
        program = build_program(model, outputs, inflow_states)
        kernel = write_kernel(program, METHODS[method], width)
        description = _Description(kernel.layout, tuple(program.jacobian), program.depends_on_time)
        machine_code = assemble(kernel.text)
        _write_cache(digest, machine_code, description)
    else:
        machine_code, description = cached
    return CompiledModel(
        model=model,
        outputs=tuple(outputs),
        inflow_states=tuple(inflow_states),
        method=method,
        layout=description.layout,
        jacobian_entries=description.jacobian_entries,
        depends_on_time=description.depends_on_time,
        content_hash=digest,
        from_cache=cached is not None,
        _library=link(machine_code, FUNCTIONS),
    )


@cache
def natural_width() -> int:
    """Return how many doubles one vector register of this machine holds, at least two."""
    features = _host()[1]
    if "+avx512f" in features and "+avx512dq" in features:
        return 8
    return 4 if "+avx2" in features else 2


@cache
def _host() -> tuple[str, str]:
    """Return name and features of the processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def processor_name() -> str:
    """Return the name of this machine's processor, as LLVM calls it."""
    return _host()[0]


def _target_machine() -> Any:
    name, features = _host()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=name, features=features, opt=2, jit=True, codemodel="small", reloc="pic"
    )


def assemble(text: str) -> bytes:
    """Optimise LLVM assembly and turn it into an object file."""
    machine = _target_machine()
    module = llvm.parse_assembly(text)
    module.verify()
    # The code is straight-line and already free of repeated values; loops run over vectors.
    tuning = llvm.create_pipeline_tuning_options(speed_level=1)
    tuning.loop_vectorization = False
    tuning.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def link(machine_code: bytes, functions: Sequence[str]) -> Any:
    """Link an object file into the process; return its functions' addresses by name.

    JITLink lays all of it out in one piece and checks every distance, which code with short
    addresses needs.
    """
    builder = llvm.JITLibraryBuilder().add_object_img(machine_code).add_current_process()
    for name in functions:
        builder.export_symbol(name)
    return builder.link(_linker(), f"kernel {next(_KERNEL_NUMBERS)}")


@cache
def _linker() -> Any:
    """The process's linker: a library lives in it until nobody refers to it."""
    _host()
    return llvm.create_lljit_compiler(use_jit_link=True)


_KERNEL_NUMBERS = count()


@cache
def _engine_source_hash() -> str:
    """Hash of the code that generates machine code, so that a change to it is not masked."""
    digest = hashlib.sha256()
    folder = resources.files("estradyn.engine")
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".py"):
            digest.update(entry.read_bytes())
    return digest.hexdigest()


def model_hash(model: OdeModel) -> str:
    """Return a hash of a model's equations, names, units and values."""
    digest = hashlib.sha256()

    def add(*parts: object) -> None:
        digest.update("\x1f".join(map(str, parts)).encode())
        digest.update(b"\x1e")

    add(model.name, model.time_unit)
    for state in model.states:
        add("state", state.name, state.unit, state.initial, state.rate)
    for parameter in model.parameters:
        add("parameter", parameter.name, parameter.unit, parameter.value.hex())
    for kind, assignments in (("derived", model.derived), ("assigned", model.assignments)):
        for assignment in assignments:
            add(kind, assignment.name, assignment.unit, assignment.expression)
    for event in model.events:
        add("event", event.name, event.trigger, event.assignments, event.true_before_start)
    return digest.hexdigest()


def _content_hash(
    model: OdeModel,
    outputs: Sequence[str],
    inflow_states: Sequence[str],
    method: str,
    width: int,
) -> str:
    name, features = _host()
    parts = [
        model_hash(model),
        *("output " + output for output in outputs),
        *("inflow " + state for state in inflow_states),
        method,
        str(width),
        name,
        features,
        llvmlite.__version__,
        _engine_source_hash(),
    ]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _cache_folder() -> Path | None:
    chosen = os.environ.get(CACHE_VARIABLE, "")
    if chosen == "off":
        return None
    return Path(chosen or platformdirs.user_cache_dir("estradyn")) / "kernels"


@dataclass(frozen=True)
class _Description:
    """What has to be known about machine code to use it."""

    layout: Layout
    jacobian_entries: tuple[tuple[int, int], ...]
    depends_on_time: bool


def _read_cache(digest: str) -> tuple[bytes, _Description] | None:
    folder = _cache_folder()
    if folder is None:
        return None
    try:
        content = (folder / f"{digest}.kernel").read_bytes()
    except OSError:
        return None
    header, _, rest = content.partition(b"\n")
    try:
        found = json.loads(header)
        if hashlib.sha256(rest).hexdigest() != found["sha256"]:
            return None
        entries = tuple((int(row), int(column)) for row, column in found["jacobian_entries"])
        layout = Layout(**found["layout"])
        return rest, _Description(layout, entries, bool(found["depends_on_time"]))
    except (ValueError, KeyError, TypeError):
        return None


def _write_cache(digest: str, machine_code: bytes, description: _Description) -> None:
    """Keep machine code for next time; a folder that cannot be written is no error."""
    folder = _cache_folder()
    if folder is None:
        return
    header = {"sha256": hashlib.sha256(machine_code).hexdigest(), **asdict(description)}
    content = json.dumps(header).encode() + b"\n" + machine_code
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(folder / f"{digest}.kernel")
    except OSError:
        return
