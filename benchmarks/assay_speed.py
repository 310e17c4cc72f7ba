"""Wall time to analyse 384-well plates at four times with bootstrap intervals, as a user would.

Simulates a plate with nearly every well in use at each time and one at time 0, runs
`estradyn assay analyze` on the file in a process of its own, and prints its wall and processor
time. Report, tables and figures are included.

Run with: python benchmarks/assay_speed.py [--bootstrap N] [--workers N]
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

from estradyn.assay.plan import AssayDesign
from estradyn.assay.simulate import simulate_plates

DESIGN = AssayDesign.model_validate(
    {
        "cell_line": "MCF-7",
        "readout": "MTT",
        "plate": 384,
        "drug": {
            "name": "toremifene",
            "top_dose": "10 uM",
            "dilution_factor": 3.162,
            "doses": 12,
            "stock": "10 mM",
        },
        "agonist": {
            "name": "estradiol",
            "positive_control": "1 nM",
            "with_drug": "0.1 nM",
            "stock": "10 uM",
        },
        "replicates": 13,
        "vehicle_wells": 24,
        "blank_wells": 8,
        "plates_per_time": 1,
        "times_h": [24, 48, 72, 96],
        "edge_wells": True,
    }
)


def main() -> None:
    """Analyse the plates and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", type=int, default=500)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wells = simulate_plates(DESIGN, seed=1)
        path = Path(folder) / "wells.csv"
        wells.to_csv(path, index=False)
        command = [
            *(str(Path(sys.executable).with_name("estradyn")), "assay", "analyze", str(path)),
            *("--bootstrap", str(arguments.bootstrap), "--workers", str(arguments.workers)),
            *("--out", str(Path(folder) / "out")),
        ]
        begin = time.perf_counter()
        subprocess.run(command, check=True)
        wall = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(wells)} wells on {wells['plate'].nunique()} plates, {arguments.bootstrap} bootstrap "
        f"draws, {arguments.workers} workers: {wall:.1f} s wall, "
        f"{used.ru_utime + used.ru_stime:.1f} s processor"
    )


if __name__ == "__main__":
    main()
