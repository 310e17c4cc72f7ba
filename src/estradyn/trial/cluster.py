"""The chunks of a trial on an existing Dask cluster.

Patients are drawn here, which takes a fiftieth of the time of simulating them for two years, and
sent to the workers; each worker sends the content of its chunk's file back. A chunk whose worker is
lost is simulated by another. A worker loads the model and its machine code once.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from estradyn.errors import ClusterError, EstradynError
from estradyn.trial.chunks import Chunk, ChunkPlace, simulate_chunk
from estradyn.trial.identity import differences, run_identity
from estradyn.trial.patients import PatientSimulation
from estradyn.trial.study import Study, study_from_content

if TYPE_CHECKING:
    from estradyn.trial.run import ChunkRunner

CONNECT_SECONDS = 10
"""Time within which the scheduler must answer."""

CHUNKS_PER_THREAD = 2
"""Chunks sent out for each thread of the cluster, so that none waits for the next."""

_preparing = threading.Lock()


@contextmanager
def cluster_runner(address: str, study: Study, identity: dict[str, Any]) -> Iterator[ChunkRunner]:
    """Connect to a scheduler and give a function that simulates chunks on its workers.

    Workers may come and go; while there is none, chunks wait.

    Parameters
    ----------
    address
        Address of the scheduler, such as `tcp://10.0.0.1:8786`.
    study
        The study.
    identity
        What makes the numbers here; a worker where anything of it differs is refused.

    Raises
    ------
    ClusterError
        If Dask is not installed, the scheduler does not answer, a worker runs another version of
        anything the numbers depend on, or the cluster is lost.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            "a scheduler needs Dask, which is not installed: pip install 'estradyn[cluster]'"
        ) from None
    try:
        # A client that cannot connect complains when it is thrown away; this does not.
        asyncio.run(_knock(address))
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at '{address}' ({_first_line(error)}), allowed the address "
            "of one that runs, such as tcp://10.0.0.1:8786"
        ) from None
    described = json.dumps(identity)

    def simulate(chunks: Iterable[Chunk]) -> Iterator[tuple[ChunkPlace, bytes]]:
        yield from _simulate_on(client, described, chunks)

    try:
        yield simulate
    finally:
        client.close(timeout=CONNECT_SECONDS)


async def _knock(address: str) -> None:
    """Raise an error unless a process of Dask answers."""
    from distributed.comm import connect
    from distributed.security import Security

    arguments = Security().get_connection_args("client")
    connecting = connect(address, timeout=CONNECT_SECONDS, **arguments)
    # Waited for here as well: something else that listens and says nothing is not given up.
    connection = await asyncio.wait_for(connecting, 1.5 * CONNECT_SECONDS)
    await connection.close()


def _simulate_on(
    client: Any, identity: str, chunks: Iterable[Chunk]
) -> Iterator[tuple[ChunkPlace, bytes]]:
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    waiting = iter(chunks)
    places: dict[str, ChunkPlace] = {}
    completed = as_completed(loop=client.loop)

    def send_next() -> bool:
        chunk = next(waiting, None)
        if chunk is None:
            return False
        future = client.submit(_simulate_there, identity, chunk, pure=False)
        places[future.key] = chunk.place
        completed.add(future)
        return True

    try:
        while True:
            threads = sum(client.nthreads().values())
            while len(places) < CHUNKS_PER_THREAD * max(threads, 1) and send_next():
                pass
            if not places:
                return
            future = next(completed)
            yield places.pop(future.key), future.result()
    except EstradynError:
        raise
    except KilledWorker as error:
        raise ClusterError(f"the workers of the cluster die: {_first_line(error)}") from None
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"a worker of the cluster cannot load what it needs ({_first_line(error)}), allowed "
            "workers with the same packages as here"
        ) from None
    except (OSError, asyncio.CancelledError) as error:
        raise ClusterError(f"the cluster was lost ({_first_line(error)})") from None


def _simulate_there(identity: str, chunk: Chunk) -> bytes:
    """Simulate a chunk in a process of the cluster."""
    with _preparing:
        study, simulation = _prepare(identity)
    return simulate_chunk(study, simulation, chunk)


@lru_cache(maxsize=1)
def _prepare(described: str) -> tuple[Study, PatientSimulation]:
    """Load the model of a run and its machine code, and make sure that they are the same here."""
    identity = json.loads(described)
    study = study_from_content(identity["study"], "the study sent to the cluster")
    simulation = PatientSimulation(study)
    own = run_identity(study, simulation.provenance(), identity["chunk_size"])
    changed = [
        f"{name} {here} there, {sent} here"
        for name, (sent, here) in differences(identity, own).items()
    ]
    if changed:
        raise ClusterError(
            f"a worker of the cluster would make other numbers ({'; '.join(changed)}), allowed "
            "workers with the same packages as here"
        )
    return study, simulation


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
