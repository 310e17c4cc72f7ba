"""Chunks of patients, and runs that continue where an interrupted one ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from estradyn.errors import InputError, SimulationError
from estradyn.population import Drawn, Population
from estradyn.trial.chunks import ChunkPlace, ChunkPlan
from estradyn.trial.files import TABLES
from estradyn.trial.result import TrialResult
from estradyn.trial.run import is_complete, run_trial
from estradyn.trial.study import Storage, Study, with_overrides
from estradyn.trial.working_folder import finished_chunks, working_folder, working_path

MakeStudy = Callable[..., Study]
MakeSimulation = Callable[..., object]

CHUNK_SIZE = 10
ERRORS = ("diameter_error: 0 percent", "diameter_error: 8 percent")


class PowerCutError(BaseException):
    """Ends a run as nothing in the code expects."""


class Interrupted:
    """A simulation that ends before a chunk, and remembers whom it has drawn and simulated."""

    def __init__(self, simulation: object, *, after: float = np.inf):
        self.simulation = simulation
        self.after = after
        self.drawn: list[int] = []
        self.solved: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.simulation, name)

    def draw(self, patients: int, chunk_size: int, after: Drawn) -> Iterator[Population]:
        for population in self.simulation.draw(patients, chunk_size, after):
            self.drawn += population.patient_ids.tolist()
            yield population

    def solve(self, arm_index: int, population: Population, days: object) -> object:
        if len(self.solved) >= self.after * CHUNK_SIZE:
            raise PowerCutError
        self.solved += population.patient_ids.tolist()
        return self.simulation.solve(arm_index, population, days)


def read_tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}


@pytest.fixture(scope="module")
def study(make_study: MakeStudy) -> Study:
    return make_study(ERRORS)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, study: Study, make_simulation: MakeSimulation
) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    run_trial(study, out, simulation=make_simulation(study), chunk_size=CHUNK_SIZE)
    return out


@pytest.fixture
def interrupt(make_simulation: MakeSimulation) -> Callable[..., None]:
    def run(study: Study, out: Path, *, after: int) -> None:
        simulation = Interrupted(make_simulation(study), after=after)
        with pytest.raises(PowerCutError):
            run_trial(study, out, simulation=simulation, chunk_size=CHUNK_SIZE)

    return run


@pytest.mark.parametrize(
    ("patients", "sizes"),
    [(500, [250, 250]), (24, [24]), (1, [1]), (501, [167, 167, 167]), (499, [250, 249])],
)
def test_chunks_are_about_alike_and_hold_everybody_once(
    make_study: MakeStudy, patients: int, sizes: list[int]
) -> None:
    study = with_overrides(make_study(), patients=patients)
    plan = ChunkPlan(study)
    assert [plan.patients(place) for place in plan.places] == 2 * sizes
    assert ChunkPlan(study, plan.chunk_size).chunk_size == plan.chunk_size


@pytest.mark.parametrize("patients", [99_991, 1_000_000])
def test_no_chunk_of_a_large_arm_is_large(make_study: MakeStudy, patients: int) -> None:
    plan = ChunkPlan(with_overrides(make_study(), patients=patients))
    assert 200 < plan.chunk_size <= 250
    last = ChunkPlace(0, plan.chunks_per_arm - 1)
    assert 0 < plan.patients(last) <= 250
    assert plan.chunk_size * (plan.chunks_per_arm - 1) + plan.patients(last) == patients


@pytest.mark.parametrize("after", [1, 3, 4, 7])
def test_interrupted_run_continues_to_the_same_bits(
    tmp_path: Path,
    study: Study,
    whole: Path,
    make_simulation: MakeSimulation,
    interrupt: Callable[..., None],
    after: int,
) -> None:
    out = tmp_path / "out"
    interrupt(study, out, after=after)
    assert not out.exists()
    assert finished_chunks(out) == after
    told: list[tuple[str, int, int]] = []
    simulation = Interrupted(make_simulation(study))
    result = run_trial(
        study,
        out,
        simulation=simulation,
        chunk_size=CHUNK_SIZE,
        resume=True,
        progress=lambda *news: told.append(news),
    )
    assert read_tables(out) == read_tables(whole)
    done = CHUNK_SIZE * after
    assert sorted(simulation.solved) == list(range(done, 80))
    assert sorted(simulation.drawn) == list(range(done, 80))
    assert result.manifest["chunks"] == {"all": 8, "from_interrupted_run": after}
    assert told[-1] == ("high", 40, 40)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_chunks_that_are_missing_in_between_are_filled_in(
    tmp_path: Path,
    study: Study,
    whole: Path,
    make_simulation: MakeSimulation,
    interrupt: Callable[..., None],
) -> None:
    out = tmp_path / "out"
    interrupt(study, out, after=5)
    for name in ("arm-000-chunk-0000001.zip", "arm-001-chunk-0000000.zip"):
        (working_path(out) / name).unlink()
    simulation = Interrupted(make_simulation(study))
    run_trial(study, out, simulation=simulation, chunk_size=CHUNK_SIZE, resume=True)
    assert read_tables(out) == read_tables(whole)
    assert len(simulation.solved) == 5 * CHUNK_SIZE


def test_interrupted_again_and_again_it_still_ends_the_same(
    tmp_path: Path, study: Study, whole: Path, make_simulation: MakeSimulation
) -> None:
    out = tmp_path / "out"
    for _ in range(5):
        simulation = Interrupted(make_simulation(study), after=1)
        with pytest.raises(PowerCutError):
            run_trial(study, out, simulation=simulation, chunk_size=CHUNK_SIZE, resume=True)
    assert finished_chunks(out) == 5
    run_trial(study, out, simulation=make_simulation(study), chunk_size=CHUNK_SIZE, resume=True)
    assert read_tables(out) == read_tables(whole)


def test_same_patients_in_every_arm_continue_too(
    tmp_path: Path,
    make_study: MakeStudy,
    make_simulation: MakeSimulation,
    interrupt: Callable[..., None],
) -> None:
    paired = make_study(
        ERRORS, ("  setting: nobody", "  setting: nobody\n  same_patients_in_every_arm: true")
    )
    run_trial(paired, tmp_path / "whole", simulation=make_simulation(paired), chunk_size=CHUNK_SIZE)
    interrupt(paired, tmp_path / "out", after=6)
    run_trial(
        paired,
        tmp_path / "out",
        simulation=make_simulation(paired),
        chunk_size=CHUNK_SIZE,
        resume=True,
    )
    assert read_tables(tmp_path / "out") == read_tables(tmp_path / "whole")


def test_resume_without_an_interrupted_run_begins_at_the_beginning(
    tmp_path: Path, study: Study, whole: Path, make_simulation: MakeSimulation
) -> None:
    out = tmp_path / "out"
    run_trial(study, out, simulation=make_simulation(study), chunk_size=CHUNK_SIZE, resume=True)
    assert read_tables(out) == read_tables(whole)


def test_run_without_resume_begins_anew(
    tmp_path: Path,
    study: Study,
    make_simulation: MakeSimulation,
    interrupt: Callable[..., None],
) -> None:
    out = tmp_path / "out"
    interrupt(study, out, after=3)
    simulation = Interrupted(make_simulation(study))
    result = run_trial(study, out, simulation=simulation, chunk_size=CHUNK_SIZE)
    assert len(simulation.solved) == 80
    assert result.manifest["chunks"]["from_interrupted_run"] == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("seed: 7", "seed: 8"), "seed"),
        (("patients_per_arm: 40", "patients_per_arm: 44"), "patients_per_arm"),
        (("every: 8 week", "every: 9 week"), "scans"),
        (("seed: 7", "seed: 7\nstore: endpoints"), "store"),
    ],
)
def test_chunks_of_another_study_are_refused_and_stay(
    tmp_path: Path,
    study: Study,
    make_study: MakeStudy,
    make_simulation: MakeSimulation,
    interrupt: Callable[..., None],
    change: tuple[str, str],
    named: str,
) -> None:
    out = tmp_path / "out"
    interrupt(study, out, after=2)
    other = make_study(ERRORS, change)
    with pytest.raises(InputError, match=rf"that differs in (chunk_size, )?{named}, allowed"):
        run_trial(other, out, simulation=make_simulation(other), chunk_size=CHUNK_SIZE, resume=True)
    assert finished_chunks(out) == 2
    with pytest.raises(InputError, match="chunk_size"):
        run_trial(study, out, simulation=make_simulation(study), chunk_size=20, resume=True)


@pytest.mark.parametrize("named", ["code_hash", "estradyn", "model_hash", "numpy"])
def test_chunks_of_another_version_or_model_are_refused(
    tmp_path: Path,
    study: Study,
    make_simulation: MakeSimulation,
    interrupt: Callable[..., None],
    named: str,
) -> None:
    out = tmp_path / "out"
    interrupt(study, out, after=1)
    path = working_path(out) / "identity.json"
    identity = json.loads(path.read_text())
    (identity["packages"] if named == "numpy" else identity)[named] = "another"
    path.write_text(json.dumps(identity))
    with pytest.raises(InputError, match=rf"that differs in (chunk_size, )?{named}, allowed"):
        run_trial(study, out, simulation=make_simulation(study), chunk_size=CHUNK_SIZE, resume=True)


def test_chunks_that_nothing_says_the_origin_of_are_refused(
    tmp_path: Path,
    study: Study,
    make_simulation: MakeSimulation,
    interrupt: Callable[..., None],
) -> None:
    out = tmp_path / "out"
    interrupt(study, out, after=1)
    (working_path(out) / "identity.json").write_text("[]")
    with pytest.raises(InputError, match="nothing says the origin"):
        run_trial(study, out, simulation=make_simulation(study), chunk_size=CHUNK_SIZE, resume=True)


@pytest.mark.parametrize("damage", ["cut short", "changed"])
def test_damaged_chunk_is_named_and_can_be_removed(
    tmp_path: Path,
    study: Study,
    whole: Path,
    make_simulation: MakeSimulation,
    interrupt: Callable[..., None],
    damage: str,
) -> None:
    out = tmp_path / "out"
    interrupt(study, out, after=2)
    path = working_path(out) / "arm-000-chunk-0000001.zip"
    content = bytearray(path.read_bytes())
    if damage == "changed":
        content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) // 2] if damage == "cut short" else content)
    with pytest.raises(InputError, match=r"chunk-0000001\.zip: found a damaged file"):
        run_trial(study, out, simulation=make_simulation(study), chunk_size=CHUNK_SIZE, resume=True)
    path.unlink()
    run_trial(study, out, simulation=make_simulation(study), chunk_size=CHUNK_SIZE, resume=True)
    assert read_tables(out) == read_tables(whole)


def test_report_that_fails_loses_no_patient(
    tmp_path: Path, study: Study, whole: Path, make_simulation: MakeSimulation
) -> None:
    out = tmp_path / "out"

    def break_down(result: TrialResult, directory: Path) -> None:
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError):
        run_trial(
            study,
            out,
            simulation=make_simulation(study),
            chunk_size=CHUNK_SIZE,
            write_report=break_down,
        )
    assert not out.exists()
    simulation = Interrupted(make_simulation(study), after=0)
    run_trial(study, out, simulation=simulation, chunk_size=CHUNK_SIZE, resume=True)
    assert read_tables(out) == read_tables(whole)


def test_run_that_fails_for_its_patients_leaves_nothing(
    tmp_path: Path, study: Study, make_simulation: MakeSimulation
) -> None:
    out = tmp_path / "new" / "out"
    with pytest.raises(SimulationError):
        run_trial(study, out, simulation=make_simulation(study, failing=5), chunk_size=CHUNK_SIZE)
    assert list(tmp_path.iterdir()) == []


def test_second_run_into_the_same_place_is_refused(
    tmp_path: Path, study: Study, make_simulation: MakeSimulation
) -> None:
    out = tmp_path / "out"
    with (
        working_folder(out, {"study": {}}, resume=False),
        pytest.raises(InputError, match="another run is writing here"),
    ):
        run_trial(study, out, simulation=make_simulation(study))
    run_trial(study, out, simulation=make_simulation(study))
    assert out.is_dir()


def test_folder_that_holds_the_trial_already_is_known(
    tmp_path: Path, study: Study, make_study: MakeStudy, make_simulation: MakeSimulation
) -> None:
    out = tmp_path / "out"
    simulation = make_simulation(study)
    assert not is_complete(study, out, simulation)
    run_trial(
        study,
        out,
        simulation=simulation,
        write_report=lambda result, folder: (folder / "report.html").touch(),
    )
    assert is_complete(study, out, simulation)
    other = make_study(ERRORS, ("seed: 7", "seed: 8"))
    assert not is_complete(other, out, make_simulation(other))
    (out / "patients.parquet").write_bytes(b"")
    assert not is_complete(study, out, simulation)


def test_only_endpoints_are_stored_when_only_they_are_asked_for(
    tmp_path: Path, study: Study, whole: Path, make_simulation: MakeSimulation
) -> None:
    out = tmp_path / "out"
    lean = with_overrides(study, store=Storage.ENDPOINTS)
    result = run_trial(lean, out, simulation=make_simulation(lean))
    assert sorted(entry.name for entry in out.iterdir()) == ["endpoints.csv", "manifest.json"]
    assert (out / "endpoints.csv").read_bytes() == (whole / "endpoints.csv").read_bytes()
    assert result.trajectories_path is None
    assert result.assessments_path is None
    assert "tumor_growth" not in result.patients
    assert set(result.manifest["tables"]) == {"endpoints.csv"}
