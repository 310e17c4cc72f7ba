"""The examples of the documentation run and say what they claim."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from estradyn.xenograft import load_plan

PAGE = (Path(__file__).parents[2] / "docs" / "xenograft.md").read_text(encoding="utf-8")


def test_python_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/xenograft.md", "exec"), names)
    assert "SD PR" in capsys.readouterr().out


def test_example_plan_is_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    path = tmp_path / "plan.yaml"
    path.write_text(block, encoding="utf-8")
    assert [arm.name for arm in load_plan(path).arms] == ["vehicle", "SERM"]
