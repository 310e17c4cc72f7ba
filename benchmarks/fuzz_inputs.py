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
from estradyn.trial.study import load_study

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("ESTRADYN_SHARED", ROOT.parent / "shared"))
SECONDS_ALLOWED = 10.0
SNIPPETS = (
    *("", "0", "-1", "1e999", "nan", "NaN", "inf", "'", '"', "<", ">", "&", "]]>", "\x00"),
    *("\ufeff", "é", "💥", "\t", "\n", ":", "- ", "{", "}", "[", "]", "&a", "*a", "<math/>"),
    *("!!python/object:os.system", "9" * 400, "x" * 5000, "=", ":=", "->", ";", "//", "/*"),
    *("import", "model", "end"),
)


def mutate(text: str, dice: random.Random) -> str:
    """Return a text with one to six pieces removed, repeated, moved or replaced."""
    for _ in range(dice.randint(1, 6)):
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


def read_tables(folder: Path) -> None:
    """Read the patient model of a folder."""
    load_patient_model(folder)


Kind = tuple[list[Path], str, Callable[[Path], object]]


def kinds() -> dict[str, Kind]:
    """Return, for each kind of input: files to mutate, name to give them, and their reader."""
    suite = sorted((SHARED / "conformance" / "sbml").glob("*/model.xml"))
    models = models_directory()
    drugs = [path for path in sorted((models / "drugs").iterdir()) if path.suffix != ".tsv"]
    tables = sorted(models.rglob("*.tsv")) + drugs
    return {
        "sbml": (suite, "model.xml", load_model),
        "antimony": (sorted(models.glob("*.ant")), "model.ant", load_model),
        "study": (sorted((ROOT / "studies").glob("*.yaml")), "study.yaml", load_study),
        "table": (tables, "", read_tables),
    }


def serve(connection: Connection) -> None:
    """Read files named by the other side until told to stop; answer how each ended."""
    readers = {name: reader for name, (_, _, reader) in kinds().items()}
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
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

    def read(self, kind: str, path: Path) -> str:
        """Return how reading a file ended."""
        try:
            self.connection.send((kind, str(path)))
            if self.connection.poll(SECONDS_ALLOWED):
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
    reader, offences = Reader(), 0
    for kind in arguments.kinds:
        sources, name, _ = kinds()[kind]
        verdicts: Counter[str] = Counter()
        begin = time.perf_counter()
        for number in range(arguments.files if sources else 0):
            source = dice.choice(sources)
            text = mutate(source.read_text(encoding="utf-8"), dice)
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
    for neighbour in models_directory().rglob("*"):
        place = folder / neighbour.relative_to(models_directory())
        if neighbour.is_dir():
            place.mkdir(exist_ok=True)
        else:
            place.write_bytes(neighbour.read_bytes())
    mutated = folder / source.relative_to(models_directory())
    mutated.write_text(text, encoding="utf-8")
    return mutated if kind == "antimony" else folder


if __name__ == "__main__":
    sys.exit(main())
