"""Progress bars on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def arm_progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Give a function to call with arm, patients done and patients planned.

    It is None where standard error is not a terminal; the bars go away at the end.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("patients"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}
        preparing = bars.add_task("preparing the model", total=None)

        def advance(arm: str, done: int, planned: int) -> None:
            bars.update(preparing, visible=False)
            if arm not in tasks:
                tasks[arm] = bars.add_task(arm, total=planned)
            bars.update(tasks[arm], completed=done, total=planned)

        yield advance


@contextmanager
def step_progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Give a function to call with what is being done, how much is done and how much there is.

    It is None where standard error is not a terminal; the bar goes away at the end.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        *(TextColumn("{task.description}"), BarColumn()),
        *(MofNCompleteColumn(), TimeElapsedColumn()),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("reading", total=None)
        yield lambda what, done, planned: bars.update(
            task, description=what, completed=done, total=planned
        )
