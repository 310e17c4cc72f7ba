"""What a trial says of a scheduler that it cannot use."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from estradyn.errors import ClusterError
from estradyn.trial import cluster
from estradyn.trial.run import run_trial
from estradyn.trial.study import Study


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_study: Callable[..., Study],
    make_simulation: Callable[..., object],
) -> Iterator[Callable[[str], None]]:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    study = make_study()
    yield lambda address: run_trial(
        study, tmp_path / "new" / "out", simulation=make_simulation(study), scheduler=address
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["", "nonsense", "127.0.0.1", "foo://x:1", "tcp://127.0.0.1:1", "tcp://no.invalid:9"]
)
def test_address_at_which_nobody_answers_is_named(run: Callable[[str], None], address: str) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at '{address}'"):
        run(address)


def test_something_else_at_the_address_is_no_scheduler(run: Callable[[str], None]) -> None:
    pytest.importorskip("distributed")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ClusterError, match="no Dask scheduler answers"):
            run(f"tcp://127.0.0.1:{port}")


def test_dask_that_is_not_installed_is_asked_for(
    run: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'estradyn\[cluster\]'"):
        run("tcp://127.0.0.1:8786")
