"""Feeds mutated model, study and table files to the readers: an error must be a sentence.

Every file is read in a process of its own kind, so that a crash or a hang of a reader is seen and
counted. A mutation that is still valid may be read; anything else must end in an `EstradynError`
within the time allowed.

Run with: python benchmarks/fuzz_inputs.py [--files N] [--seed S] [--kinds KIND ...] [--keep DIR]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from estradyn.errors import EstradynError
from estradyn.model import load_model, load_patient_model, models_directory
from estradyn.simulation import simulate_file
from estradyn.trial.study import load_study

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("ESTRADYN_SHARED", ROOT.parent / "shared"))
SMALL = ROOT / "tests" / "model" / "data" / "small"
DRUG = ROOT / "tests" / "simulation" / "oral_drug.ant"
SECONDS_ALLOWED = 10.0
LONGEST_WAIT = 300.0
"""Seconds by the clock after which a reader that does not work is given up."""
SHORT = 1000
"""Characters of a text that bears two changes only; with more, nobody looks past the first."""
SNIPPETS = (
    *("", "0", "-1", "1e999", "nan", "NaN", "inf", "'", '"', "<", ">", "&", "]]>", "\x00"),
    *("\ufeff", "é", "💥", "\t", "\n", ":", "- ", "{", "}", "[", "]", "&a", "*a", "<math/>"),
    *("!!python/object:os.system", "9" * 400, "x" * 5000, "=", ":=", "->", ";", "//", "/*"),
    *("import", "model", "end"),
)


def mutate(text: str, dice: random.Random) -> str:
    """Return a text with one to six pieces removed, repeated, moved or replaced."""
    for _ in range(dice.randint(1, 6 if len(text) > SHORT else 2)):
        start = dice.randrange(len(text) + 1)
        stop = min(len(text), start + int(dice.paretovariate(0.7)))
        piece = text[start:stop]
        choice = dice.randrange(6)
        if choice == 0:
            piece = ""
        elif choice == 1:
            piece = piece * dice.randint(2, 4)
        elif choice == 2:
            piece = dice.choice(SNIPPETS)
        elif choice == 3:
            piece += dice.choice(SNIPPETS)
        elif choice == 4:
            piece = "".join(dice.sample(piece, len(piece)))
        else:
            other = dice.randrange(len(text) + 1)
            piece = text[other : other + dice.randint(1, 60)]
        text = text[:start] + piece + text[stop:]
    return text


EVENTS = """ID,TIME,EVID,AMT,CMT,RATE,DUR,II,ADDL,SS,LAGT,BIOAV
1,0,1,100,depot,,,24,3,,,0.8
1,12,0,,,,,,,,,
1,50,0,,,,,,,,,
2,0,1,60,1,,,12,,1,0.5,
2,6.5,1,30,2,15,,,,,,
2,24,2,,,,,,,,,
2,36,4,10,amount,-2,,8,,2,,
2,40,0,,,,,,,,,
"""
PARAMETERS = """ID,clearance,absorption_rate
1,1.3,0.9
2,2.1e0,1.5
"""


TEXTS = {"events": EVENTS, "parameters": PARAMETERS}
"""What is mutated where it is no file of the project."""


def simulate_tables(folder: Path) -> None:
    """Simulate the event table of a folder with the drug and parameter table beside it."""
    result = folder / "result.csv"
    simulate_file(
        folder / "oral_drug.ant",
        folder / "events.csv",
        result,
        parameters=folder / "parameters.csv",
        outputs=["amount"],
        workers=1,
    )
    # A table that is still good has a result; a refused one must leave nothing.
    result.unlink()


def read_tables(path: Path) -> None:
    """Read the patient model a file belongs to, with the drug it is about or with none."""
    folder = path.parent.parent if path.parent.name == "drugs" else path.parent
    records = [record.stem for record in (folder / "drugs").glob("*.md")]
    load_patient_model(folder, drugs=[name for name in records if path.stem.startswith(name)])


Kind = tuple[list[Path], str, Callable[[Path], object]]


def model_files(folder: Path) -> list[Path]:
    """Tables, drug records and parts of a patient model's folder."""
    parts = [path for path in sorted((folder / "drugs").iterdir()) if path.suffix != ".tsv"]
    return sorted(folder.rglob("*.tsv")) + parts


def kinds() -> dict[str, Kind]:
    """Return, for each kind of input: files to mutate, name to give them, and their reader."""
    suite = sorted((SHARED / "conformance" / "sbml").glob("*/model.xml"))
    models = models_directory()
    # The small model is read by the same code in a tenth of the time: most tables are its.
    tables = model_files(models) + 20 * model_files(SMALL)
    return {
        "sbml": (suite, "model.xml", load_model),
        "antimony": (sorted(models.glob("*.ant")), "model.ant", load_model),
        "study": (sorted((ROOT / "studies").glob("*.yaml")), "study.yaml", load_study),
        "table": (tables, "", read_tables),
        "events": ([DRUG], "events.csv", simulate_tables),
        "parameters": ([DRUG], "parameters.csv", simulate_tables),
    }


def serve(connection: Connection) -> None:
    """Read files named by the other side until told to stop; answer how each ended."""
    readers = {name: reader for name, (_, _, reader) in kinds().items()}
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    connection.send("ready")
    while (request := connection.recv()) is not None:
        kind, path = request
        try:
            readers[kind](Path(path))
            connection.send("read")
        except EstradynError as error:
            one_line = "\n" not in str(error) and str(error).strip()
            connection.send("refused" if one_line else f"not one sentence: {str(error)[:200]!r}")
        except BaseException as error:
            connection.send(f"traceback: {type(error).__name__}: {str(error)[:200]}")


class Reader:
    """A process that reads files and is replaced when it dies or hangs."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start a fresh process."""
        self.connection, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=serve, args=(other,))
        self.process.start()
        other.close()
        self.connection.recv()

    def processor_time(self) -> float:
        """Seconds of processor time the process has used; wall time where that is not told."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2]
        except OSError:
            return time.monotonic()
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def read(self, kind: str, path: Path) -> str:
        """Return how reading a file ended."""
        try:
            self.connection.send((kind, str(path)))
            begin, asked = self.processor_time(), time.monotonic()
            while not self.connection.poll(0.5):
                # Processor time counts, so that a busy machine makes no offence.
                used = self.processor_time() - begin
                if used > SECONDS_ALLOWED or time.monotonic() - asked > LONGEST_WAIT:
                    break
            else:
                return str(self.connection.recv())
            verdict = f"longer than {SECONDS_ALLOWED:g} s"
        except (EOFError, OSError):
            verdict = "crash of the process"
        self.process.kill()
        self.process.join()
        self.start()
        return verdict

    def stop(self) -> None:
        """End the process."""
        self.connection.send(None)
        self.process.join()


def main() -> int:
    """Mutate and read; return 1 if anything ended in something other than a sentence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=400, help="mutated files of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=list(kinds()))
    parser.add_argument("--keep", type=Path, help="folder to keep offending files in")
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    reader, offences, known = Reader(), 0, kinds()
    for kind in arguments.kinds:
        sources, name, _ = known[kind]
        verdicts: Counter[str] = Counter()
        begin = time.perf_counter()
        for number in range(arguments.files if sources else 0):
            source = dice.choice(sources)
            text = mutate(TEXTS.get(kind) or source.read_text(encoding="utf-8"), dice)
            with tempfile.TemporaryDirectory() as folder:
                path = prepare(kind, source, text, Path(folder), name)
                written = {p: p.stat().st_mtime_ns for p in Path(folder).rglob("*")}
                verdict = reader.read(kind, path)
                if {p: p.stat().st_mtime_ns for p in Path(folder).rglob("*")} != written:
                    verdict = "wrote a file"
            if verdict not in ("read", "refused"):
                offences += 1
                print(f"{kind} {number} from {source.name}: {verdict}")
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    kept = arguments.keep / f"{kind}_{number}_{source.name}"
                    kept.write_text(text, encoding="utf-8")
                verdict = "offended"
            verdicts[verdict] += 1
        seconds = time.perf_counter() - begin
        counts = ", ".join(f"{count} {what}" for what, count in sorted(verdicts.items()))
        print(f"{kind}: {counts} in {seconds:.0f} s")
    reader.stop()
    return 1 if offences else 0


def prepare(kind: str, source: Path, text: str, folder: Path, name: str) -> Path:
    """Write the mutated file, with the files it needs beside it; return what is to be read."""
    if kind in ("sbml", "study"):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path
    if kind in TEXTS:
        for file, content in (*TEXTS.items(), (kind, text)):
            (folder / f"{file}.csv").write_text(content, encoding="utf-8")
        (folder / DRUG.name).write_bytes(DRUG.read_bytes())
        return folder
    root = SMALL if source.is_relative_to(SMALL) else models_directory()
    for neighbour in root.rglob("*"):
        place = folder / neighbour.relative_to(root)
        if neighbour.is_dir():
            place.mkdir(exist_ok=True)
        else:
            place.write_bytes(neighbour.read_bytes())
    mutated = folder / source.relative_to(root)
    mutated.write_text(text, encoding="utf-8")
    return mutated


if __name__ == "__main__":
    sys.exit(main())
