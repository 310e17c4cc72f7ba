"""The examples of the page about sensitivities run and say what one would expect."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "sensitivity.md").read_text(encoding="utf-8")


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(blocks) == 2
    names: dict[str, np.ndarray] = {}
    for block in blocks:
        exec(compile(block, "docs/sensitivity.md", "exec"), names)
    # A drug that is cleared faster is lower; a higher set point of calcium gives more calcium.
    assert names["by_clearance"][0] < 0 < names["by_calcium"][1]
    printed = capsys.readouterr().out
    shares = {
        line.split()[1]: float(line.split()[2]) for line in printed.splitlines() if "_" in line[:20]
    }
    assert shares["toremifene_absorption_rate"] > 0.1
    assert shares["toremifene_low_dose_clearance"] < 0.1
