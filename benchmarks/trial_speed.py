"""Wall time and memory of a whole virtual trial, from a cold start, compilation included.

Runs `estradyn trial run` as a user would, in a process of its own with an empty folder for compiled
models, and prints its wall time, processor time and peak memory.

Run with: python benchmarks/trial_speed.py [--patients N] [--workers N] [STUDY]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STUDY = Path(__file__).parents[1] / "studies" / "toremifene_flare.yaml"


def main() -> None:
    """Run the trial and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="?", default=str(STUDY))
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(str(Path(sys.executable).with_name("estradyn")), "trial", "run", arguments.study),
            *("--patients", str(arguments.patients), "--workers", str(arguments.workers)),
            *("--out", str(Path(folder) / "out")),
        ]
        environment = os.environ | {"ESTRADYN_CACHE": str(Path(folder) / "cache")}
        begin = time.perf_counter()
        subprocess.run(command, check=True, env=environment)
        wall = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{arguments.patients} patients per arm, {arguments.workers} workers: {wall:.1f} s wall, "
        f"{used.ru_utime + used.ru_stime:.1f} s processor, peak {used.ru_maxrss / 1e6:.2f} GB"
    )


if __name__ == "__main__":
    main()
