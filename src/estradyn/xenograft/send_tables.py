"""Tables in the shape of SEND domains, to hand over to those who keep nonclinical data that way.

The variables follow the names of the Standard for Exchange of Nonclinical Data. Controlled
terminology, define.xml and validation are not provided, so this is the shape and no more.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from estradyn.xenograft.study_table import HISTOLOGY, StudyData

MASS = "MASS01"
"""Identifier of the tumor, the same in PM and MI so that their records can be joined."""

_STUDY = "STUDY1"


def send_tables(data: StudyData, study: str = _STUDY) -> dict[str, pd.DataFrame]:
    """Arrange a study as DM, EX, BW, CL, LB, PM, MI and DS.

    Parameters
    ----------
    data
        The study.
    study
        Identifier for STUDYID.

    Returns
    -------
    dict
        Tables by domain; a domain without data has its columns and no rows.
    """
    table = data.measurements.assign(
        USUBJID=study + "-" + data.measurements["animal"], STUDYID=study
    )
    first = table.drop_duplicates("USUBJID")
    tables = {
        "DM": pd.DataFrame(
            {
                "STUDYID": study,
                "DOMAIN": "DM",
                "USUBJID": first["USUBJID"],
                "SUBJID": first["animal"],
                "SPECIES": "MOUSE",
                "ARM": first["arm"],
                "ARMCD": first["arm"].map({a: f"A{i + 1}" for i, a in enumerate(data.arms)}),
            }
        ),
        "EX": _exposure(table),
        "BW": _findings(table, "BW", {"weight_g": ("BW", "Body Weight", "g")}),
        "CL": _findings(
            table,
            "CL",
            {
                "pain_score": ("PAIN", "Pain Score", ""),
                "bladder_distension": ("BLADDER", "Bladder Distension", ""),
            },
        ),
        "LB": _findings(
            table,
            "LB",
            {
                "calcium_mmol_per_L": ("CA", "Calcium", "mmol/L"),
                "alp_U_per_L": ("ALP", "Alkaline Phosphatase", "U/L"),
            },
        ),
        "PM": _findings(
            table,
            "PM",
            {
                "length_mm": ("LENGTH", "Length", "mm"),
                "width_mm": ("WIDTH", "Width", "mm"),
                "volume_mm3": ("VOLUME", "Volume", "mm3"),
            },
            mass=True,
        ),
        "MI": _findings(
            table,
            "MI",
            {name: (name.split("_")[0].upper(), _label(name), "%") for name in HISTOLOGY},
            mass=True,
        ),
    }
    left = table[table["reason_left"] != ""].drop_duplicates("USUBJID")
    tables["DS"] = pd.DataFrame(
        {
            "STUDYID": study,
            "DOMAIN": "DS",
            "USUBJID": left["USUBJID"],
            "DSSEQ": 1,
            "DSTERM": left["reason_left"],
            "DSDECOD": left["reason_left"].str.upper(),
            "DSSTDY": _study_day(left["day"]),
        }
    )
    return {name: frame.reset_index(drop=True) for name, frame in tables.items()}


def _label(name: str) -> str:
    return {"ki67_percent": "Ki-67", "f4_80_percent": "F4/80"}.get(
        name, name.split("_", maxsplit=1)[0].upper()
    )


def _study_day(day: pd.Series) -> pd.Series:
    """Study day of SEND: the first day of treatment is 1 and there is no day 0."""
    shifted = np.where(day >= 0, day + 1, day)
    return pd.Series(shifted, index=day.index)


def _exposure(table: pd.DataFrame) -> pd.DataFrame:
    given = table[table["dose_mg_per_kg"].notna()]
    return pd.DataFrame(
        {
            "STUDYID": given["STUDYID"],
            "DOMAIN": "EX",
            "USUBJID": given["USUBJID"],
            "EXSEQ": given.groupby("USUBJID").cumcount() + 1,
            "EXTRT": given["drug"].where(given["drug"] != "", given["arm"]),
            "EXDOSE": given["dose_mg_per_kg"],
            "EXDOSU": "mg/kg",
            "EXSTDY": _study_day(given["day"]),
        }
    )


def _findings(
    table: pd.DataFrame,
    domain: str,
    columns: dict[str, tuple[str, str, str]],
    *,
    mass: bool = False,
) -> pd.DataFrame:
    """One record per subject, day and test."""
    frames = []
    for place, (name, (code, label, unit)) in enumerate(columns.items()):
        known = table[table[name].notna()]
        frames.append(
            pd.DataFrame(
                {
                    "STUDYID": known["STUDYID"],
                    "DOMAIN": domain,
                    "USUBJID": known["USUBJID"],
                    f"{domain}SPID": MASS if mass else "",
                    f"{domain}TESTCD": code,
                    f"{domain}TEST": label,
                    f"{domain}ORRES": known[name].map("{:.6g}".format),
                    f"{domain}ORRESU": unit,
                    f"{domain}STRESN": known[name],
                    f"{domain}STRESU": unit,
                    f"{domain}DY": _study_day(known["day"]),
                    "order": place,
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.sort_values(["USUBJID", f"{domain}DY", "order"], kind="stable")
    frame.insert(3, f"{domain}SEQ", frame.groupby("USUBJID").cumcount() + 1)
    if not mass:
        frame = frame.drop(columns=f"{domain}SPID")
    return frame.drop(columns="order")
