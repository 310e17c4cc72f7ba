"""A trial whose process is killed, and trials whose patients are simulated by other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from estradyn.errors import ClusterError
from estradyn.trial import cluster as cluster_module
from estradyn.trial.files import TABLES
from estradyn.trial.run import run_trial
from estradyn.trial.study import Study, load_study, study_from_content
from estradyn.trial.working_folder import finished_chunks, working_path

STUDY = Path(__file__).parents[2] / "studies" / "toremifene_flare.yaml"
CHUNK_SIZE = 16
CHUNKS = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals"),
]


@pytest.fixture(scope="module")
def study() -> Study:
    content = load_study(STUDY).content()
    content |= {"duration": "26 week", "patients_per_arm": 64}
    for visits in content["visits"]:
        if visits["at"] is not None:
            visits["at"] = [day for day in visits["at"] if float(day.split()[0]) <= 7 * 26]
    return study_from_content(content, "short study")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, study: Study) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    run_trial(study, out, chunk_size=CHUNK_SIZE)
    return out


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, processes=True, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        yield cluster


def read_tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}


RUN = """
import json, sys
from estradyn.trial.run import run_trial
from estradyn.trial.study import study_from_content
study = study_from_content(json.loads(sys.argv[1]), "short study")
run_trial(study, sys.argv[2], chunk_size=int(sys.argv[3]), workers=1)
"""


def test_killed_run_continues_to_the_same_bits(tmp_path: Path, study: Study, whole: Path) -> None:
    out = tmp_path / "out"
    content = study.model_dump_json()
    process = subprocess.Popen([sys.executable, "-c", RUN, content, str(out), str(CHUNK_SIZE)])
    deadline = time.monotonic() + 120.0
    while finished_chunks(out) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    kept = finished_chunks(out)
    assert 2 <= kept < CHUNKS
    written = {path: path.stat().st_mtime_ns for path in working_path(out).glob("*.zip")}
    told: list[tuple[str, int, int]] = []

    def progress(arm: str, done: int, planned: int) -> None:
        told.append((arm, done, planned))
        if len(told) == kept:
            now = {path: path.stat().st_mtime_ns for path in working_path(out).glob("*.zip")}
            assert now == written

    result = run_trial(study, out, chunk_size=CHUNK_SIZE, resume=True, progress=progress)
    assert read_tables(out) == read_tables(whole)
    assert len(told) == CHUNKS
    assert result.manifest["chunks"] == {"all": CHUNKS, "from_interrupted_run": kept}
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_cluster_gives_the_same_bits_and_prepares_each_worker_once(
    tmp_path: Path, study: Study, whole: Path, processes: Any
) -> None:
    told: list[tuple[str, int, int]] = []
    result = run_trial(
        study,
        tmp_path / "out",
        chunk_size=CHUNK_SIZE,
        scheduler=processes.scheduler_address,
        progress=lambda *news: told.append(news),
    )
    assert read_tables(tmp_path / "out") == read_tables(whole)
    assert result.manifest["scheduler"] == processes.scheduler_address
    assert {(arm, done) for arm, done, _ in told} >= {
        (arm.name, study.patients_per_arm) for arm in study.arms
    }
    with processes.get_client() as client:
        prepared = client.run(lambda: cluster_module._prepare.cache_info().misses)
    assert list(prepared.values()) == [1, 1]


def test_chunks_of_a_killed_worker_are_simulated_by_another(
    tmp_path: Path, study: Study, whole: Path, processes: Any
) -> None:
    with processes.get_client() as client:
        workers = client.run(os.getpid)
        first = next(iter(workers.values()))
        killed = threading.Event()

        def kill(arm: str, done: int, planned: int) -> None:
            if not killed.is_set():
                os.kill(first, signal.SIGKILL)
                killed.set()

        run_trial(
            study,
            tmp_path / "out",
            chunk_size=CHUNK_SIZE,
            scheduler=processes.scheduler_address,
            progress=kill,
        )
        assert killed.is_set()
        client.wait_for_workers(2, timeout=60)
        assert first not in client.run(os.getpid).values()
    assert read_tables(tmp_path / "out") == read_tables(whole)


def test_worker_of_another_version_is_refused(
    tmp_path: Path, study: Study, processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("estradyn.trial.identity.code_hash", lambda: "another")
    with pytest.raises(ClusterError, match=r"would make other numbers \(code_hash .* there, ano"):
        run_trial(study, tmp_path / "out", scheduler=processes.scheduler_address)
    assert list(tmp_path.iterdir()) == []


def test_lost_cluster_keeps_what_is_finished(tmp_path: Path, study: Study, whole: Path) -> None:
    distributed = pytest.importorskip("distributed")
    out = tmp_path / "out"
    with distributed.LocalCluster(
        n_workers=1, processes=True, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        gone = threading.Event()

        def close(arm: str, done: int, planned: int) -> None:
            if not gone.is_set():
                gone.set()
                cluster.close()

        with pytest.raises(ClusterError, match="the cluster was lost"):
            run_trial(study, out, chunk_size=CHUNK_SIZE, scheduler=address, progress=close)
    assert finished_chunks(out) >= 1
    run_trial(study, out, chunk_size=CHUNK_SIZE, resume=True)
    assert read_tables(out) == read_tables(whole)
