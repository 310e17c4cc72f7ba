"""Ctrl-C while threads run compiled code: the process lives on, and may solve again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import gc, os, signal, threading, time
import numpy as np
from engine_models import hires
from estradyn.engine import SolverOptions, compile_model, solve

signal.signal(signal.SIGINT, signal.default_int_handler)
tight = SolverOptions(relative_tolerance=1e-12, size_share=0.0, absolute_tolerance=1e-25)


def interrupt():
    # The second arrives while the threads are waited for.
    for _ in range(2):
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)


def solve_until_interrupted(last_state):
    compiled = compile_model(hires(), [last_state])
    interrupter.start()
    solve(compiled, {}, np.arange(500.0), patients=4096, options=tight, workers=3)


for turn in range(4):
    interrupter = threading.Thread(target=interrupt)
    try:
        try:
            solve_until_interrupted(f"y{turn + 1}")
        finally:
            interrupter.join()
    except KeyboardInterrupt:
        pass
    gc.collect()
    # New code takes the place that the code of the last turn had, if that was given back.
    compile_model(hires(), ["y7", f"y{turn + 1}"])
print("alive")
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_threads_keep_the_code_they_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env=os.environ | {"ESTRADYN_CACHE": str(tmp_path)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "alive\n"
