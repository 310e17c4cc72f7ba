"""Small plates with known content, for the tests of the assay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

DOSES = [1e-11, 1e-10, 1e-9, 3e-9, 1e-8, 3e-8, 1e-7, 3e-7, 1e-6]


def biphasic(dose: np.ndarray) -> np.ndarray:
    """A zone up to 140 % with its return to control near 1e-7."""
    rise = 60.0 * dose / (dose + 1e-9)
    return (100.0 + rise) / (1.0 + (dose / 2e-7) ** 1.5)


def plate_frame(
    plate: str, time_h: float, seed: int, *, zone: bool = True, bright: float = 1.0
) -> pd.DataFrame:
    """A 96-well plate: 6 blanks, 9 vehicle wells, 9 doses in 5 wells."""
    generator = np.random.default_rng(seed)
    rows = [("blank", 0.0)] * 6 + [("vehicle", 0.0)] * 9
    rows += [("sample", dose) for dose in DOSES for _ in range(5)]
    wells = [f"{'ABCDEFGH'[i // 12]}{i % 12 + 1}" for i in generator.permutation(96)[: len(rows)]]
    dose = np.array([row[1] for row in rows])
    percent = biphasic(dose) if zone else 100.0 / (1.0 + dose / 1e-7)
    if time_h == 0:
        percent = np.full(len(rows), 25.0)
    signal = bright * percent / 100.0 * (1.0 + 0.05 * generator.standard_normal(len(rows)))
    signal[dose == 0] = bright * (0.25 if time_h == 0 else 1.0)
    signal *= 1.0 + 0.03 * generator.standard_normal(len(rows))
    role = np.array([row[0] for row in rows])
    signal = np.where(role == "blank", 0.0, signal) + 0.05
    signal += 0.002 * generator.standard_normal(len(rows))
    return pd.DataFrame(
        {
            "plate": plate,
            "well": wells,
            "role": role,
            "drug": np.where(dose > 0, "drug", ""),
            "dose": dose,
            "time_h": time_h,
            "readout": "MTT",
            "cell_line": "MCF-7",
            "signal": signal,
        }
    )


def assay_frame(*, plates: int = 3, times: tuple[float, ...] = (0.0, 48.0)) -> pd.DataFrame:
    """Several plates at each time."""
    return pd.concat(
        [
            plate_frame(f"{time:g}h-{i}", time, seed=100 * int(time) + i, bright=1.0 + 0.2 * i)
            for time in times
            for i in range(plates)
        ],
        ignore_index=True,
    )


def write_tidy(frame: pd.DataFrame, path: Path) -> Path:
    """The frame as tidy CSV."""
    frame.to_csv(path, index=False)
    return path


GEN5 = """

Software Version\t3.12.08

Plate Number\tPlate 1
Reader Type:\tSynergy H1

Procedure Details

Plate Type\t24 WELL PLATE
Read\tmtt
\tAbsorbance Endpoint
\tFull Plate
\tWavelengths:  570

Results
\t1\t2\t3\t4\t5\t6
A\t0.050\t0.051\t0.900\t0.950\t1.000\t1.100\tmtt:570
B\t0.052\t0.049\t0.910\t1.050\t1.200\t1.250\tmtt:570
C\t0.050\t0.051\t1.000\t0.850\t0.700\t0.400\tmtt:570
D\t0.050\t0.051\t1.100\t0.450\t0.300\tOVRFLW\tmtt:570
"""

SOFTMAX = """##BLOCKS= 1
Plate:\tPlate1\t1.3\tPlateFormat\tEndpoint\tAbsorbance\tRaw\tFALSE\t1\t\t\t\t\t\t\
\t1\t570 \t1\t6\t24\t1\t4
\tTemperature(C)\t1\t2\t3\t4\t5\t6
\t37\t0.050\t0.051\t0.900\t0.950\t1.000\t1.100
\t\t0.052\t0.049\t0.910\t1.050\t1.200\t1.250
\t\t0.050\t0.051\t1.000\t0.850\t0.700\t0.400
\t\t0.050\t0.051\t1.100\t0.450\t0.300\t0.100

~End
Original Filename: x; Date Last Saved: 1/1/2024
"""

WELLMAP = """
[expt]
cell_line = 'MCF-7'
readout = 'MTT'
time_h = 48
drug = 'drug'

[col.'1,2']
role = 'blank'
drug = ''
[col.3]
role = 'vehicle'
drug = ''
[col.'4,5,6']
role = 'sample'
[row.'A,B,C,D']

[well.A4]
dose = '1 nM'
[well.A5]
dose = '10 nM'
[well.A6]
dose = '100 nM'
[well.'B4,B5,B6']
dose = '1 uM'
[well.'C4,...,C6']
dose = '3 uM'
[well.'D4,D5,...,D6']
dose = '10 uM'
"""

PLATER = """signal,1,2,3
A,0.05,1.0,1.2
B,0.05,0.9,0.4

role,1,2,3
A,blank,vehicle,sample
B,blank,vehicle,sample

dose_nM,1,2,3
A,,,10
B,,,1000

drug,1,2,3
A,,,drug
B,,,drug
"""
